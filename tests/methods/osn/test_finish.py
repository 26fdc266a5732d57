"""The scene of a fit: places, presence, cameras, and what is no scene."""

from dataclasses import replace

import pytest
import torch

from fourfold.capture import Capture
from fourfold.errors import ResultError
from fourfold.geometry import rigid_matrix
from fourfold.methods.osn.config import OSNConfig
from fourfold.methods.osn.finish import check_scales, corrected_cameras, finish_scene
from fourfold.methods.osn.fit import GaussianFit
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.scales import make_scale_set
from fourfold.scene import ScaleSet, Scene
from fourfold.training import check_scene
from tests.methods.osn.cards import PAIR, camera_place
from tests.methods.osn.drawn import first_fit
from tests.methods.osn.short import QUICK


@pytest.fixture(scope="module")
def fit(footage: Footage) -> GaussianFit:
    return first_fit(footage)


@pytest.fixture(scope="module")
def scale_set(footage: Footage, fit: GaussianFit) -> ScaleSet:
    return make_scale_set(fit, footage, QUICK, None, 0)


def finished(fit: GaussianFit, footage: Footage, capture: Capture, scale_set: ScaleSet) -> Scene:
    return finish_scene(fit, footage, capture, scale_set, OSNConfig())


@pytest.fixture(scope="module")
def scene(fit: GaussianFit, footage: Footage, capture: Capture, scale_set: ScaleSet) -> Scene:
    return finished(fit, footage, capture, scale_set)


def test_the_scene_has_what_it_needs(scene: Scene, capture: Capture):
    check_scene(scene)
    assert scene.object_names == PAIR.names
    assert scene.fps == capture.fps
    assert scene.num_frames == 6
    torch.testing.assert_close(scene.up, torch.tensor([0.0, -1.0, 0.0]))


@pytest.mark.parametrize("frame", [0, 3])
@pytest.mark.parametrize("body", [1, 2])
def test_bodies_stand_where_their_poses_say(scene: Scene, frame: int, body: int):
    """At scale 1 a card is 1 / unit of its way from the camera to where it truly is."""
    item = scene.objects[body]
    place = item.motion.apply(item.geometry, float(frame)).means.mean(0)
    center = item.geometry.means.mean(0)
    camera = camera_place(frame) - PAIR.place(0, frame)
    truly = PAIR.place(body, frame) - PAIR.place(0, frame)
    expected = camera + (truly - camera) / PAIR.units[body] + center
    torch.testing.assert_close(place, expected, atol=1e-4, rtol=0)


def test_true_scales_put_bodies_where_they_truly_are(scene: Scene):
    shown = scene.render(scene.cameras[0], 0.0, {"depth"}, {"blue": 2.0, "red": 1.5})["depth"]
    seen = PAIR.seen(0, 0)
    for body, depth in enumerate(PAIR.depths):
        inner = shown[seen == body]
        assert float(inner.nanmedian()) == pytest.approx(depth, rel=0.05)


def test_a_body_is_hidden_where_it_is_not_registered(
    footage: Footage, capture: Capture, scale_set: ScaleSet
):
    partly = replace(footage, bodies=(*footage.bodies[:2], PAIR.body(2, (0, 1))))
    scene = finished(first_fit(partly), partly, capture, scale_set)
    assert scene.objects[1].appearance is None
    shown = [
        float(scene.render(scene.cameras[t], float(t), {"objects"})["objects"][..., 2].max())
        for t in (0, 1, 2, 5)
    ]
    assert shown[0] > 0.8
    assert shown[1] > 0.8
    assert shown[2] < 0.05
    assert shown[3] < 0.05


def test_faint_gaussians_are_left_out(footage: Footage, capture: Capture, scale_set: ScaleSet):
    fit = first_fit(footage)
    count = len(fit.bodies[1].gaussians)
    with torch.no_grad():
        fit.bodies[1].leaves["logit_opacities"][0][:10] = -8.0
    scene = finished(fit, footage, capture, scale_set)
    assert len(scene.objects[1].geometry) == count - 10


def test_cameras_follow_the_corrections_of_the_background(footage: Footage):
    fit = first_fit(footage)
    with torch.no_grad():
        fit.bodies[0].leaves["shifts"][2].copy_(torch.tensor([3.0, 0.0, 0.0]))
    cameras = corrected_cameras(fit, footage)
    # 3 pixels of 8 / 48 each: what is seen moves to the right, so the camera has moved to the left
    step = cameras[2].position - footage.cameras[2].position
    torch.testing.assert_close(step, torch.tensor([-0.5, 0.0, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(cameras[1].position, footage.cameras[1].position)


def test_cameras_between_registered_frames_are_corrected_too(footage: Footage):
    partly = replace(footage, bodies=(PAIR.body(0, (1, 3, 5)), *footage.bodies[1:]))
    fit = first_fit(partly)
    with torch.no_grad():
        for frame in (1, 3):
            fit.bodies[0].leaves["shifts"][frame].copy_(torch.tensor([3.0, 0.0, 0.0]))
    step = corrected_cameras(fit, partly)[2].position - footage.cameras[2].position
    torch.testing.assert_close(step, torch.tensor([-0.5, 0.0, 0.0]), atol=1e-5, rtol=0)


def test_an_empty_body_is_no_result(
    fit: GaussianFit, footage: Footage, capture: Capture, scale_set
):
    scene = finished(fit, footage, capture, scale_set)
    blue = scene.objects[1]
    empty = replace(blue, geometry=blue.geometry.select(slice(0, 0)))
    with pytest.raises(ResultError, match="'blue' ended without a single Gaussian"):
        check_scene(replace(scene, objects=[scene.objects[0], empty, scene.objects[2]]))


def test_numbers_that_are_not_finite_are_no_result(
    footage: Footage, capture: Capture, scale_set: ScaleSet
):
    fit = first_fit(footage)
    with torch.no_grad():
        fit.bodies[2].leaves["means"][0][5, 1] = torch.nan
    with pytest.raises(ResultError, match="'red' ended with numbers in means"):
        check_scene(finished(fit, footage, capture, scale_set))


def test_valid_scales_pass(scene: Scene):
    check_scales(scene)


def test_a_pinned_scale_that_cannot_be_is_no_result(scene: Scene, scale_set: ScaleSet):
    """Red at most as small as blue at its least, blue pinned there, red at its greatest."""
    pinned = scale_set.pin("blue", 1.0).pin("red", 3.0)
    with pytest.raises(ResultError, match=r"no combination of scales.*lower --tau"):
        check_scales(replace(scene, scale_set=pinned))


def test_a_scene_without_objects_has_valid_scales(scene: Scene):
    check_scales(replace(scene, scale_set=None))


def test_a_camera_on_its_side_says_where_up_is(
    fit: GaussianFit, footage: Footage, capture: Capture, scale_set: ScaleSet
):
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = rigid_matrix(turn, torch.zeros(3))
    cameras = tuple(each.moved(turned @ each.camera_from_world) for each in footage.cameras)
    fits = first_fit(footage)
    fits.bodies[0].poses = turned @ fits.bodies[0].poses
    scene = finished(fits, replace(footage, cameras=cameras), capture, scale_set)
    # the picture's up, -y of the camera, is -x of the world
    torch.testing.assert_close(scene.up, torch.tensor([-1.0, 0.0, 0.0]), atol=1e-5, rtol=0)
