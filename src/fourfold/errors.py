"""What can be wrong with an input, an option or a result, named.

Every error carries what a user needs to mend it: the file, the frame, what was expected, the mend.
The command line prints `str(error)` on one line and exits with `exit_code`, without a traceback.
"""

from __future__ import annotations

import math
from os import PathLike, fspath


class FourfoldError(Exception):
    """Be the base of every error that Fourfold raises on purpose."""

    exit_code = 1


class InputError(FourfoldError):
    """Say that something the user gave cannot be used.

    Args:
        message: what is wrong, a phrase without a full stop.
        path: the file or folder it was found in.
        frame: name (or index) of the frame.
        expected: what should have been there, a noun phrase.
        mend: what the user can do, a sentence in the imperative.

    >>> str(InputError("mask is 4x4", path="a.png", frame="00012", expected="8x8"))
    'a.png, frame 00012: mask is 4x4; expected 8x8.'
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: str | PathLike[str] | None = None,
        frame: str | int | None = None,
        expected: str | None = None,
        mend: str | None = None,
    ) -> None:
        self.message = message
        self.path = None if path is None else fspath(path)
        self.frame = None if frame is None else str(frame)
        self.expected = expected
        self.mend = mend
        super().__init__(message)

    def __str__(self) -> str:
        place = [] if self.path is None else [self.path]
        if self.frame is not None:
            place.append(f"frame {self.frame}")
        text = f"{', '.join(place)}: {self.message}" if place else self.message
        if self.expected is not None:
            text = f"{text}; expected {self.expected}"
        text = f"{text.rstrip('.')}."
        return text if self.mend is None else f"{text} {self.mend.rstrip('.')}."


class UsageError(InputError):
    """Say that options do not fit together, or do not fit what is already there."""


class OutputError(InputError):
    """Say that a result cannot be written: no permission, no space, a file in the way."""


class MissingDependencyError(InputError):
    """Say that an optional package is not installed, and how to get it.

    >>> print(MissingDependencyError("the viewer", package="viser", extra="view"))
    the viewer needs the package viser, which is not installed. Run: pip install "fourfold[view]"
    (in a clone: pip install -c constraints.txt -e ".[view]").
    """

    def __init__(self, feature: str, *, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{feature} needs the package {package}, which is not installed",
            mend=f'Run: pip install "fourfold[{extra}]" (in a clone: '
            f'pip install -c constraints.txt -e ".[{extra}]")',
        )


class ResultError(FourfoldError):
    """Say that a run ended with a result that fails its own checks (NaN, empty scene)."""


def check_ranges(*settings: tuple[str, float, float, float]) -> None:
    """Check numbers that a user may set; each is (name of the option, value, least, most).

    `most` may be infinite; a value may not.

    Raises:
        UsageError: a value is out of its range, or is not finite.

    >>> check_ranges(("loop.frames", 120, 2, 3600), ("speed", 1.5, 0.0, math.inf))
    """
    for name, value, least, most in settings:
        if not (least <= value <= most and math.isfinite(value)):
            expected = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
            raise UsageError(f"--{name} is {value}", expected=expected)
