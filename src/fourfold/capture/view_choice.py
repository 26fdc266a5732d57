"""Which cameras train and which are held out for tests, as the user says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fourfold.errors import UsageError

# What a user says instead of names to hold no camera out.
NO_CAMERA = "none"


@dataclass(frozen=True)
class ViewChoice:
    """Names of cameras that the user asked for; None where the capture's own choice holds."""

    test: tuple[str, ...] | None = None
    train: tuple[str, ...] | None = None

    @staticmethod
    def parse(test: str | None, train: str | None) -> ViewChoice:
        """Read lists of names with commas between them, "none" for no test camera.

        Raises:
            UsageError: a list without a name, or a name that is in both lists.

        >>> ViewChoice.parse("cam00, cam07", None)
        ViewChoice(test=('cam00', 'cam07'), train=None)
        >>> ViewChoice.parse("none", None)
        ViewChoice(test=(), train=None)
        """
        held_out = () if test is not None and test.strip() == NO_CAMERA else _names(test, "test")
        choice = ViewChoice(held_out, _names(train, "train"))
        both = sorted(set(choice.test or ()) & set(choice.train or ()))
        if both:
            raise UsageError(
                f"--test-cameras and --train-cameras both name {', '.join(both)}",
                expected="a camera that is tested on not to be trained on",
            )
        return choice

    def split(
        self, views: Sequence[str], held_out: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the views that train and those that are held out, each in the order of `views`.

        Args:
            views: all there are.
            held_out: what the capture itself holds out; cameras that the user wants to train on
                are not, and all that are neither held out nor chosen to train do nothing.

        Raises:
            UsageError: a name that is not a view, or no view is left to train on.
        """
        for names, option in ((self.test, "--test-cameras"), (self.train, "--train-cameras")):
            _require_known(names or (), views, option)
        wanted = set(held_out) - set(self.train or ()) if self.test is None else set(self.test)
        train = set(views) - wanted if self.train is None else set(self.train)
        if not train:
            raise UsageError(
                f"all {len(views)} cameras are held out",
                expected="at least one to train on",
                mend=f"Name fewer with --test-cameras, or give --test-cameras {NO_CAMERA}",
            )
        return tuple(v for v in views if v in train), tuple(v for v in views if v in wanted)


def _names(text: str | None, kind: str) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
    if not names:
        raise UsageError(
            f"--{kind}-cameras names no camera", expected="names with commas: cam00,cam07"
        )
    return names


def _require_known(names: Sequence[str], views: Sequence[str], option: str) -> None:
    unknown = [name for name in names if name not in views]
    if unknown:
        known = ", ".join(views[:30]) + (", …" if len(views) > 30 else "")
        raise UsageError(
            f"{option} names {', '.join(unknown)}, which is no camera of this capture",
            expected=f"some of {known}",
        )
