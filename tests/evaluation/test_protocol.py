"""The whole protocol on a scene that is scored against pictures of itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import Capture, FilmedView, open_capture, write_capture
from fourfold.evaluation import (
    encode_image,
    front_most,
    mean_of_records,
    query_objects,
    score_against_truth,
    score_frames,
    score_image,
    score_warped_frames,
)
from fourfold.geometry import orbit_camera, project_points
from fourfold.scene import Scene
from tests.evaluation.small_lpips import small_lpips

UNIT = 0.001


@pytest.fixture(scope="module")
def filmed(two_plates: Scene, tmp_path_factory) -> Capture:
    """The plates as a capture of our own layout, with all of its truth."""
    folder = tmp_path_factory.mktemp("captures") / "plates"
    frames = range(two_plates.num_frames)
    outputs = {"rgb", "objects", "depth"}
    drawn = [two_plates.render(two_plates.camera_at(t), t, outputs) for t in frames]
    view = FilmedView(
        [one["rgb"].clamp(0, 1) for one in drawn],
        masks=[(front_most(one["objects"]) == 1)[None] for one in drawn],
        cameras=list(two_plates.cameras),
    )
    write_capture(folder, {"main": view}, fps=10, object_names=["plate"], depth_unit=UNIT)
    names = [f"{t:05d}" for t in frames]
    write_depth(folder / "truth" / "depth", names, [one["depth"] for one in drawn])
    write_tracks(two_plates, folder / "truth" / "tracks.npz")
    write_novel_views(two_plates, folder / "truth", names)
    order = json.dumps({name: ["plate", "background"] for name in names})
    (folder / "truth" / "order.json").write_text(order)
    return open_capture(folder)


def write_depth(folder: Path, names: list[str], depths: list[torch.Tensor]) -> None:
    folder.mkdir(parents=True)
    for name, depth in zip(names, depths, strict=True):
        counts = (depth.nan_to_num(0.0) / UNIT).round().numpy().astype(np.uint16)
        Image.fromarray(counts).save(folder / f"{name}.png")


def write_tracks(scene: Scene, path: Path) -> None:
    """Every fortieth Gaussian of the plate; all are in front, so all are visible."""
    times = torch.arange(scene.num_frames, dtype=torch.float32)
    plate = scene.object("plate")
    points = plate.motion.trajectory(plate.geometry.means[10::40], times)
    pixels = torch.stack([project_points(scene.cameras[0], world)[0] for world in points])
    np.savez(
        path,
        points=points.numpy(),
        pixels=pixels.numpy(),
        visible=np.ones(points.shape[:2], dtype=bool),
        object=np.zeros(points.shape[1], dtype=np.int64),
    )


def write_novel_views(scene: Scene, truth: Path, names: list[str]) -> None:
    entries = {}
    for name, angle in (("m20", -20.0), ("p20", 20.0)):
        camera = orbit_camera(
            scene.cameras[0], torch.tensor([0.0, 0.0, 2.0]), 0.0, angle, torch.tensor([0.0, -1, 0])
        )
        pose = {
            "camera_from_world": camera.camera_from_world.tolist(),
            "intrinsics": camera.intrinsics.tolist(),
        }
        entries[name] = {"angle": angle, "frames": {names[1]: pose}}
        folder = truth / "novel" / name
        folder.mkdir(parents=True)
        image = scene.render(camera, 1.0, {"rgb"})["rgb"]
        (folder / f"{names[1]}.png").write_bytes(encode_image(image, "PNG"))
    (truth / "novel.json").write_text(json.dumps(entries))


def test_a_scene_scored_against_itself_is_right_everywhere(two_plates, filmed):
    records = score_frames(two_plates, filmed, [0, 2])
    assert sorted(records) == [0, 2]
    scores = mean_of_records(records.values(), "heldout_")
    assert set(scores) == {f"heldout_{k}" for k in ("psnr", "ssim", "object_psnr", "mask_iou")}
    # Eight bits are wrong by at most half of 1/255: -20 log10(0.5 / 255) = 54.2 dB.
    assert scores["heldout_psnr"] > 54.1
    assert scores["heldout_mask_iou"] == 1.0
    assert scores["heldout_ssim"] > 0.999


def test_the_truth_of_the_scene_itself_is_met(two_plates, filmed):
    scores = score_against_truth(two_plates, filmed, [0, 1, 3])
    assert scores.keys() == {
        "novel20_psnr",
        "novel20_ssim",
        "billboard_novel20_psnr",
        "billboard_novel20_ssim",
        "track_epe_2d",
        "track_epe_3d",
        "depth_order_accuracy",
    }
    # The similarity is fitted to depths rounded to a thousandth.
    assert scores["novel20_psnr"] > 40
    # The plate is flat and faces the camera: as a card it differs by its soft rim only.
    assert 24 < scores["billboard_novel20_psnr"] < scores["novel20_psnr"]
    assert scores["track_epe_2d"] < 0.1
    assert scores["track_epe_3d"] < 0.02
    assert scores["depth_order_accuracy"] == 1.0


def test_a_scene_that_stands_still_is_found_out(two_plates, filmed):
    plate = two_plates.object("plate")
    still = replace(plate, motion=two_plates.objects[0].motion)
    frozen = replace(two_plates, objects=[two_plates.objects[0], still])
    scores = score_against_truth(frozen, filmed, [0, 1, 2, 3])
    assert scores["track_epe_2d"] > 2.0
    records = score_frames(frozen, filmed, [3])
    assert records[3]["object_psnr"] < 20
    assert records[3]["mask_iou"] < 0.8


def test_the_warped_baseline_is_scored_alike(filmed):
    record = score_warped_frames(filmed, [0, 2, 3], [1])[1]
    assert record.keys() == {"psnr", "ssim", "object_psnr", "mask_iou"}
    # The plate turns, which a stretched box cannot follow; its one colour hides that inside.
    assert 0.7 < record["mask_iou"] < 1.0


def test_with_its_weights_lpips_is_scored_too(two_plates, filmed):
    lpips = small_lpips()
    record = score_frames(two_plates, filmed, [2], lpips)[2]
    drawn = two_plates.render(two_plates.camera_at(2.0), 2.0, {"rgb"})["rgb"].clamp(0, 1)
    assert record["lpips"] == pytest.approx(float(lpips(drawn, filmed.image(2))))
    assert score_warped_frames(filmed, [0, 1, 3], [2], lpips)[2]["lpips"] > record["lpips"]
    assert "lpips" not in score_frames(two_plates, filmed, [2])[2]


def test_queries_know_their_object_from_the_input_masks(filmed):
    queries = torch.tensor([[24.5, 24.5], [1.0, 1.0], [-3.0, 60.0]])
    assert query_objects(filmed, queries, torch.tensor([0, 0, 1])) == ["plate", None, None]


def test_without_truth_there_is_nothing_to_score(two_plates, tmp_path):
    view = FilmedView([torch.zeros(48, 48, 3)] * two_plates.num_frames)
    write_capture(tmp_path / "bare", {"main": view}, fps=10)
    assert score_against_truth(two_plates, open_capture(tmp_path / "bare"), [0]) == {}


def test_an_image_without_visible_objects_has_no_object_score():
    image = torch.full((8, 8, 3), 0.5)
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    labels = torch.full((8, 8), -1)
    record = score_image(image, image, masks, labels)
    assert record["object_psnr"] != record["object_psnr"]
    assert mean_of_records([record]).keys() == record.keys()
