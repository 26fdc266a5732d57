"""The verb render on a scene that several cameras filmed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fourfold as ff
from fourfold.errors import UsageError
from fourfold.scene import moving_part, rig_path, still_part
from fourfold.training import Run
from fourfold.verbs.render import RenderOptions
from fourfold.verbs.shots import find_shots
from tests.rigs import aside, rig_run, rig_scene, voxel_scene
from tests.tiny import NUM_FRAMES, tiny_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return rig_run(tmp_path / "run")


def _close(file: Path, expected: torch.Tensor) -> bool:
    found = np.asarray(Image.open(file)).astype(int)
    return bool(np.abs(found - (expected.clamp(0, 1) * 255).numpy()).max() <= 1)


def test_a_camera_over_time(run: Run) -> None:
    (folder,) = ff.render(run, camera="cam.1", format="png", progress=False)
    assert folder.name == "cam_1_rgb"
    files = sorted(folder.iterdir())
    assert len(files) == NUM_FRAMES
    scene = rig_scene()
    assert _close(files[2], scene.render(scene.rig["cam.1"][2], 2.0)["rgb"])


def test_all_cameras_at_one_moment(run: Run) -> None:
    folders = ff.render(run, camera="all", time="1.5", format="png", progress=False)
    assert [folder.name for folder in folders] == ["cam00_rgb", "cam_1_rgb", "cam02_rgb"]
    scene = rig_scene()
    assert _close(folders[2] / "00000.png", scene.render(scene.rig["cam02"][0], 1.5)["rgb"])
    between = aside(scene.cameras[0], 0.3)
    assert _close(folders[1] / "00000.png", scene.render(between, 1.5)["rgb"])


def test_the_still_part_is_one_picture_before_a_camera_that_stands(run: Run) -> None:
    files = ff.render(
        run, camera="all", outputs="rgb,static,moving", size=32, format="png", progress=False
    )
    assert [file.name for file in files] == [
        *("cam00_static.png", "cam00_rgb", "cam00_moving"),
        *("cam_1_rgb", "cam_1_static", "cam_1_moving"),
        *("cam02_static.png", "cam02_rgb", "cam02_moving"),
    ]
    scene = rig_scene()
    small = scene.rig["cam00"][0].resized(32, 24)
    assert _close(files[0], still_part(scene).render(small, 0.0)["rgb"])
    assert _close(files[2] / "00003.png", moving_part(scene).render(small, 3.0)["rgb"])
    assert len(list(files[4].iterdir())) == NUM_FRAMES


def test_voxels_are_drawn_in_all_ways(tmp_path: Path) -> None:
    run = rig_run(tmp_path / "run", voxel_scene())
    files = ff.render(
        run,
        camera="cam00",
        outputs="rgb,depth,objects,static,moving",
        format="png",
        progress=False,
    )
    assert files[0].name == "cam00_static.png"
    still = np.asarray(Image.open(files[0])).astype(int)
    rgb, depth, _, moving = (np.asarray(Image.open(f / "00003.png")).astype(int) for f in files[1:])
    # the cube is at x = 1, z = 4 from 3.75 on: 32 + 48 / 4 = 44, 24
    cube, gone, wall = (24, 44), (24, 20), (12, 32)
    assert rgb[cube][0] > 200 > 60 > rgb[cube][1]
    assert rgb[gone][1] > 180
    assert still[cube][1] > 180
    assert moving[cube][0] > 200 > 60 > moving[cube][1]
    assert moving[wall].tolist() == [255, 255, 255]
    assert depth[cube][0] > depth[cube][2]  # near is red
    assert depth[wall][2] > depth[wall][1]
    with pytest.raises(UsageError, match="say what is there at each time, not where it goes"):
        ff.render(run, camera="cam00", outputs="flow", progress=False)


@pytest.mark.parametrize("path", ["spiral", "circle", "bullet-time", "orbit"])
def test_voxels_are_seen_from_all_paths(tmp_path: Path, path: str) -> None:
    run = rig_run(tmp_path / "run", voxel_scene())
    (folder,) = ff.render(
        run, path=path, time="3", seconds=0.3, size=32, format="png", progress=False
    )
    pictures = [np.asarray(Image.open(file)).astype(int) for file in sorted(folder.iterdir())]
    assert len(pictures) == 3
    for picture in pictures:
        assert (picture[..., 0] > 150).any()  # the cube
        assert (picture[..., 1] > 150).any()  # the wall


def test_a_still_picture_alone(run: Run) -> None:
    files = ff.render(run, camera="cam02", outputs="static", progress=False)
    assert [file.name for file in files] == ["cam02_static.png"]


def test_flow_of_a_camera_has_its_own_motion(run: Run) -> None:
    moving, standing = (
        np.asarray(Image.open(folder / "00000.png")).astype(int)
        for camera in ("cam.1", "cam00")
        for folder in ff.render(
            run, camera=camera, outputs="flow", time="0:1", format="png", progress=False
        )
    )
    # the wall at depth 8 moves 0.2 * 48 / 8 = 1.2 pixels left before a camera that moves right
    assert moving[4, 4, 0] < 100
    assert moving[4, 4, 1:].min() > 200
    assert standing[4, 4].tolist() == [255, 255, 255]


def test_a_rig_is_seen_on_a_spiral_by_itself(run: Run) -> None:
    (folder,) = ff.render(run, seconds=0.8, format="png", progress=False)
    assert folder.name == "spiral_rgb"
    files, scene = sorted(folder.iterdir()), rig_scene()
    times = [3.0 * index / 7 for index in range(8)]
    assert len(files) == 8
    cameras = rig_path(scene, "spiral", times)
    assert _close(files[5], scene.render(cameras[5], times[5])["rgb"])


@pytest.mark.parametrize(("time", "held"), [(None, 1.5), ("2", 2.0)])
def test_bullet_time_holds_a_moment(run: Run, time: str | None, held: float) -> None:
    (folder,) = ff.render(
        run, path="bullet-time", time=time, seconds=0.5, format="png", progress=False
    )
    files, scene = sorted(folder.iterdir()), rig_scene()
    cameras = rig_path(scene, "bullet-time", [held] * 5)
    assert len(files) == 5
    for index in (0, 2, 4):
        assert _close(files[index], scene.render(cameras[index], held)["rgb"])


def test_a_flight_through_many_cameras_takes_longer() -> None:
    scene, options = rig_scene(), RenderOptions(path="bullet-time")
    (shot,) = find_shots(scene, options, 10.0, 1)
    assert len(shot.views) == 40  # 4 s
    many = {f"cam{index:02d}": [aside(scene.cameras[0], 0.1 * index)] for index in range(20)}
    (shot,) = find_shots(replace(scene, rig=many), options, 10.0, 1)
    assert len(shot.views) == 80


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"camera": "cam09"}, r"no camera 'cam09'; expected all, cam00, cam.1, cam02"),
        ({"camera": "cam00", "path": "input"}, "--camera with --path"),
        ({"camera": "cam00", "loop": True}, "--loop with --camera"),
        ({"path": "bullet-time", "time": "0:2"}, "bullet-time over the time 0:2"),
        ({"camera": "cam00", "time": "7"}, "not in the clip"),
    ],
)
def test_what_does_not_fit_a_rig_is_refused(run: Run, options: dict, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        ff.render(run, progress=False, **options)
    assert not (run.path / "renders").exists()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"camera": "cam00"}, "--camera cam00 in a scene that one camera filmed"),
        ({"path": "spiral"}, "the path spiral in a scene that one camera filmed"),
        ({"path": "bullet-time"}, "the path bullet-time in a scene that one camera filmed"),
        ({"outputs": "rgb,static,moving"}, "no static, moving in a scene of background, ball"),
    ],
)
def test_what_only_a_rig_has_is_refused(tmp_path: Path, options: dict, what: str) -> None:
    run = tiny_run(tmp_path / "run")
    with pytest.raises(UsageError, match=what):
        ff.render(run, progress=False, **options)
    assert not (run.path / "renders").exists()
