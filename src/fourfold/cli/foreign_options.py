"""Options of `train` that another method has than the one that is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from fourfold.cli.commands import capture_options, named_method
from fourfold.errors import UsageError
from fourfold.verbs.methods import METHODS, Method


def refuse_foreign_options(words: Sequence[str]) -> None:
    """Refuse how another method's input is read, and say what this method does in its place.

    Raises:
        UsageError: such an option is among the words of a command line.
    """
    method = named_method(words)
    if words[:1] != ["train"] or method is None:
        return
    for word in words:
        option = word.split("=")[0].replace("_", "-")
        owners = [name for name, other in METHODS.items() if option in _capture_words(other)]
        if owners and option not in _capture_words(method) | _words(method.load("config")):
            raise UsageError(
                f"{option} is an option of {', '.join(owners)}, not of {method.name}",
                mend=method.instead.get(option),
            )


def _capture_words(method: Method) -> set[str]:
    return _words(capture_options(method))


def _words(options: Any) -> set[str]:
    return {f"--{field.name.replace('_', '-')}" for field in fields(options)}
