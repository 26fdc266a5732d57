"""The verb render: what it writes, and what it refuses."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import fourfold as ff
from fourfold.cli import main
from fourfold.errors import FourfoldError, InputError, UsageError
from fourfold.scene import landscape_path
from fourfold.training import Run
from fourfold.verbs.camera_path import loop_times
from fourfold.verbs.render import OUTPUTS, PARTS, RenderOptions, split_outputs
from tests.loops import PERIOD, loop_run, loop_scene
from tests.tiny import HEIGHT, NUM_FRAMES, WIDTH, tiny_run, tiny_scene

# outputs that any scene has
EVERYWHERE = [output for output in OUTPUTS if output not in PARTS]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return tiny_run(tmp_path / "run")


def _pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file)).astype(int)


def test_the_input_path_shows_each_frame_once(run: Run) -> None:
    (folder,) = ff.render(run, path="input", format="png", progress=False)
    assert folder == run.path / "renders" / "input_rgb"
    files = sorted(folder.iterdir())
    assert len(files) == NUM_FRAMES
    scene = tiny_scene()
    expected = scene.render(scene.camera_at(2.0), 2.0)["rgb"].clamp(0, 1)
    assert np.abs(_pixels(files[2]) - (expected * 255).numpy()).max() <= 1


def test_an_orbit_lasts_four_seconds_at_least(run: Run) -> None:
    (file,) = ff.render(run, RenderOptions(path="orbit"), progress=False)
    assert file == run.path / "renders" / "orbit_rgb.mp4"
    with av.open(file) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == 40  # 10 frames per second
    assert (frames[0].width, frames[0].height) == (WIDTH, HEIGHT)


def test_all_outputs_are_drawn(run: Run, tmp_path: Path) -> None:
    folders = ff.render(
        run.path,
        path="input",
        outputs=",".join(EVERYWHERE),
        format="png",
        size=128,
        out=tmp_path / "out",
        progress=False,
    )
    assert [folder.name for folder in folders] == [f"input_{output}" for output in EVERYWHERE]
    rgb, depth, objects, flow, tracks = (_pixels(folder / "00001.png") for folder in folders)
    assert rgb.shape == (96, 128, 3)
    ball, wall = (48, 66), (8, 8)  # 1.2 pixels right of the middle, twice as large
    assert rgb[ball][0] > 200
    assert rgb[wall][2] > 150
    assert depth[ball][0] > depth[ball][2]  # near is red
    assert flow[wall].tolist() == [255, 255, 255]  # the wall rests
    assert flow[ball][0] > 200  # right is red
    assert flow[ball][1] < 60
    assert objects[wall].max() < rgb[wall].max() / 2  # dimmed
    assert objects[ball].max() > 100
    bright = tracks.max(axis=-1) > 200
    assert bright[40:56, 56:76].any()  # dots on the ball
    assert not bright[:20].any()


def test_time_can_stand_still(run: Run) -> None:
    (folder,) = ff.render(run, path="input", time="1.5", format="png", progress=False)
    assert len(list(folder.iterdir())) == 1
    scene = tiny_scene()
    expected = scene.render(scene.camera_at(1.5), 1.5)["rgb"].clamp(0, 1)
    assert np.abs(_pixels(folder / "00000.png") - (expected * 255).numpy()).max() <= 1


def test_flow_of_the_input_path_has_the_cameras_motion(tmp_path: Path) -> None:
    from dataclasses import replace

    scene = tiny_scene()
    shifted = torch.eye(4)
    shifted[0, 3] = -1.0  # to x = 1 between frames 0 and 1: the wall moves 48 / 8 = 6 pixels left
    cameras = [scene.cameras[0], *(camera.moved(shifted) for camera in scene.cameras[1:])]
    run = tiny_run(tmp_path / "run")
    replace(scene, cameras=cameras).save(run.scene_folder)
    (moving,) = ff.render(
        run, path="input", time="0:1", outputs="flow", format="png", progress=False
    )
    wall = _pixels(moving / "00000.png")[4, 4]
    assert wall[0] < 60  # left is cyan
    assert wall[1:].min() > 200


def test_exported_cameras_render_as_the_input_path(run: Run) -> None:
    cameras = ff.export(run, "cameras", progress=False)
    (first,) = ff.render(run, path="input", format="png", progress=False)
    path = str(cameras / "transforms.json")
    (second,) = ff.render(run, path=path, format="png", progress=False)
    assert second.name == "path_rgb"
    for name in ("00000.png", "00003.png"):
        assert np.abs(_pixels(first / name) - _pixels(second / name)).max() <= 2


def test_a_loop_goes_on_where_it_ends(tmp_path: Path) -> None:
    run = loop_run(tmp_path / "run")
    (folder,) = ff.render(run, path="circle", loop=True, format="png", progress=False)
    assert folder.name == "circle_rgb"
    frames = [_pixels(file) for file in sorted(folder.iterdir())]
    assert len(frames) == PERIOD
    following = [*frames[1:], frames[0]]
    steps = [float(((a - b) ** 2).mean()) for a, b in zip(frames, following, strict=True)]
    # in mean squares: 1 dB is a factor of 1.26
    assert steps[-1] < 1.26 * float(np.median(steps[:-1]))
    assert min(steps) > 1.0  # all of it moves


def test_a_loop_is_drawn_at_its_own_times_on_a_path_that_closes(tmp_path: Path) -> None:
    run, scene = loop_run(tmp_path / "run"), loop_scene()
    (folder,) = ff.render(
        run, path="side", loop=True, seconds=1.0, fps=8.0, format="png", progress=False
    )
    # 2 s of 12 frames are played twice as fast: 8 pictures of 1.5 frames each
    times = [1.5 * index for index in range(8)]
    cameras = landscape_path(scene, "side", times, closed=True)
    files = sorted(folder.iterdir())
    assert len(files) == len(times)
    for index in (0, 3, 5):
        expected = scene.render(cameras[index], times[index])["rgb"].clamp(0, 1)
        assert np.abs(_pixels(files[index]) - (expected * 255).numpy()).max() <= 1


def test_times_of_a_loop() -> None:
    scene = loop_scene()  # 12 frames at 6 per second
    assert loop_times(scene, 6.0, None) == [float(index) for index in range(PERIOD)]
    # 5 s hold two and a half loops of 2 s: two of them, slower
    assert loop_times(scene, 2.0, 5.0) == pytest.approx([2.4 * index for index in range(10)])
    assert loop_times(scene, 3.0, 0.4) == [0.0, 6.0]


def test_a_scene_that_loops_goes_in_a_circle_by_itself(tmp_path: Path) -> None:
    (file,) = ff.render(loop_run(tmp_path / "run"), loop=True, progress=False)
    assert file.name == "circle_rgb.mp4"
    with av.open(file) as video:
        assert len(list(video.decode(video=0))) == PERIOD


def test_a_path_without_a_loop_goes_from_end_to_end(tmp_path: Path) -> None:
    run, scene = loop_run(tmp_path / "run"), loop_scene()
    (folder,) = ff.render(run, path="zoom-in", time="3", seconds=0.5, format="png", progress=False)
    files = sorted(folder.iterdir())
    assert len(files) == 3
    camera = landscape_path(scene, "zoom-in", [3.0] * 3, closed=False)[-1]
    expected = scene.render(camera, 3.0)["rgb"].clamp(0, 1)
    assert np.abs(_pixels(files[-1]) - (expected * 255).numpy()).max() <= 1


def test_what_does_not_loop_is_not_looped(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(run.path), "--loop"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: --loop for a scene that does not loop. Render it without --loop."
    assert not (run.path / "renders").exists()


def test_scales_of_a_scene_without_a_scale_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = loop_run(tmp_path / "run")
    for scales in ("3", "random", "grid"):
        assert main(["render", str(run.path), "--scales", scales]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
    assert not (run.path / "renders").exists()


def test_outputs_are_checked() -> None:
    assert split_outputs("rgb,depth,rgb") == ("rgb", "depth")
    for text in ("", "rgb,normals"):
        with pytest.raises(UsageError, match="output"):
            split_outputs(text)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"path": "sideways"}, "no camera path 'sideways'"),
        ({"fps": 0.0}, "frames per second"),
        ({"size": 4}, "a video of 4 pixels"),
        ({"seconds": -1.0}, "seconds"),
        ({"angle": 500.0}, "a swing of 500 degrees"),
        ({"time": "9"}, "not in the clip"),
        ({"time": "1", "loop": True}, "--loop with --time"),
        ({"outputs": "sound"}, "unknown output sound"),
        ({"colour": "red"}, "unknown option colour"),
    ],
)
def test_what_does_not_fit_is_refused(run: Run, options: dict, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        ff.render(run, progress=False, **options)
    assert not (run.path / "renders").exists()


def test_a_run_without_a_scene_says_how_to_get_one(tmp_path: Path) -> None:
    import shutil

    run = tiny_run(tmp_path / "run")
    shutil.rmtree(run.scene_folder)
    with pytest.raises(InputError, match=r"no scene .*Give the command that started it again"):
        ff.render(run, progress=False)


def test_a_damaged_scene_is_named(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    (run.scene_folder / "tensors.safetensors").write_bytes(b"")
    with pytest.raises(FourfoldError, match=r"tensors\.safetensors"):
        ff.render(run, progress=False)
