"""Parts of one's own: found by name, and what they give is looked at."""

import pytest
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import UsageError
from fourfold.methods.mom.canvas import Canvas
from fourfold.methods.mom.layers import cut_layers
from fourfold.methods.mom.named import load_inpainter
from tests.methods.mom.test_layers import canvas as house_canvas

VIOLET = torch.tensor([0.6, 0.0, 0.9])


def violet(image: Float[Tensor, "H W 3"], hole: Bool[Tensor, "H W"]) -> Float[Tensor, "H W 3"]:
    """Fill a hole with violet, which the picture has not."""
    return torch.where(hole.unsqueeze(-1), VIOLET, image)


def half(image: Float[Tensor, "H W 3"], hole: Bool[Tensor, "H W"]) -> Float[Tensor, "h W 3"]:
    """Give a picture of another size."""
    return image[::2]


@pytest.fixture
def canvas() -> Canvas:
    """A house on level ground before the sky."""
    return house_canvas()


def test_no_name_is_the_default():
    assert load_inpainter("") is None


def test_an_inpainter_of_ones_own_paints_what_is_hidden(canvas: Canvas):
    hidden = cut_layers(canvas, load_inpainter(f"{__name__}:violet"))[1]
    violets = (hidden.image[hidden.present] - VIOLET).abs().amax(-1) < 1e-6
    assert float(violets.float().mean()) > 0.9


def test_a_picture_of_another_size_is_refused(canvas: Canvas):
    with pytest.raises(UsageError, match="same size"):
        cut_layers(canvas, load_inpainter(f"{__name__}:half"))


@pytest.mark.parametrize(
    "name", ["no_such_module:violet", f"{__name__}:blue", f"{__name__}:pytest"]
)
def test_what_is_no_callable_is_refused(name: str):
    with pytest.raises(UsageError, match="inpainter"):
        load_inpainter(name)
