"""Drawing scenes: what is asked for, with numbers known by hand."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from fourfold.errors import UsageError
from fourfold.geometry import Camera
from fourfold.scene import (
    OUTPUTS,
    Appearance,
    Gaussians,
    RigidMotion,
    Scene,
    SceneObject,
    StaticMotion,
)

MakeGaussians = Callable[..., Gaussians]

# 48x32 pixels, focal length 40, axis through the middle
CAMERA = Camera(torch.eye(4), torch.tensor([[40.0, 0, 24.0], [0, 40.0, 16.0], [0, 0, 1.0]]), 48, 32)
RED, BLUE = torch.tensor([0.9, 0.1, 0.2]), torch.tensor([0.1, 0.3, 0.8])
MIDDLE = (16, 24)


def sheet(depth: float, color: torch.Tensor, half_width: float, opacity: float = 0.99) -> Gaussians:
    """Make a sheet of flat Gaussians that face the camera and overlap."""
    steps = torch.linspace(-half_width, half_width, 21)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    means = torch.stack((x, y, torch.full_like(x, depth)), dim=-1).flatten(0, 1)
    gap = float(steps[1] - steps[0])
    return Gaussians.from_colors(
        means,
        color.expand(441, 3),
        torch.tensor([[gap, gap, 1e-4]]).expand(441, 3),
        torch.full((441,), opacity),
    )


def moving(velocity: list[float]) -> RigidMotion:
    times = torch.tensor([0.0, 4.0])
    still = RigidMotion.at_rest(times)
    return replace(still, translations=times.unsqueeze(1) * torch.tensor(velocity))


@pytest.fixture
def scene() -> Scene:
    """Return a small red sheet at depth 2 that moves before a blue wall at depth 8."""
    return Scene(
        objects=[
            SceneObject("background", sheet(8.0, BLUE, 8.0), StaticMotion()),
            SceneObject("card", sheet(2.0, RED, 0.4), moving([0.1, -0.05, 0.0])),
        ],
        cameras=[CAMERA] * 5,
    )


def test_only_what_is_asked_for_comes_back(scene: Scene):
    shapes = {"rgb": (3,), "depth": (), "alpha": (), "objects": (2,), "flow": (2,)}
    everything = scene.render(CAMERA, 0.0, OUTPUTS)
    assert {name: tuple(value.shape[2:]) for name, value in everything.items()} == shapes
    for name in OUTPUTS:
        one = scene.render(CAMERA, 0.0, {name})
        assert list(one) == [name]
        assert one[name].shape == (32, 48, *shapes[name])
        assert_close(one[name], everything[name], equal_nan=True)


def test_the_near_sheet_hides_the_far_one(scene: Scene):
    seen = scene.render(CAMERA, 0.0, {"rgb", "objects", "depth", "alpha"})
    assert_close(seen["rgb"][MIDDLE], RED, atol=0.01, rtol=0)
    assert_close(seen["rgb"][2, 2], BLUE, atol=0.01, rtol=0)
    assert_close(seen["objects"][MIDDLE], torch.tensor([0.0, 1.0]), atol=0.01, rtol=0)
    assert_close(seen["objects"][2, 2], torch.tensor([1.0, 0.0]), atol=0.01, rtol=0)
    assert seen["depth"][MIDDLE].item() == pytest.approx(2.0, abs=0.03)
    assert seen["depth"][2, 2].item() == pytest.approx(8.0, abs=0.01)
    assert_close(seen["objects"].sum(-1), seen["alpha"])


def test_flow_of_a_sliding_object_by_hand(scene: Scene):
    # (0.1, -0.05) a frame at depth 2 with focal length 40 is (2, -1) pixels; the wall stands
    seen = scene.render(CAMERA, 1.0, {"flow", "objects"})
    card = seen["objects"][..., 1] > 0.999
    assert card.sum() > 100
    expected = torch.tensor([2.0, -1.0])
    assert_close(seen["flow"][card], expected.expand(int(card.sum()), 2), atol=0.01, rtol=0)
    assert_close(seen["flow"][2, 2], torch.zeros(2))


def test_flow_of_an_approaching_object_by_hand(scene: Scene):
    dot = Gaussians.from_colors(
        torch.tensor([[0.2, 0.1, 2.0]]), RED[None], torch.tensor([[0.05]]), torch.tensor([0.9])
    )
    near = SceneObject("dot", dot, moving([0.0, 0.0, -0.4]))
    seen = replace(scene, objects=[near]).render(CAMERA, 0.0, {"flow", "alpha"})
    # from depth 2 to 1.6: 40 * (0.2, 0.1) * (1 / 1.6 - 1 / 2)
    drawn = seen["alpha"] > 0.0
    assert drawn.sum() > 9
    assert_close(seen["flow"][drawn], torch.tensor([1.0, 0.5]).expand(int(drawn.sum()), 2))


def test_flow_is_a_mean_over_what_is_seen_not_dimmed_by_transparency(scene: Scene):
    card = SceneObject("card", sheet(2.0, RED, 0.4, opacity=0.05), moving([0.1, 0.0, 0.0]))
    seen = replace(scene, objects=[card]).render(CAMERA, 0.0, {"flow", "alpha", "depth"})
    assert seen["alpha"][MIDDLE] < 0.5
    assert_close(seen["flow"][MIDDLE], torch.tensor([2.0, 0.0]))
    assert seen["depth"][MIDDLE].isnan()
    assert_close(seen["flow"][0, 0], torch.zeros(2))


def test_flow_of_a_moving_camera_and_to_another_time(scene: Scene):
    pose = torch.eye(4)
    pose[0, 3] = -0.2  # the next camera stands 0.2 further right
    seen = scene.render(CAMERA, 0.0, {"flow"}, next_camera=CAMERA.moved(pose), next_time=2.0)
    # wall: -0.2 * 40 / 8; card: (0.2 - 0.2, -0.1) * 40 / 2
    assert_close(seen["flow"][2, 2], torch.tensor([-1.0, 0.0]), atol=0.01, rtol=0)
    assert_close(seen["flow"][MIDDLE], torch.tensor([0.0, -2.0]), atol=0.03, rtol=0)


def test_what_passes_behind_the_camera_does_not_spoil_the_flow(scene: Scene):
    card = SceneObject("card", sheet(0.5, RED, 0.1), moving([0.0, 0.0, -0.5]))
    flow = replace(scene, objects=[card]).render(CAMERA, 0.0, {"flow"})["flow"]
    assert flow.isfinite().all()


def test_the_background_colour_fills_what_is_empty_in_the_picture_only(scene: Scene):
    green = torch.tensor([0.0, 1.0, 0.0])
    empty = replace(scene, objects=scene.objects[1:], background_color=green)
    seen = empty.render(CAMERA, 0.0, OUTPUTS)
    assert_close(seen["rgb"][0, 0], green)
    assert seen["alpha"][0, 0] == 0.0
    assert seen["objects"][0, 0, 0] == 0.0
    assert seen["depth"][0, 0].isnan()


def test_scaling_about_the_camera_changes_the_depth_and_not_the_picture(scene: Scene):
    shifted = torch.eye(4)
    shifted[:3, 3] = torch.tensor([-0.3, 0.1, 0.2])
    camera = CAMERA.moved(shifted)
    scene = replace(scene, cameras=[camera] * 5)
    before = scene.render(camera, 2.0, {"rgb", "depth", "flow"})
    after = scene.render(camera, 2.0, {"rgb", "depth", "flow"}, scales={"card": 1.5})
    assert_close(after["rgb"], before["rgb"], atol=2e-3, rtol=0)
    assert_close(after["flow"][MIDDLE], before["flow"][MIDDLE], atol=2e-3, rtol=0)
    assert_close(after["depth"][MIDDLE], 1.5 * before["depth"][MIDDLE], atol=0.02, rtol=0)
    far = scene.at(2.0, scales={"card": 1.5})[1]
    near = scene.at(2.0)[1]
    assert_close(far.log_scales, near.log_scales + math.log(1.5))


def test_view_dependent_colour_is_seen_from_where_the_camera_is(scene: Scene):
    card = sheet(2.0, torch.full((3,), 0.5), 0.4)
    harmonics = torch.zeros(len(card), 4, 3)
    harmonics[:, 2] = 1.0  # brighter where the ray goes towards +z
    card = replace(card, harmonics=harmonics)
    shown = replace(scene, objects=[SceneObject("card", card, StaticMotion())])
    lit = shown.render(CAMERA, 0.0, {"rgb"})["rgb"][MIDDLE]
    assert_close(lit, torch.full((3,), 0.5 + math.sqrt(3 / (4 * math.pi))), atol=0.01, rtol=0)
    behind = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    behind[2, 3] = 4.0  # stands at z = 4 and looks back
    dark = shown.render(CAMERA.moved(behind), 0.0, {"rgb"})["rgb"][MIDDLE]
    assert_close(dark, torch.full((3,), 0.5 - math.sqrt(3 / (4 * math.pi))), atol=0.01, rtol=0)


def test_a_looping_scene_repeats(full_scene: Scene):
    once, again = full_scene.at(0.75), full_scene.at(0.75 + full_scene.period * 2)  # pyright: ignore[reportOptionalOperand]
    for one, other in zip(once, again, strict=True):
        assert_close(one.means, other.means)
    assert full_scene.camera_at(3.0) is full_scene.cameras[0]


def test_appearance_over_time_is_drawn(scene: Scene):
    card = scene.objects[1]
    fading = Appearance(
        torch.tensor([0.0, 4.0]),
        torch.tensor([[0.0], [1.0]]),
        torch.tensor([[[0.0, 0.0, 0.0, -20.0]]]).expand(441, 1, 4),
    )
    faded = replace(scene, objects=[scene.objects[0], replace(card, appearance=fading)])
    assert_close(faded.render(CAMERA, 0.0)["rgb"], scene.render(CAMERA, 0.0)["rgb"])
    assert_close(faded.render(CAMERA, 4.0)["rgb"][MIDDLE], BLUE, atol=0.01, rtol=0)


def test_gradients_reach_geometry_motion_and_pose(scene: Scene):
    card = scene.objects[1]
    assert isinstance(card.motion, RigidMotion)
    translations = card.motion.translations.clone().requires_grad_()
    means = card.geometry.means.clone().requires_grad_()
    pose = torch.eye(4, requires_grad=True)
    learnt = replace(
        card,
        geometry=replace(card.geometry, means=means),
        motion=replace(card.motion, translations=translations),
    )
    seen = replace(scene, objects=[scene.objects[0], learnt]).render(
        CAMERA.moved(pose), 1.0, {"rgb", "flow"}
    )
    (seen["rgb"].square().sum() + seen["flow"].square().sum()).backward()
    for tensor in (translations, means, pose):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().sum() > 0


def test_a_scene_moves_in_inference_mode(full_scene: Scene):
    expected = full_scene.object("worm").at(1.0).means
    with torch.inference_mode():
        worm = full_scene.object("worm")
        copy = SceneObject("worm", worm.geometry.select(slice(None)), worm.motion)
        assert torch.equal(copy.at(1.0).means, expected)


def test_centres_moved_in_place_are_skinned_anew(full_scene: Scene):
    worm = full_scene.object("worm")
    assert isinstance(worm, SceneObject)
    worm.at(0.0)
    worm.geometry.means.add_(5.0)
    fresh = SceneObject("worm", worm.geometry, worm.motion)
    assert torch.equal(worm.at(1.0).means, fresh.at(1.0).means)
    assert worm._binding() is worm._binding()


def test_wrong_questions_are_refused(scene: Scene):
    with pytest.raises(UsageError, match="unknown output normals"):
        scene.render(CAMERA, 0.0, {"normals"})
    with pytest.raises(UsageError, match="unknown output"):
        scene.render(CAMERA, 0.0, ())
    with pytest.raises(UsageError, match=r"no object 'dog'.*background or card"):
        scene.render(CAMERA, 0.0, {"rgb"}, scales={"dog": 2.0})
    with pytest.raises(UsageError, match="not positive"):
        scene.at(0.0, scales={"card": 0.0})
    with pytest.raises(ValueError, match="ideal lenses"):
        scene.render(replace(CAMERA, distortion=(0.1, 0.0, 0.0, 0.0)), 0.0)


def test_scenes_that_make_no_sense_are_refused(scene: Scene):
    background, card = scene.objects
    for objects, says in (
        ([], "needs an object"),
        ([card, card], "two objects of one name"),
        ([card, background], "background must come first"),
    ):
        with pytest.raises(ValueError, match=says):
            replace(scene, objects=objects)
    with pytest.raises(ValueError, match="fps"):
        replace(scene, fps=0.0)
    with pytest.raises(ValueError, match="is not a range"):
        replace(card, scale_range=(2.0, 1.0))
