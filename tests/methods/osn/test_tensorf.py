"""Bodies as fields: boxes and rays by hand, what is learned of the cards, resuming, the scene."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import fourfold as ff
from fourfold.capture import Capture
from fourfold.fields import BoxSpace
from fourfold.methods.osn import tensorf
from fourfold.methods.osn.config import NetworkConfig, OSNConfig, TensorConfig
from fourfold.methods.osn.finish import finish_scene
from fourfold.methods.osn.footage import UNKNOWN, Footage
from fourfold.methods.osn.layers import draw_layers
from fourfold.methods.osn.scales import make_scale_set
from fourfold.methods.osn.tensorf import TensorGeometry, grid_of
from fourfold.methods.osn.tensorf_body import TensorFit
from fourfold.methods.osn.tensorf_rays import (
    choose_frames,
    choose_pixels,
    free_masks,
    key_depths,
    make_batch,
    seen_masks,
)
from fourfold.scene import Scene, VolumeObject
from fourfold.training import Progress, flatten, unflatten
from tests.methods.osn.cards import FOCAL, PAIR

TRUE = torch.tensor([1.0, 2.0, 1.5])
SETTINGS = TensorConfig(
    iterations=40, rounds=1, iterations_per_round=4, rays=600, resolution=32, depth_weight=1.0
)
CONFIG = OSNConfig(geometry="tensorf", tensorf=SETTINGS, network=NetworkConfig(iterations=0))


def _start(footage: Footage, config: OSNConfig = CONFIG) -> tuple[TensorGeometry, TensorFit]:
    geometry = TensorGeometry(footage, config)
    with Progress(footage.num_bodies, "start") as bar:
        return geometry, geometry.start(bar)


@pytest.fixture(scope="module")
def trained(footage: Footage) -> tuple[TensorGeometry, TensorFit]:
    geometry, fit = _start(footage)
    for step in range(SETTINGS.iterations):
        geometry.bootstrap_step(fit, step)
    geometry.begin_round(fit)
    return geometry, fit


def test_voxels_are_about_cubes():
    space = BoxSpace(torch.zeros(3), torch.tensor([4.0, 2.0, 0.1]))
    assert grid_of(space, 64) == (64, 32, 8)


def test_a_body_lies_inside_its_box(footage: Footage):
    _, fit = _start(footage)
    for index, body in enumerate(fit.bodies[1:], 1):
        half = torch.tensor([*PAIR.half, 0.0]) / PAIR.units[index]
        # a tenth of the longest side more, and half a pixel
        expected = half + 0.2 * half[0]
        torch.testing.assert_close(body.space.high, expected, atol=0.05, rtol=0)
        torch.testing.assert_close(body.space.low, -expected, atol=0.05, rtol=0)


def test_every_frame_comes_before_any_comes_again(footage: Footage):
    frames = choose_frames(footage, 0, 0, "x") + choose_frames(footage, 1, 0, "x")
    assert set(frames) == set(range(6))


def test_pixels_are_drawn_among_the_marked_ones():
    masks = torch.zeros(2, 3, 4, dtype=torch.bool)
    masks[1, 2, 3] = True
    assert choose_pixels(masks, 2, torch.Generator()).tolist() == [[1, 2, 3], [1, 2, 3]]
    assert len(choose_pixels(torch.zeros_like(masks), 5, torch.Generator())) == 0


def test_distances_are_those_along_the_ray(footage: Footage):
    frames = [2]
    depths = torch.full((1, 36, 48), 3.0), torch.ones(1, 36, 48)
    batch = make_batch(footage, frames, torch.tensor([[0, 17, 47], [0, 0, 0]]), depths)
    x, y = (47 - 24) / FOCAL, (17 - 18) / FOCAL  # OSN's pixels have whole centres
    assert batch.distances[0].item() == pytest.approx(3 * (1 + x * x + y * y) ** 0.5, rel=1e-5)
    torch.testing.assert_close(batch.colors[1], footage.image(2)[0, 0])
    assert batch.frames.tolist() == [2, 2]
    assert batch.labels.tolist() == footage.labels[2][[17, 0], [47, 0]].tolist()


def test_key_points_give_depths_where_their_body_is_seen(footage: Footage):
    depths, weights = key_depths(footage, [0, 1])
    for index in range(3):
        there = depths.isfinite() & (footage.labels[:2] == index)
        expected = PAIR.depths[index] / PAIR.units[index]
        torch.testing.assert_close(depths[there], torch.full_like(depths[there], expected))
    assert bool((weights > 0).eq(depths.isfinite()).all())


def test_where_an_object_is_not_is_asked_within_its_box_alone(footage: Footage):
    _, fit = _start(footage)
    free = free_masks(footage, 2, [0], fit.bodies[2].space)[0]
    rows, columns = torch.nonzero(seen_masks(footage, 2, [0])[0]).unbind(1)
    assert bool((footage.labels[0][free] == 0).all())
    assert 0 < int(free.sum()) < 0.5 * int((footage.labels[0] == 0).sum())
    places = torch.nonzero(free)
    assert int(places[:, 0].min()) <= int(rows.min())
    assert int(places[:, 1].max()) >= int(columns.max())
    assert not free_masks(footage, 0, [0], fit.bodies[0].space).any()


def test_layers_of_trained_fields_are_the_true_ones(footage: Footage, trained):
    _, fit = trained
    layers, true = draw_layers(fit, footage, 1), PAIR.layers(1, 1)
    for index in range(3):
        both = layers[index].isfinite() & true[index].isfinite()
        expected = PAIR.depths[index] / PAIR.units[index]
        assert float(both.sum()) > 0.8 * float((footage.labels[1] == index).sum())
        error = (layers[index][both] / expected - 1).abs()
        assert float(error.median()) < 0.03


def test_no_scale_changes_a_picture_of_one_body(footage: Footage, trained):
    _, fit = trained
    camera, black = footage.cameras[2], torch.zeros(3)
    one, other = (
        fit.draw_together(camera, 2, [2], torch.tensor([1.0, 1.0, factor]), black)
        for factor in (1.0, 2.5)
    )
    torch.testing.assert_close(one.colors, other.colors, atol=2e-3, rtol=0)
    torch.testing.assert_close(one.alpha, other.alpha, atol=2e-3, rtol=0)
    seen = one.alpha > 0.5
    torch.testing.assert_close(one.depth[seen], other.depth[seen], atol=2e-3, rtol=0)


def test_who_is_in_front_depends_on_the_scales(footage: Footage, trained):
    _, fit = trained
    camera, black = footage.cameras[1], torch.zeros(3)
    both = (footage.labels[1] == 2) & (fit.bodies[1].draw_alone(camera, 1).alpha > 0.9)
    assert int(both.sum()) > 10
    for scales, front in ((TRUE, 2), (torch.tensor([1.0, 1.5, 2.0]), 1)):
        drawing = fit.draw_together(camera, 1, [0, 1, 2], scales, black)
        assert float(drawing.weights[both][:, front].median()) > 0.8


def test_what_scales_get_wrong_is_left_out(footage: Footage):
    geometry, fit = _start(footage)
    for step in range(SETTINGS.iterations):
        geometry.bootstrap_step(fit, step)
    wrong = torch.tensor([1.0, 1.5, 2.0])
    saved = unflatten({k: v.detach().clone() for k, v in flatten({"f": fit.state()}).items()})
    terms = [geometry.round_step(geometry.restore(saved["f"]), 0, s) for s in (TRUE, wrong)]
    for name in ("color", "mask"):
        assert terms[1][name] < 1.2 * terms[0][name] + 1e-4, name


def test_nothing_is_learned_where_nothing_is_known(footage: Footage):
    unknown = replace(footage, labels=torch.full_like(footage.labels, UNKNOWN))
    geometry, fit = _start(footage)
    blind = TensorGeometry(unknown, CONFIG)
    vars(blind)["depths"] = geometry.depths
    before = {key: t.detach().clone() for key, t in flatten({"f": fit.state()}).items()}
    assert blind.bootstrap_step(fit, 0) == {"loss": 0.0}
    assert blind.round_step(fit, 0, TRUE) == {"loss": 0.0}
    after = flatten({"f": fit.state()})
    assert all(torch.equal(t, after[key]) for key, t in before.items() if "field" in key)


def test_a_restored_fit_goes_on_bit_for_bit(footage: Footage):
    geometry, fit = _start(footage)
    first = range(14, 18)  # the grids are made finer at 16
    for step in first:
        geometry.bootstrap_step(fit, step)
    saved = unflatten({k: v.detach().clone() for k, v in flatten({"f": fit.state()}).items()})
    after = [geometry.bootstrap_step(fit, 18), geometry.round_step(fit, 0, TRUE)]
    restored = TensorGeometry(footage, CONFIG).restore(saved["f"])
    assert [geometry.bootstrap_step(restored, 18), geometry.round_step(restored, 0, TRUE)] == after
    whole, again = (flatten({"f": each.state()}) for each in (fit, restored))
    assert all(torch.equal(tensor, again[name]) for name, tensor in whole.items())


def test_the_scene_shows_the_film_and_hides_what_is_not_registered(
    footage: Footage, capture: Capture, trained
):
    _, fit = trained
    partly = replace(footage, bodies=(*footage.bodies[:2], PAIR.body(2, (0, 1, 2))))
    scale_set = make_scale_set(fit, footage, CONFIG, None, 0)
    scene = finish_scene(fit, partly, capture, scale_set, CONFIG)
    assert all(isinstance(item, VolumeObject) for item in scene.objects)
    for frame, there in ((1, True), (4, False)):
        drawn = scene.render(scene.cameras[frame], float(frame), {"rgb", "objects"})
        assert bool((drawn["objects"][..., 2] > 0.5).any()) == there
    error = (scene.render(scene.cameras[1], 1.0)["rgb"] - footage.image(1)).square().mean()
    assert float(error) < 0.02


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_scene(
    capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = replace(CONFIG, tau=0.9)
    whole = ff.train("osn", capture, out=tmp_path / "whole", config=config)
    step, steps = tensorf.round_step, []

    def watched(*arguments):
        steps.append(0)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(tensorf, "round_step", watched)
    monkeypatch.setattr("fourfold.training.watch.CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        ff.train("osn", capture, out=tmp_path / "run", config=config)
    ff.train("osn", capture, out=tmp_path / "run", config=config)
    assert len(steps) == SETTINGS.iterations_per_round + 1
    for name in ("scene.json", "tensors.safetensors"):
        stored = [(tmp_path / run / "scene" / name).read_bytes() for run in ("whole", "run")]
        assert stored[0] == stored[1]
    scene = Scene.load(whole.scene_folder)
    assert scene.scale_set is not None
    assert bool(scene.scale_set.contains(TRUE[None, 1:].double())[0])
