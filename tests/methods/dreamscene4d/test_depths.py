"""Depths from given maps, ground contact and occlusion; nothing below the ground."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor

from fourfold.capture import Capture
from fourfold.estimators import Triangulation
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.depths import GAP, Arrangement, _respect_order, arrange_depths
from tests.methods.dreamscene4d.clips import HEIGHT, WIDTH, box, clip_of, tiny_camera

HORIZON = 0.4
HORIZON_ROW = HORIZON * HEIGHT
FOCAL = sum(tiny_camera().focal) / 2


def arrange(
    clip: Clip,
    maps: dict[int, Tensor] | None = None,
    triangulated: Triangulation | None = None,
) -> Arrangement:
    """Arrange a clip of a camera that stands still, with depth maps for some of its frames."""
    given = maps or {}
    capture = SimpleNamespace(
        has=lambda channel: channel == "depth" and bool(given), depth=given.get
    )
    cameras = [tiny_camera()] * clip.num_frames
    plate = torch.full((HEIGHT, WIDTH, 3), 0.5)
    return arrange_depths(
        cast(Capture, capture), clip, cameras, triangulated, plate, cameras[0], HORIZON
    )


def standing(left: int, bottom: int) -> Tensor:
    """A mask of 8 by 12 pixels that ends above row ``bottom``."""
    return box(left, bottom - 12, left + 8, bottom)


def test_what_stands_lower_in_the_picture_is_nearer():
    found = arrange(clip_of([[standing(10, 40), standing(40, 30)]] * 3))
    # on level ground depth is the height of the camera over the rows below the horizon
    ratio = (40 - HORIZON_ROW) / (30 - HORIZON_ROW)
    torch.testing.assert_close(found.depths[1] / found.depths[0], torch.full((3,), ratio))
    assert found.notes["objects"] == dict.fromkeys("ab", "ground contact, assumed horizon")
    assert found.notes["background"] == "assumed"
    assert found.notes["moved_by_occlusion"] == []


def test_without_a_scale_the_median_object_is_at_the_nominal_depth():
    found = arrange(clip_of([[standing(10, 40)]] * 3))
    torch.testing.assert_close(found.depths, torch.full((1, 3), 2.0))


def test_a_jump_is_not_taken_for_a_distance():
    bottoms = [40, 40, 34, 30, 34, 40]
    found = arrange(clip_of([[standing(28, bottom)] for bottom in bottoms]))
    assert float(found.depths.max() / found.depths.min()) < 1.02


def test_nothing_sinks_into_the_ground():
    bottoms = [36, 40, 44, 40, 36]
    clip = clip_of([[standing(5 + 4 * t, b), standing(40, 32)] for t, b in enumerate(bottoms)])
    found = arrange(clip)
    for t, bottom in enumerate(bottoms):
        # the row of the mask's lowest pixels sees the ground a little beyond the contact
        # and the middle of an object lies behind its contact by half its thickness
        foot = 1 + 4.5 / FOCAL
        assert float(found.depths[0, t]) <= foot * float(found.background_depth[bottom - 1, 32])
        assert float(found.depths[1, t]) <= foot * float(found.background_depth[31, 32])


def test_an_object_in_the_sky_is_undetermined_and_put_beside_the_others():
    flying = box(40, 2, 48, 12)
    found = arrange(clip_of([[standing(10, 40), flying]] * 3))
    assert found.notes["objects"]["b"] == "undetermined"
    torch.testing.assert_close(found.depths[1], found.depths[0])


def test_alone_in_the_sky_it_is_at_the_nominal_depth():
    found = arrange(clip_of([[box(40, 2, 48, 12)]] * 2))
    torch.testing.assert_close(found.depths, torch.full((1, 2), 2.0))


def test_before_a_measured_wall_it_is_halfway():
    x, y = torch.meshgrid(torch.linspace(-4, 4, 33), torch.linspace(-3, 3, 25), indexing="ij")
    wall = torch.stack([x, y, torch.full_like(x, 8.0)], -1).reshape(-1, 3)
    measured = Triangulation(wall, torch.full((len(wall),), 0.01), 5.0)
    found = arrange(clip_of([[box(40, 2, 48, 12)]] * 2), triangulated=measured)
    torch.testing.assert_close(found.depths, torch.full((1, 2), 4.0))
    assert found.notes["background"] == "triangulated"
    torch.testing.assert_close(found.background_depth, torch.full((HEIGHT, WIDTH), 8.0))


def depth_map(clip: Clip, depths: list[float], background: float = 10.0) -> Tensor:
    found = torch.full((HEIGHT, WIDTH), background)
    for mask, depth in zip(clip.masks[0], depths, strict=True):
        found[mask] = depth
    return found


def test_given_depth_maps_win():
    # by its feet the second one is the farther
    clip = clip_of([[standing(10, 40), standing(40, 30)]] * 3)
    maps = {t: depth_map(clip, [7.0, 3.0]) for t in range(3)}
    found = arrange(clip, maps)
    # maps show the surface: the middle lies behind it, by no more than half the object's width
    assert ((found.depths[0] > 7.0) & (found.depths[0] < 7.0 * (1 + 4.5 / FOCAL))).all()
    assert ((found.depths[1] > 3.0) & (found.depths[1] < 3.0 * (1 + 4.5 / FOCAL))).all()
    assert found.notes["objects"] == dict.fromkeys("ab", "depth maps")
    assert found.notes["background"] == "depth maps"
    assert float(found.background_depth.median()) == pytest.approx(10.0, rel=0.02)


def test_holes_in_depth_maps_and_frames_without_one_are_bridged():
    clip = clip_of([[standing(10, 40)]] * 4)
    holes = depth_map(clip, [7.0])
    holes[30:35, 10:18] = torch.nan
    found = arrange(clip, {1: holes, 2: torch.full((HEIGHT, WIDTH), torch.nan)})
    assert ((found.depths > 7.0) & (found.depths < 7.0 * (1 + 4.5 / FOCAL))).all()
    torch.testing.assert_close(found.depths, found.depths[:, :1].expand(1, 4))


def order_of(first_before_second: Sequence[float]) -> Tensor:
    order = torch.zeros(len(first_before_second), 2, 2)
    order[:, 0, 1] = torch.tensor(list(first_before_second))
    return order - order.mT


def pair_clip(frames: int) -> Clip:
    return clip_of([[standing(10, 40), standing(40, 40)]] * frames)


def test_the_object_behind_is_moved_back():
    depths = torch.tensor([[3.0, 3.0], [2.0, 4.0]])
    found, moved = _respect_order(depths, order_of([1, 0]), pair_clip(2), ["contact"] * 2, False)
    assert moved == ["a before b"]
    torch.testing.assert_close(found[0], depths[0])
    torch.testing.assert_close(found[1], depths[1] * 1.5 * GAP)


def test_on_a_measured_ground_the_one_in_front_comes_nearer():
    depths = torch.tensor([[3.0, 3.0], [2.0, 4.0]])
    found, _ = _respect_order(depths, order_of([1, 0]), pair_clip(2), ["contact"] * 2, True)
    torch.testing.assert_close(found[0], depths[0] / 1.5 / GAP)
    torch.testing.assert_close(found[1], depths[1])


def test_of_a_pair_the_undetermined_one_is_moved():
    depths = torch.tensor([[3.0], [2.0]])
    found, _ = _respect_order(
        depths, order_of([1]), pair_clip(1), ["undetermined", "contact"], False
    )
    torch.testing.assert_close(found, torch.tensor([[2.0 / GAP], [2.0]]))


def test_what_is_in_order_or_untold_stays():
    depths = torch.tensor([[1.95, 3.0], [2.0, 2.0]])
    for order in ([1, 0], [0, 0]):
        found, moved = _respect_order(depths, order_of(order), pair_clip(2), ["contact"] * 2, False)
        assert torch.equal(found, depths)
        assert moved == []


def test_the_majority_of_frames_decides():
    depths = torch.tensor([[2.0] * 3, [2.0] * 3])
    found, moved = _respect_order(
        depths, order_of([1, -1, -1]), pair_clip(3), ["contact"] * 2, False
    )
    assert moved == ["b before a"]
    assert (found[0] > found[1]).all()


def test_what_hides_another_object_is_put_before_it():
    # the feet say that `a` is the nearer, but `b` passes before it
    masks = []
    for left in (40, 34, 12, 8):
        front = box(left, 10, left + 8, 28)
        masks.append([box(8, 12, 20, 40) & ~front, front])
    found = arrange(clip_of(masks))
    assert found.notes["moved_by_occlusion"] == ["b before a"]
    assert (found.depths[1, 2:] < found.depths[0, 2:]).all()
