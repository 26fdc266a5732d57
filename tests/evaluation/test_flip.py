"""FLIP, where its package is installed, and without it."""

import pytest
import torch

from fourfold.errors import UsageError
from fourfold.evaluation import flip, has_flip


def test_equal_images_and_the_most_different_ones():
    pytest.importorskip("flip_evaluator")
    black, white = torch.zeros(32, 32, 3), torch.ones(32, 32, 3)
    assert flip(black, black) == 0.0
    assert flip(black, white) == pytest.approx(0.967, abs=0.001)  # as its authors' program says
    assert flip(2.0 * white, white) == 0.0  # what is outside of [0, 1] is clamped


def test_a_larger_difference_is_worse():
    pytest.importorskip("flip_evaluator")
    image = torch.rand(24, 32, 3, generator=torch.Generator().manual_seed(0)) * 0.6
    errors = [flip(image + step, image) for step in (0.05, 0.1, 0.2)]
    assert 0.0 < errors[0] < errors[1] < errors[2] < 1.0


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(has_flip.__globals__, "find_spec", lambda name: None)
    assert not has_flip()
    with pytest.raises(UsageError, match="pip install flip-evaluator"):
        flip(torch.zeros(8, 8, 3), torch.zeros(8, 8, 3))
