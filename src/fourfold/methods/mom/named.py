"""Parts of one's own, given as MODULE:NAME of a Python callable."""

import importlib
from collections.abc import Callable
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import UsageError
from fourfold.methods.mom.layers import Inpainter


def load_callable(name: str, what: str, expected: str) -> Callable[..., Any]:
    """Import a callable.

    Args:
        name: MODULE:NAME.
        what: what it is for, in errors: "animator".
        expected: what else the option takes, in errors.

    Raises:
        UsageError: the module or the name in it does not exist, or is not callable.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute) if attribute else None
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the {what} {name} cannot be loaded: {error}") from error
    if not callable(found):
        raise UsageError(f"{name} is no {what}", expected=expected)
    return found


def load_inpainter(name: str) -> Inpainter | None:
    """Find what fills hidden parts of a photo; None, for the default, where no name is given.

    Raises:
        UsageError: there is no such callable; or later, it gives a picture of another shape.
    """
    if not name:
        return None
    found = load_callable(name, "inpainter", "MODULE:NAME of a callable")

    def inpaint(image: Float[Tensor, "H W 3"], hole: Bool[Tensor, "H W"]) -> Tensor:
        filled = found(image, hole)
        if not isinstance(filled, Tensor) or filled.shape != image.shape:
            raise UsageError(
                f"the inpainter {name} gave something else than a picture of the same size",
                expected=f"a tensor {tuple(image.shape)}",
            )
        return filled

    return inpaint
