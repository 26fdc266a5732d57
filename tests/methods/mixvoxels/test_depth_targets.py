"""Known depths: maps, key points, a still model; only of what stands still."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from fourfold.capture import KeyPoints
from fourfold.errors import InputError, UsageError
from fourfold.fields import BoxSpace, VoxelField
from fourfold.geometry import matrix_to_quaternion, project_points
from fourfold.methods.mixvoxels import depth_targets
from fourfold.methods.mixvoxels.config import DepthConfig, MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_targets import DepthTargets, read_depth_targets
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.scene import Scene, StaticMotion, Volume, VolumeObject
from tests.methods.mixvoxels.yard import (
    HEIGHT,
    NAMES,
    WALL,
    WIDTH,
    cameras,
    film,
    write_depths,
)

PIXELS = WIDTH * HEIGHT
TRAINED = (0, 1, 3, 4)


def unchanging() -> list[Tensor]:
    return [torch.zeros(HEIGHT, WIDTH, dtype=torch.bool) for _ in TRAINED]


def read(footage: Footage, source: Path | str, changing: list[Tensor] | None = None):
    config = MixVoxelsConfig(depth=str(source), depth_loss=DepthConfig(std=0.05))
    return read_depth_targets(footage, config, unchanging() if changing is None else changing)


def require(targets: DepthTargets | None) -> DepthTargets:
    assert targets is not None
    return targets


def heights(footage: Footage, targets: DepthTargets) -> Tensor:
    """Give z in the world of the places that the targets say."""
    frames = torch.zeros_like(targets.views)
    rays, cosines = footage.rays(targets.views, frames, targets.pixels)
    return rays.origins[:, 2] + targets.depths / cosines * rays.directions[:, 2]


def test_no_source_gives_no_targets(footage: Footage):
    assert read(footage, "") is None


# Maps


def test_every_pixel_of_maps_lies_on_the_wall(footage: Footage, tmp_path: Path):
    targets = require(read(footage, write_depths(tmp_path / "depth")))
    assert len(targets) == len(TRAINED) * PIXELS
    assert torch.bincount(targets.views).tolist() == [PIXELS] * len(TRAINED)
    assert_close(heights(footage, targets), torch.full((len(targets),), WALL), atol=1e-4, rtol=0)
    assert_close(targets.stds, 0.05 * targets.depths)
    assert bool((targets.confidences == 1.0).all())


def test_changing_pixels_and_holes_are_left_out(footage: Footage, tmp_path: Path):
    folder = write_depths(tmp_path / "depth")
    depth = np.load(folder / "cam01.npy")
    depth[:, 5] = np.nan
    np.save(folder / "cam01.npy", depth)
    changing = unchanging()
    changing[1][:, 5:8] = changing[2][7, 9] = True
    targets = require(read(footage, folder, changing))
    counts = [PIXELS, PIXELS - 3 * HEIGHT, PIXELS - 1, PIXELS]
    assert torch.bincount(targets.views).tolist() == counts
    assert not bool((targets.pixels[targets.views == 2] == torch.tensor([9.5, 7.5])).all(1).any())


def test_the_first_map_of_a_cameras_folder_and_cameras_without(footage: Footage, tmp_path: Path):
    write_depths(tmp_path / "depth" / "cam03", 1.0, ["cam03"])
    (tmp_path / "depth" / "cam03" / "cam03.npy").rename(tmp_path / "depth" / "cam03" / "0001.npy")
    np.save(tmp_path / "depth" / "cam03" / "0002.npy", np.full((HEIGHT, WIDTH), 9.0))
    targets = require(read(footage, tmp_path / "depth"))
    assert targets.views.unique().tolist() == [2]
    assert_close(heights(footage, targets), torch.full((PIXELS,), WALL), atol=1e-4, rtol=0)


def test_cameras_without_a_depth_are_named(footage: Footage, tmp_path: Path):
    folder, said = write_depths(tmp_path / "depth", views=["cam00", "cam03", "cam04"]), []
    changing, config = unchanging(), MixVoxelsConfig(depth=str(folder))
    read_depth_targets(footage, config, changing, said.append)
    changing[3][:] = True
    read_depth_targets(footage, config, changing, said.append)
    assert said == ["--depth says nothing of cam01", "--depth says nothing of cam01, cam04"]


def test_maps_that_are_not_there(footage: Footage, tmp_path: Path):
    with pytest.raises(InputError, match=r"no such folder of depth maps; expected sweep, "):
        read(footage, tmp_path / "nothing")
    write_depths(tmp_path / "other", 1.0, ["cam02"])  # held out
    with pytest.raises(InputError, match=r"no depth map of any training camera; expected cam00/"):
        read(footage, tmp_path / "other")


def test_depth_only_of_what_changes_is_refused(footage: Footage, tmp_path: Path):
    folder = write_depths(tmp_path / "depth")
    with pytest.raises(InputError, match="gives no depth at a pixel that stands still"):
        read(footage, folder, [~mask for mask in unchanging()])


# Key points


def key_points(depths: list[float], errors: list[float], weights: list[float]) -> KeyPoints:
    count = len(depths)
    pixels = torch.stack((torch.arange(count) + 0.25, torch.full((count,), 3.0)), 1)
    columns = (torch.tensor(column) for column in (weights, errors))
    return KeyPoints(pixels, torch.tensor(depths), torch.zeros(count, dtype=torch.int64), *columns)


def test_key_points_are_believed_by_their_errors(footage: Footage, monkeypatch: pytest.MonkeyPatch):
    points = key_points([2.0, 4.0, 5.0], [1.0, 1.0, 4.0], [2.0, 1.0, 0.5])
    known = {"cam01": points, "cam04": KeyPoints.none()}
    monkeypatch.setattr(depth_targets, "read_key_points", lambda *_: known)
    monkeypatch.setattr(depth_targets, "find_points", lambda *_: Path("model"))
    targets = require(read(footage, "colmap:model"))
    assert targets.scattered
    assert targets.views.tolist() == [1, 1, 1]
    assert targets.depths.tolist() == [2.0, 4.0, 5.0]
    # errors of 1/2 and 2 means; the depth is as uncertain, 0.05 at the mean
    assert targets.confidences.tolist() == [1.0, 0.5, 0.25]  # DS-NeRF's weights go up to 2
    assert_close(targets.stds, 0.05 * torch.tensor([0.5 * 2.0, 0.5 * 4.0, 2.0 * 5.0]))
    changing = unchanging()
    changing[1][3, 1] = True
    assert require(read(footage, "colmap:model", changing)).depths.tolist() == [2.0, 5.0]


def write_model(folder: Path, seen: dict[tuple[float, float], str]) -> Path:
    """Write a COLMAP model of places on the wall, each seen by the cameras of some numbers."""
    folder.mkdir(parents=True)
    points = torch.tensor([[x, y, WALL] for x, y in seen])
    lens, images = cameras()[0].intrinsics, []
    for number, (name, camera) in enumerate(zip(NAMES, cameras(), strict=True)):
        pose, (pixels, _) = camera.camera_from_world, project_points(camera, points)
        values = [*matrix_to_quaternion(pose[:3, :3]).tolist(), *pose[:3, 3].tolist()]
        images.append(f"{number + 1} {' '.join(map(str, values))} 1 {name}.png")
        rows = [
            f"{x} {y} {key if str(number) in by else -1}"
            for key, ((x, y), by) in enumerate(zip(pixels.tolist(), seen.values(), strict=True))
        ]
        images.append(" ".join(rows))
    focal, middle = float(lens[0, 0]), f"{WIDTH / 2} {HEIGHT / 2}"
    (folder / "cameras.txt").write_text(f"1 SIMPLE_PINHOLE {WIDTH} {HEIGHT} {focal} {middle}\n")
    (folder / "images.txt").write_text("\n".join(images) + "\n")
    rows = [f"{key} {x} {y} {WALL} 0 0 0 0.1" for key, (x, y) in enumerate(seen)]
    (folder / "points3D.txt").write_text("\n".join(rows) + "\n")
    return folder


def test_only_points_that_two_training_cameras_see_have_depths(footage: Footage, tmp_path: Path):
    # the camera of number 2 is held out
    seen = {(0.0, 0.0): "01234", (0.3, 0.2): "23", (-0.3, 0.4): "2", (0.5, -0.2): "34"}
    targets = require(read(footage, f"colmap:{write_model(tmp_path / 'model', seen)}"))
    assert torch.bincount(targets.views).tolist() == [1, 1, 2, 2]
    assert_close(heights(footage, targets), torch.full((6,), WALL), atol=1e-4, rtol=0)
    few, said = write_model(tmp_path / "few", dict.fromkeys(seen, "134")), []
    config = MixVoxelsConfig(depth=f"colmap:{few}")
    read_depth_targets(footage, config, unchanging(), said.append)
    assert said == ["--depth says nothing of cam00"]
    nothing = write_model(tmp_path / "nothing", dict.fromkeys(seen, "23"))
    with pytest.raises(InputError, match="no view has a key point; expected points that at least"):
        read(footage, f"colmap:{nothing}")


def test_a_capture_without_key_points(footage: Footage, tmp_path: Path):
    with pytest.raises(InputError, match=r"no COLMAP model with key points.*--depth colmap:DIR"):
        read(footage, "colmap")
    with pytest.raises(InputError, match="no COLMAP model"):
        read(footage, f"colmap:{tmp_path}")


# A still model


def wall_model(folder: Path, **changes: Any) -> Path:
    """Save a model of the wall alone, as voxels, with the rig's cameras."""
    space = BoxSpace(torch.tensor([-6.0, -6.0, 3.0]), torch.tensor([6.0, 6.0, 6.0]))
    filled = torch.zeros(9, 9, 61, dtype=torch.bool)
    filled[..., 40:] = True  # from z = 5 on
    field = VoxelField.at_voxels(filled)
    field.densities.fill_(12.0)
    volume = Volume(field, space, field.occupancy(1e-3))
    rig = {name: [camera] for name, camera in zip(NAMES, cameras(), strict=True)}
    scene = Scene(
        [VolumeObject("background", volume, StaticMotion())], [cameras()[0]], fps=10.0, rig=rig
    )
    replace(scene, **changes).save(folder / "scene")
    return folder


def test_a_still_models_depth_is_the_walls(footage: Footage, tmp_path: Path):
    targets = require(read(footage, f"static:{wall_model(tmp_path / 'run')}"))
    assert torch.bincount(targets.views).tolist() == [PIXELS] * len(TRAINED)
    # matter begins in the voxel before
    assert_close(heights(footage, targets), torch.full((len(targets),), WALL), atol=0.06, rtol=0)
    assert_close(targets.stds, 0.05 * targets.depths)
    # all cameras agree, or no other sees the place: half as sure
    sure = targets.confidences > 0.98
    half = (targets.confidences - 0.5).abs() < 0.02
    assert bool((sure | half).all())
    assert float(sure.float().mean()) > 0.9


def test_what_the_cameras_of_a_model_disagree_about_is_doubted(footage: Footage, tmp_path: Path):
    run = wall_model(tmp_path / "run")
    scene = Scene.load(run / "scene")
    # a veil before the first camera: the mean depth along its rays is between veil and wall, where
    # all other cameras see that nothing is
    space = BoxSpace(torch.tensor([-1.2, 0.1, 1.0]), torch.tensor([-0.5, 0.5, 1.1]))
    field = VoxelField.at_voxels(torch.ones(3, 3, 3, dtype=torch.bool), alpha=0.3)
    veil = VolumeObject("veil", Volume(field, space, field.occupancy(1e-3)), StaticMotion())
    scene = replace(scene, objects=[*scene.objects, veil])
    scene.save(run / "scene")
    depth = scene.render(cameras()[0], 0.0, ("depth",))["depth"]
    veiled = (depth > 1.5) & (depth < 4.0)
    assert int(veiled.sum()) > 100
    targets = require(read(footage, f"static:{run}"))
    first = targets.select(targets.views == 0)
    sure = torch.zeros(HEIGHT, WIDTH)
    columns, rows = first.pixels.long().unbind(1)
    sure[rows, columns] = first.confidences
    assert float(sure[veiled].mean()) < 0.2
    assert float(sure[depth > 4.8].mean()) > 0.9


def test_a_run_that_is_no_still_model(footage: Footage, tmp_path: Path):
    with pytest.raises(InputError, match=r"no scene in this run.*--static"):
        read(footage, f"static:{tmp_path}")
    moving = wall_model(tmp_path / "moving", cameras=[cameras()[0]] * 3)
    with pytest.raises(UsageError, match=r"not of one still per camera.*--static"):
        read(footage, f"static:{moving}")
    single = wall_model(tmp_path / "single", rig={})
    with pytest.raises(UsageError, match="not of one still per camera"):
        read(footage, f"static:{single}")


def test_a_still_model_of_other_cameras(footage: Footage, tmp_path: Path):
    few = {name: [camera] for name, camera in zip(NAMES[:3], cameras(), strict=False)}
    run = wall_model(tmp_path / "few", rig=few)
    with pytest.raises(InputError, match=r"knows no camera cam03; expected cam00, cam01, cam02"):
        read(footage, f"static:{run}")
    pose = cameras()[4].camera_from_world.clone()
    pose[0, 3] += 0.1
    elsewhere = {**few, "cam03": [cameras()[3]], "cam04": [cameras()[4].moved(pose)]}
    run = wall_model(tmp_path / "elsewhere", rig=elsewhere)
    with pytest.raises(InputError, match=r"camera cam04 stands elsewhere.*same world"):
        read(footage, f"static:{run}")


def test_a_still_model_of_another_size_fits(footage: Footage, tmp_path: Path):
    large = {n: [c.resized(60, 45)] for n, c in zip(NAMES, cameras(), strict=True)}
    targets = require(read(footage, f"static:{wall_model(tmp_path / 'run', rig=large)}"))
    assert torch.bincount(targets.views).tolist() == [60 * 45] * len(TRAINED)
    own = targets.views == 0
    expected = film(cameras()[0].resized(60, 45), None)[1].reshape(-1)
    assert_close(targets.depths[own], expected, atol=0.12, rtol=0)
