"""How regions move: by hints, by a given field, or by what several views say."""

from dataclasses import replace

import pytest
import torch

from fourfold.errors import InputError, UsageError
from fourfold.estimators import LandscapeDepth, estimate_landscape_depth
from fourfold.methods.mom.config import MOMConfig
from fourfold.methods.mom.motion import find_motion
from fourfold.methods.mom.photo import Photo, read_photo
from tests.methods.mom.brook import HEIGHT, NEAR_HINT, WIDTH, brook_capture, brook_mask, sky_mask

CONFIG = MOMConfig()


def _field(x: float, y: float) -> torch.Tensor:
    return torch.tensor([x, y]).expand(HEIGHT, WIDTH, 2).clone()


def _known(**changes) -> tuple[Photo, LandscapeDepth]:
    photo = read_photo(brook_capture(**changes))
    return photo, estimate_landscape_depth(photo.image, photo.camera, photo.regions)


@pytest.mark.parametrize("motion", ["field", "multiview"])
def test_hints_are_followed_at_their_speed(motion):
    found = find_motion(*_known(), replace(CONFIG, motion=motion))
    assert found.names == ["motion"]
    assert torch.equal(found.masks[0], brook_mask())
    assert not bool(found.velocity[~brook_mask()].any())
    # the near hint: 14 pixels in 50 frames
    middle = found.velocity[53, 48]
    torch.testing.assert_close(middle, torch.tensor([0.0, 0.28]), atol=0.02, rtol=0)
    (entry,) = found.report
    assert (entry["region"], entry["hints"]) == ("motion", ["hint_0", "hint_1"])
    assert ("multiview_flow_epe" in found.figures) == (motion == "multiview")
    assert all(figure < 0.1 for figure in found.figures.values())


def test_the_speed_is_a_factor():
    known = _known()
    once, thrice = (find_motion(*known, replace(CONFIG, speed=speed)) for speed in (1.0, 3.0))
    torch.testing.assert_close(thrice.velocity, 3.0 * once.velocity)


def test_a_given_field_counts_before_hints():
    found = find_motion(*_known(motion_field=_field(0.5, 0.25)), CONFIG)
    inner = found.velocity[40:60, 36:60]
    torch.testing.assert_close(inner, torch.tensor([0.5, 0.25]).expand_as(inner))
    assert not bool(found.velocity[~brook_mask()].any())
    assert found.report == ()


def test_what_a_field_does_not_know_does_not_move_by_nan():
    photo, landscape = _known(motion_field=_field(0.5, 0.25))
    assert photo.field is not None
    spoiled = photo.field.clone()
    spoiled[45:48, 40:44] = torch.nan
    found = find_motion(replace(photo, field=spoiled), landscape, CONFIG)
    assert bool(found.velocity.isfinite().all())


def test_a_field_of_nothing_moves_nothing():
    photo, landscape = _known(motion_field=_field(0.0, 0.0))
    with pytest.raises(InputError, match="the motion field rests in all moving regions"):
        find_motion(photo, landscape, CONFIG)


def test_several_views_need_hints():
    known = _known(motion_field=_field(0.5, 0.25))
    with pytest.raises(UsageError, match="multiview with a motion field; expected hints"):
        find_motion(*known, replace(CONFIG, motion="multiview"))


def test_parts_of_one_region_have_names_of_their_own():
    two = brook_mask()
    two[:, 46:50] = False
    left, right = ((40.0, 40.0), (40.0, 46.0)), ((57.0, 46.0), (57.0, 52.0))
    found = find_motion(*_known(regions={"motion_brook": two}, hints=[left, right]), CONFIG)
    assert found.names == ["motion_brook", "motion_brook-2"]
    assert torch.equal(found.masks.any(0), two)
    assert not bool(found.masks.all(0).any())


def test_parts_of_a_region_do_not_take_the_name_of_another_that_was_drawn():
    left, right = brook_mask(), brook_mask()
    left[:, 46:], right[:, :50] = False, False
    left[:, 34:36] = False
    regions = {"motion": left, "motion-2": right}
    names = find_motion(*_known(motion_field=_field(0.5, 0.25), regions=regions), CONFIG).names
    assert sorted(names) == ["motion", "motion-2", "motion-3"]


def test_where_nothing_moves_there_is_no_region():
    cloud = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    cloud[4:10, 20:60] = True
    regions = {"motion_0": brook_mask(), "motion_1": cloud, "sky": sky_mask()}
    found = find_motion(*_known(regions=regions), CONFIG)
    # clouds take no motion from a brook
    assert found.names == ["motion_0"]
    notes = {entry["region"]: entry["note"] for entry in found.report}
    assert "it stands still" in notes["motion_1"]


def test_hints_out_of_reach_are_named():
    away = ((8.0, 50.0), (8.0, 60.0))
    found = find_motion(*_known(hints=[NEAR_HINT, away]), CONFIG)
    assert found.unused_hints == ["hint_1"]
    with pytest.raises(InputError, match="none of the 1 hints lies in or near a moving region"):
        find_motion(*_known(hints=[away]), CONFIG)


def test_what_is_not_known_is_none_in_the_report():
    other = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    other[46:60, 19:29] = True
    found = find_motion(*_known(regions={"motion_0": brook_mask(), "motion_1": other}), CONFIG)
    borrowed = next(entry for entry in found.report if entry["region"] == "motion_1")
    assert borrowed["solver"] == "borrowed"
    assert (borrowed["hint_angle"], borrowed["hints"]) == (None, [])
