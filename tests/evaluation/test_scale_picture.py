"""Pictures of scale sets: that valid scales are where they should be, for any number of objects."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.evaluation import scale_picture
from fourfold.evaluation.plotting import Canvas, Panel, ticks
from fourfold.evaluation.scale_picture import NETWORK, PALE, POLYTOPE
from fourfold.scene import ContestCollector, ScaleNetwork, ScaleSet
from tests.scene.scale_frames import NAN, rows


def chain(objects: int) -> ScaleSet:
    """Valid where each object is nearer than the one before, the first nearer than the wall."""
    names = ("background", *(f"thing {k}" for k in range(objects)))
    ranges = [(0.5, 1.5)] * objects
    collector = ContestCollector(names, ranges)
    for k in range(objects):
        pixel = [NAN] * (objects + 1)
        pixel[k], pixel[k + 1] = 2.0, 2.0
        collector.add(*rows(pixel, seen=[k + 1]))
    return ScaleSet(names, tuple(ranges), collector.finish())


def pixels(scale_set: ScaleSet, count: int = 20) -> np.ndarray:
    picture = scale_picture(scale_set, scale_set.sample(count))
    return np.asarray(Image.open(io.BytesIO(picture))).astype(int)


def near(image: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.abs(image - np.array(color)).max(axis=-1) < 12


def test_one_object_is_a_curve_over_its_valid_interval() -> None:
    image = pixels(chain(1))
    columns = np.flatnonzero(near(image, PALE)[150])
    # the panel is 640 wide from 74 on, from 0.47 to 1.53; valid from 0.5 to 1
    assert columns.min() == pytest.approx(74 + 640 * 0.03 / 1.06, abs=3)
    assert columns.max() == pytest.approx(74 + 640 * 0.53 / 1.06, abs=3)


def test_two_objects_are_a_map() -> None:
    image = pixels(chain(2), count=0)
    area = near(image, PALE)[113:631, 75:593]
    # the triangle below the diagonal of the lower left quarter of the box
    assert area.mean() == pytest.approx(0.125 / 1.06**2, rel=0.1)
    assert near(image, POLYTOPE).sum() > 300
    x, y = 74 + 520 * (0.8 - 0.47) / 1.06, 112 + 520 * (1.53 - 0.6) / 1.06
    assert near(image, PALE)[round(y), round(x)]


@pytest.mark.parametrize("objects", [0, 3, 8])
def test_any_number_of_objects_has_a_picture(objects: int) -> None:
    image = pixels(chain(objects))
    assert image.shape[0] <= 1400
    assert near(image, (255, 255, 255)).mean() > 0.4
    assert objects == 0 or near(image, POLYTOPE).sum() > 100


def upper_half(objects: int) -> ScaleNetwork:
    """Give a network that takes for valid where the first object is in the upper half."""
    network = ScaleNetwork(objects, hidden_layers=1, sharpness=500.0, shift=-250.0)
    first, bias, last = network.parameters()
    for weights in (first, bias, last):
        torch.nn.init.zeros_(weights)
    with torch.no_grad():
        first[0, 0] = last[0, 0] = 1.0
    return network


def test_what_the_network_takes_for_valid_is_outlined() -> None:
    for objects in (1, 2, 3):
        network, found = upper_half(objects), chain(objects)
        plain, marked = pixels(found), pixels(replace(found, network=network))
        assert near(plain, NETWORK).sum() == 0
        assert near(marked, NETWORK).sum() > 250  # the entry of the legend has 144


def test_an_empty_set_is_drawn_with_its_best() -> None:
    depths, labels = rows((NAN, 2, 1.8), (NAN, 2, 2.5), seen=[1, 2], repeat=50)
    collector = ContestCollector(("background", "a", "b"), [(0.5, 1.5)] * 2)
    collector.add(depths, labels)
    empty = ScaleSet(("background", "a", "b"), ((0.5, 1.5),) * 2, collector.finish())
    assert near(pixels(empty), PALE)[113:631, 75:593].sum() == 0


def test_values_are_placed_from_below() -> None:
    panel = Panel(Canvas(100, 100), 10, 20, 50, 40, (0.0, 2.0), (1.0, 3.0))
    assert panel.place(0.0, 1.0) == (10, 60)
    assert panel.place(2.0, 3.0) == (60, 20)
    assert panel.place(1.0, 2.0) == (35, 40)


def test_ticks_are_round() -> None:
    assert ticks((0.0, 1.0), 300) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks((0.95, 1.05), 120) == [0.95, 1.0, 1.05]
