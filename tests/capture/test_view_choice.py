"""Which cameras train and which are held out."""

from __future__ import annotations

import pytest

from fourfold.capture.view_choice import ViewChoice
from fourfold.errors import UsageError

VIEWS = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("test", "train", "expected"),
    [
        (None, None, (("b", "c", "d"), ("a",))),
        ("c,b", None, (("a", "d"), ("b", "c"))),
        ("none", None, (("a", "b", "c", "d"), ())),
        (None, "d,b", (("b", "d"), ("a",))),
        # who trains on the camera that the layout holds out does not test on it
        (None, "a,b", (("a", "b"), ())),
        ("b", "c", (("c",), ("b",))),
    ],
)
def test_views_are_split(test, train, expected):
    assert ViewChoice.parse(test, train).split(VIEWS, ("a",)) == expected


@pytest.mark.parametrize(
    ("test", "train", "message"),
    [
        ("a,b", "b,c", "both name b"),
        (" , ", None, "--test-cameras names no camera"),
        ("a,e", None, "--test-cameras names e, which is no camera.*some of a, b, c, d"),
        (None, "9", "--train-cameras names 9, which"),
        ("a,b,c,d", None, "all 4 cameras are held out"),
    ],
)
def test_choices_that_cannot_be(test, train, message):
    with pytest.raises(UsageError, match=message):
        ViewChoice.parse(test, train).split(VIEWS, ())
