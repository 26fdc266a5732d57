"""Dataclasses to and from the plain YAML that a run's settings are stored as."""

import contextlib
import dataclasses
import enum
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from fourfold.errors import InputError

Config = TypeVar("Config")


def to_plain(value: Any) -> Any:
    """Turn a dataclass, nested as it may be, into what YAML and JSON can hold.

    Paths become strings, enumerations their names, tuples lists.

    Raises:
        TypeError: a value has no plain form.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no plain form")


def from_plain(kind: type[Config], plain: Any, *, path: Path | None = None) -> Config:
    """Build a dataclass from what `to_plain` made of one; a key left out takes its default.

    Args:
        path: the file it came from, named in errors.

    Raises:
        InputError: an unknown key, a missing one without a default, a value of another type.
    """
    return _read(kind, plain, "", path)


def first_difference(old: Any, new: Any, name: str = "") -> tuple[str, Any, Any] | None:
    """Find the first setting in which two plain structures differ: its dotted name and values.

    >>> first_difference({"move": {"steps": 10}}, {"move": {"steps": 20}})
    ('move.steps', 10, 20)
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            inner = f"{name}.{key}" if name else str(key)
            found = first_difference(old.get(key), new.get(key), inner)
            if found is not None:
                return found
        return None
    return None if old == new else (name, old, new)


def read_yaml(path: Path) -> Any:
    """Read a YAML file by the safe loader.

    Raises:
        InputError: it is missing or not YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise InputError("cannot be read", path=path) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f" (line {mark.line + 1})"
        raise InputError(f"not valid YAML{place}", path=path) from error


def write_yaml(plain: Any) -> str:
    """Write plain values as YAML text, keys in their own order."""
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """The safe loader, which also takes 1e-3 for the number it is in YAML 1.2."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _read(kind: Any, plain: Any, name: str, path: Path | None) -> Any:
    """Read a plain value as the annotated type `kind`."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_dataclass(kind, plain, name, path)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _read(arguments[0], plain, name, path)
    if origin in (typing.Union, types.UnionType):
        return _read_union(arguments, plain, name, path)
    if origin is typing.Literal:
        return plain if plain in arguments else _refuse(kind, plain, name, path)
    if origin in (tuple, list):
        return _read_sequence(kind, plain, name, path)
    if origin is dict and isinstance(plain, dict):
        return {
            key: _read(arguments[1], item, f"{name}.{key}", path) for key, item in plain.items()
        }
    return _read_scalar(kind, plain, name, path)


def _read_dataclass(kind: Any, plain: Any, name: str, path: Path | None) -> Any:
    if not isinstance(plain, Mapping):
        return _refuse(kind, plain, name, path)
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    for key in plain:
        if key not in fields:
            raise InputError(
                f"unknown setting {_dotted(name, str(key))!r}",
                path=path,
                expected=f"one of {', '.join(fields)}",
            )
    for key, field in fields.items():
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and key not in plain:
            raise InputError(f"setting {_dotted(name, key)!r} is missing", path=path)
    return kind(
        **{key: _read(hints[key], item, _dotted(name, key), path) for key, item in plain.items()}
    )


def _read_union(arguments: tuple[Any, ...], plain: Any, name: str, path: Path | None) -> Any:
    if plain is None and type(None) in arguments:
        return None
    choices = [argument for argument in arguments if argument is not type(None)]
    if len(choices) == 1:
        return _read(choices[0], plain, name, path)
    for choice in choices:
        with contextlib.suppress(InputError):
            return _read(choice, plain, name, path)
    return _refuse(" or ".join(map(_spell, choices)), plain, name, path)


def _read_sequence(kind: Any, plain: Any, name: str, path: Path | None) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if not isinstance(plain, list):
        return _refuse(kind, plain, name, path)
    if origin is list or arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(plain)
    if len(arguments) != len(plain):
        return _refuse(kind, plain, name, path)
    items = (
        _read(argument, item, f"{name}[{index}]", path)
        for index, (argument, item) in enumerate(zip(arguments, plain, strict=True))
    )
    return origin(items)


def _read_scalar(kind: Any, plain: Any, name: str, path: Path | None) -> Any:
    if kind is Any:
        return plain
    if kind is None or kind is type(None):
        return None if plain is None else _refuse("nothing", plain, name, path)
    if kind is float and isinstance(plain, int | float) and not isinstance(plain, bool):
        return float(plain)
    if kind is Path and isinstance(plain, str):
        return Path(plain)
    if isinstance(kind, enum.EnumType) and isinstance(plain, str) and plain in kind.__members__:
        return kind.__members__[plain]
    # bool is an int to Python, and not to a user.
    if isinstance(kind, type) and type(plain) is kind:
        return plain
    return _refuse(kind, plain, name, path)


def _refuse(kind: Any, plain: Any, name: str, path: Path | None) -> Any:
    what = f"setting {name!r}" if name else "the settings"
    raise InputError(f"{what} cannot be {plain!r}", path=path, expected=_spell(kind))


def _spell(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(repr(argument) for argument in typing.get_args(kind))
    if dataclasses.is_dataclass(kind):
        return "a mapping of settings"
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)


def _dotted(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
