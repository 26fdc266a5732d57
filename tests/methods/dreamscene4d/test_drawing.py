"""One splat of everything: whose pixels are whose, and who gets which gradient."""

from dataclasses import replace

import pytest
import torch

from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.drawing import draw_background, draw_view
from fourfold.methods.dreamscene4d.fit import Fit, start_fit
from fourfold.methods.dreamscene4d.flows import ObjectFlows
from fourfold.methods.dreamscene4d.step import _background_terms, _mask_term
from fourfold.methods.dreamscene4d.views import whole_frame
from fourfold.priors import leave_open, mirror_front
from tests.methods.dreamscene4d.clips import box, clip_of, disc, slide_shapes, tiny_camera
from tests.methods.dreamscene4d.drafts import slide_draft

CAMERAS = [tiny_camera()] * 3


def two_apart() -> Clip:
    """Two discs; the second is not in frame 2."""
    gone = torch.zeros(48, 64, dtype=torch.bool)
    frames = [[disc(18 + 2 * t, 24, 8), gone if t == 2 else disc(46, 24, 8)] for t in range(3)]
    return clip_of(frames)


def one_before_the_other(front_opacity: float) -> tuple[Clip, Fit]:
    """A large disc at depth 2 before a small one at depth 4, in the middle of the picture."""
    clip = clip_of([[disc(32, 24, 14), disc(32, 24, 5)]] * 3)
    fit = start_fit(slide_draft(clip, [2.0, 4.0], count=600), leave_open)
    with torch.no_grad():
        fit.objects["a"].surface["logit_opacities"].fill_(front_opacity)
    return clip, fit


def test_each_pixel_knows_whose_it_is():
    clip = two_apart()
    fit = start_fit(slide_draft(clip, [2.0, 3.0]), leave_open)
    for frame in (0, 1):
        weights = draw_view(fit, clip, CAMERAS, whole_frame(clip, frame)).weights.detach()
        for index in (0, 1):
            inner = clip.masks[frame, index] & (weights.sum(-1) > 0.5)
            assert float(inner.sum() / clip.areas[frame, index]) > 0.9
            assert float(weights[inner][:, index].mean()) > 0.85
            assert float(weights[clip.masks[frame, index]][:, 1 - index].max()) < 0.05
        assert float(weights.sum(-1).max()) <= 1 + 1e-5


def test_an_object_that_the_frame_does_not_show_is_not_drawn():
    clip = two_apart()
    fit = start_fit(slide_draft(clip, [2.0, 3.0]), mirror_front)
    drawing = draw_view(fit, clip, CAMERAS, whole_frame(clip, 2))
    assert drawing.names == ["a"]
    assert drawing.drawn == [0]
    assert not drawing.weights[..., 1].any()


def test_visible_sides_are_found_among_the_drawn():
    clip = two_apart()
    fit = start_fit(slide_draft(clip, [2.0, 3.0]), mirror_front)
    slices = draw_view(fit, clip, CAMERAS, whole_frame(clip, 0)).front_slices()
    background = len(fit.background["means"])
    first, second = (len(fit.objects[name].surface["means"]) for name in "ab")
    assert slices["a"] == slice(background, background + first)
    # the mirrored half of the first object lies between
    start = background + 2 * first
    assert slices["b"] == slice(start, start + second)


def test_object_views_leave_background_and_cameras_alone():
    clip = two_apart()
    fit = start_fit(slide_draft(clip, [2.0, 3.0]), leave_open)
    draw_view(fit, clip, CAMERAS, whole_frame(clip, 1)).colors.square().sum().backward()
    assert all(tensor.grad is None for tensor in fit.background.values())
    assert fit.cameras["camera_turns"].grad is None
    for moving in fit.objects.values():
        assert all(tensor.grad is not None for tensor in moving.joints.values())


def test_the_background_is_fitted_alone():
    clip = two_apart()
    fit = start_fit(slide_draft(clip, [2.0, 3.0]), leave_open)
    drawn = draw_background(fit, CAMERAS[1], whole_frame(clip, 1))
    drawn.square().sum().backward()
    assert fit.background["harmonics"].grad is not None
    turns = fit.cameras["camera_turns"].grad
    assert turns is not None
    assert turns[1].any()
    assert not turns[0].any()
    assert all(
        tensor.grad is None for each in fit.objects.values() for tensor in each.joints.values()
    )


def test_under_objects_the_background_is_not_asked():
    images, masks = slide_shapes([[(32, 24)]] * 3)
    clip = clip_of([list(mask) for mask in masks], images)
    fit = start_fit(slide_draft(clip, [2.0]), leave_open)
    view = whole_frame(clip, 0)
    terms = _background_terms(fit, clip, CAMERAS[0], view)
    red = clip.images.clone()
    red[0][clip.masks[0, 0]] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    repainted = _background_terms(fit, replace(clip, images=red), CAMERAS[0], view)
    assert {k: float(v.detach()) for k, v in terms.items()} == {
        k: float(v.detach()) for k, v in repainted.items()
    }


def gradient_of_hidden(front_opacity: float) -> float:
    clip, fit = one_before_the_other(front_opacity)
    drawing = draw_view(fit, clip, CAMERAS, whole_frame(clip, 0))
    (drawing.colors.square().sum() + drawing.weights[..., 1].sum()).backward()
    gradients = [tensor.grad for tensor in fit.objects["b"].surface.values()]
    return sum(float(gradient.norm()) for gradient in gradients if gradient is not None)


def test_where_an_object_is_hidden_the_picture_does_not_pull_at_it():
    shown, hidden = gradient_of_hidden(-9.0), gradient_of_hidden(9.0)
    assert shown > 1.0
    # between Gaussians of the front a little still shines through
    assert hidden < 0.05 * shown


def test_where_masks_overlap_is_nobodys_business():
    clip = clip_of([[box(10, 10, 20, 20), box(15, 10, 25, 20)]])
    view = whole_frame(clip, 0)
    count = 48 * 64
    # nothing drawn: 50 + 50 pixels are missed, and 2 times 50 are of both
    nothing = torch.zeros(48, 64, 2)
    assert float(_mask_term(nothing, clip, view)) == pytest.approx(100 / count)
    for owner in (0, 1):
        drawn = clip.masks[0].permute(1, 2, 0).float()
        drawn[..., owner][clip.overlap[0]] = 0
        assert float(_mask_term(drawn, clip, view)) == 0.0
    beyond = clip.masks[0].permute(1, 2, 0).float()
    beyond[40:, 40:, 0] = 1.0
    assert float(_mask_term(beyond, clip, view)) == pytest.approx(8 * 24 / count)


def test_drawn_flow_is_the_motion_in_pixels():
    images, masks = slide_shapes([[(20 + 3 * t, 24), (46, 20 + 2 * t)] for t in range(3)])
    clip = clip_of([list(mask) for mask in masks], images)
    fit = start_fit(slide_draft(clip, [2.0, 3.0]), leave_open)
    flows = ObjectFlows(clip)
    drawing = draw_view(fit, clip, CAMERAS, whole_frame(clip, 0), flows)
    assert drawing.flow is not None
    for index, motion in ((0, [3.0, 0.0]), (1, [0.0, 2.0])):
        inner = drawing.weights[..., index].detach() > 0.9
        flow = drawing.flow[inner] / drawing.weights[inner][:, index, None]
        found = flow.median(0).values.detach()
        # the visible side is up to 8 pixels of 50 nearer than the middle, so it moves a little more
        along, across = found[index], found[1 - index]
        assert 1.0 <= float(along) / max(motion) <= 1 / (1 - 8 / 50)
        assert abs(float(across)) < 0.1
        target = drawing.targets[index]
        assert target is not None
        assert target.next_frame == 1
        measured = target.flow[target.valid].median(0).values
        torch.testing.assert_close(measured, torch.tensor(motion), atol=0.3, rtol=0)


def test_the_last_frame_has_no_flow():
    clip = two_apart()
    fit = start_fit(slide_draft(clip, [2.0, 3.0]), leave_open)
    drawing = draw_view(fit, clip, CAMERAS, whole_frame(clip, 2), ObjectFlows(clip))
    assert drawing.flow is None
    drawing = draw_view(fit, clip, CAMERAS, whole_frame(clip, 1), ObjectFlows(clip))
    assert drawing.flow is not None
    assert drawing.targets[1] is None


def test_flow_skips_frames_that_do_not_show_the_object():
    gone = torch.zeros(48, 64, dtype=torch.bool)
    clip = clip_of([[disc(20, 24, 8)], [gone], [disc(30, 24, 8)]])
    target = ObjectFlows(clip).onward(0, 0)
    assert target is not None
    assert target.next_frame == 2
