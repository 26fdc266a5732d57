"""JOD: how the package is asked, and what happens without it."""

import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
import torch

from fourfold.errors import UsageError
from fourfold.evaluation import has_jod, jod

SHOWN = torch.full((4, 6, 8, 3), 100, dtype=torch.uint8)
FILMED = torch.full((4, 6, 8, 3), 120, dtype=torch.uint8)


def _stand_in() -> tuple[ModuleType, dict]:
    """Give a module in the place of pyfvvdp, and what it is asked."""
    asked: dict = {}

    class Metric:
        def __init__(self, **options):
            asked.update(options)

        def predict(self, test, reference, **options):
            asked.update(options, test=test, reference=reference)
            warnings.warn("old habits", DeprecationWarning, stacklevel=1)
            return torch.tensor(9.25), {}

    module = ModuleType("pyfvvdp")
    module.__spec__ = ModuleSpec("pyfvvdp", None)
    module.__dict__["fvvdp"] = Metric
    return module, asked


def test_the_package_gets_the_video_the_truth_and_the_rate(monkeypatch: pytest.MonkeyPatch):
    module, asked = _stand_in()
    monkeypatch.setitem(sys.modules, "pyfvvdp", module)
    assert has_jod()
    assert jod(SHOWN, FILMED, 15.0) == 9.25
    assert torch.equal(asked["test"], SHOWN)
    assert torch.equal(asked["reference"], FILMED)
    assert (asked["dim_order"], asked["frames_per_second"]) == ("FHWC", 15.0)


def test_a_video_that_is_the_truth_is_ten():
    pytest.importorskip("pyfvvdp")
    picture = torch.rand(4, 64, 96, 3, generator=torch.Generator().manual_seed(0))
    filmed = (picture * 255).byte()
    assert jod(filmed, filmed, 15.0) == pytest.approx(10.0)
    assert 5.0 < jod((picture * 200).byte(), filmed, 15.0) < 9.9


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(has_jod.__globals__, "find_spec", lambda name: None)
    assert not has_jod()
    with pytest.raises(UsageError, match="pip install pyfvvdp"):
        jod(SHOWN, FILMED, 15.0)
