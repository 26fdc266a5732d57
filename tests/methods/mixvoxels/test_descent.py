"""Total variation: how often it has a say, and how strong it is in which grid."""

from types import SimpleNamespace
from typing import Any

import pytest

from fourfold.fields import VoxelField
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.descent import (
    TV_COLOR,
    TV_DENSITY,
    TV_EVERY,
    TV_RESOLUTION,
    step_layers,
)
from fourfold.methods.mixvoxels.fit import Layer

MATERIAL: Any = SimpleNamespace(config=MixVoxelsConfig())


def weights(
    longest: int, monkeypatch: pytest.MonkeyPatch, frames: int = 1
) -> list[tuple[float, float]]:
    """Give the weights of densities and of colours in each of some steps."""
    layer, taken = Layer(VoxelField.dense((longest, 2, 2), range(frames))), []
    monkeypatch.setattr(Layer, "step", lambda _, *given: taken.append(given[:2]))
    for step in range(2 * TV_EVERY):
        step_layers([layer], MATERIAL, step)
    return taken


def test_its_say_comes_every_few_steps_and_as_strong(monkeypatch: pytest.MonkeyPatch):
    taken = weights(TV_RESOLUTION, monkeypatch)
    mean = [sum(column) / len(taken) for column in zip(*taken, strict=True)]
    assert mean == pytest.approx([TV_DENSITY, TV_COLOR])
    assert [max(each) > 0 for each in taken] == [True, False, False, False] * 2


def test_in_a_finer_grid_it_is_weaker_and_in_a_coarse_one_no_stronger(
    monkeypatch: pytest.MonkeyPatch,
):
    usual = weights(TV_RESOLUTION, monkeypatch)[0][0]
    assert weights(2 * TV_RESOLUTION, monkeypatch)[0][0] == pytest.approx(usual / 4)
    assert weights(TV_RESOLUTION // 4, monkeypatch)[0][0] == pytest.approx(usual)


def test_of_movers_it_is_weaker_by_the_number_of_frames(monkeypatch: pytest.MonkeyPatch):
    usual = weights(TV_RESOLUTION, monkeypatch)[0]
    of_movers = weights(TV_RESOLUTION, monkeypatch, frames=5)[0]
    assert of_movers == pytest.approx([each / 5 for each in usual])
