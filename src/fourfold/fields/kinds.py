"""Kinds of a thing by the names that saved scenes know them by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from torch import Tensor


class Named(Protocol):
    """What has a kind."""

    kind: ClassVar[str]


Thing = TypeVar("Thing", bound=Named)


class Kinds(Generic[Thing]):
    """The kinds of a thing, which `noun` names in messages."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._types: dict[str, type[Thing]] = {}

    def add(self, thing: type[Thing]) -> None:
        """Make a kind known, by its name."""
        self._types[thing.kind] = thing

    def named(self, config: Mapping[str, Any]) -> type[Thing]:
        """Find the kind that a saved scene writes down.

        Raises:
            ValueError: it is unknown.
        """
        kind = config.get("kind")
        if kind not in self._types:
            known = sorted(self._types)
            raise ValueError(f"unknown kind of {self._noun} {kind!r}; known are {known}")
        return self._types[kind]

    def build(self, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Thing:
        """Build one of a kind that is a dataclass of tensors.

        Raises:
            ValueError: an unknown kind, or tensors that do not make up that kind.
        """
        found: Any = self.named(config)
        names = {field.name for field in fields(found) if field.init}
        if names != tensors.keys():
            what = f"a {found.kind} {self._noun}"
            raise ValueError(f"{what} has {sorted(names)}, not {sorted(tensors)}")
        return found(**tensors)
