"""Our own layout: what is written is what is read, with the truth of synthetic captures."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.capture import FilmedView, open_capture, write_capture
from fourfold.errors import InputError, UsageError
from fourfold.geometry import Camera

WIDTH, HEIGHT, FRAMES = 8, 6, 3


def _pose(x):
    pose = torch.eye(4)
    pose[0, 3] = x
    return pose


def _view(shift=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 256, (FRAMES, HEIGHT, WIDTH, 3), generator=generator)
    depth = torch.full((FRAMES, HEIGHT, WIDTH), 2.5)
    depth[:, 0] = torch.nan
    return FilmedView(
        images=list(levels / 255),
        masks=list(torch.rand(FRAMES, 2, HEIGHT, WIDTH, generator=generator) > 0.5),
        depth=list(depth),
        cameras=[Camera.from_fov(WIDTH, HEIGHT, 60.0, _pose(shift + t)) for t in range(FRAMES)],
    )


# not in the order of the alphabet
NAMES = ("walker", "ball")


@pytest.mark.parametrize("views", [("main",), ("left", "right")])
def test_what_is_written_is_what_is_read(tmp_path, views):
    filmed = {name: _view(10.0 * i, i) for i, name in enumerate(views)}
    write_capture(tmp_path / "c", filmed, fps=12.5, object_names=NAMES)
    capture = open_capture(tmp_path / "c")
    assert (capture.layout, capture.views, capture.object_names) == ("fourfold", views, NAMES)
    assert (capture.fps, capture.frames) == (12.5, ("00000", "00001", "00002"))
    assert capture.channels == {"image", "mask", "depth", "camera"}
    for v, view in enumerate(filmed.values()):
        assert view.masks is not None
        assert view.depth is not None
        assert view.cameras is not None
        for t in range(FRAMES):
            torch.testing.assert_close(capture.image(t, v), view.images[t].float())
            assert torch.equal(capture.masks(t, v), view.masks[t])
            torch.testing.assert_close(capture.depth(t, v), view.depth[t], equal_nan=True)
            camera = capture.camera(t, v)
            assert camera is not None
            torch.testing.assert_close(camera.intrinsics, view.cameras[t].intrinsics)
            torch.testing.assert_close(camera.camera_from_world, view.cameras[t].camera_from_world)


@given(st.integers(1, 65535), st.sampled_from([0.001, 0.01, 0.25]))
def test_depth_survives_to_half_a_count(tmp_path_factory, count, unit):
    folder = tmp_path_factory.mktemp("depth")
    depth = torch.full((1, 1), count * unit + 0.2 * unit)
    view = FilmedView(images=[torch.zeros(1, 1, 3)], depth=[depth])
    write_capture(folder / "c", {"main": view}, fps=1, depth_unit=unit)
    read = open_capture(folder / "c").depth(0)
    assert read is not None
    assert abs(read.item() - depth.item()) <= 0.5 * unit + 1e-6 * depth.item()


def test_jpeg(tmp_path):
    view = FilmedView(images=[torch.full((16, 16, 3), 0.5)])
    write_capture(tmp_path / "c", {"main": view}, fps=1, jpeg_quality=90)
    assert [p.name for p in (tmp_path / "c" / "images").iterdir()] == ["00000.jpg"]
    np.testing.assert_allclose(open_capture(tmp_path / "c").image(0), 0.5, atol=0.01)


def test_parts_that_do_not_fit_are_refused(tmp_path):
    image = torch.zeros(HEIGHT, WIDTH, 3)
    for view, names, message in (
        (FilmedView([image, image], depth=[image[..., 0]]), (), r"channels of \[1, 2\] frames"),
        (FilmedView([image, image[:2]]), (), "has images of"),
        (FilmedView([image], masks=[torch.zeros(1, 6, 8).bool()]), NAMES, r"shape \(2, 6, 8\)"),
        (FilmedView([image], depth=[torch.full((6, 8), 1e3)]), (), "too far.*larger depth_unit"),
    ):
        with pytest.raises(UsageError, match=message):
            write_capture(tmp_path / "c", {"main": view}, fps=1, object_names=names)
    assert list(tmp_path.iterdir()) == []


def test_cameras_in_the_pixels_they_are_given_for(tmp_path):
    write_capture(tmp_path / "c", {"main": _view()}, fps=1, object_names=NAMES)
    camera = open_capture(tmp_path / "c", max_size=4).camera(2)
    assert camera is not None
    full = Camera.from_fov(WIDTH, HEIGHT, 60.0)
    assert camera.focal[0] == pytest.approx(full.focal[0] / 2)
    torch.testing.assert_close(camera.camera_from_world, _pose(2.0))


def _edit(folder, **changes):
    file = folder / "capture.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 9}, "version 9; expected version 1"),
        ({"format": "other"}, "not a capture of Fourfold"),
        ({"frames": ["00000", "00009"]}, "frame 00009: the frame has no picture"),
        ({"fps": 0}, "fps is 0; expected a number above 0"),
        ({"height": "6"}, "height is '6'; expected a number above 0"),
        ({"objects": [1, 2]}, "objects is not a list of names"),
        ({"width": 9}, "8x6 pixels; expected 9x6"),
    ],
)
def test_a_head_that_does_not_fit(tmp_path, changes, message):
    write_capture(tmp_path / "c", {"main": _view()}, fps=1, object_names=NAMES)
    _edit(tmp_path / "c", **changes)
    with pytest.raises(InputError, match=message):
        open_capture(tmp_path / "c")


def test_a_frame_without_a_camera(tmp_path):
    write_capture(tmp_path / "c", {"main": _view()}, fps=1, object_names=NAMES)
    file = tmp_path / "c" / "cameras.json"
    content = json.loads(file.read_text())
    del content["camera_from_world"]["main"]["00001"]
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"frames have no camera: 00001; .*--frames"):
        open_capture(tmp_path / "c")


@pytest.fixture
def with_truth(tmp_path, save):
    """Tracks of two points: x of the pixel is 2 t + n; a novel view; the order of objects."""
    folder = tmp_path / "c"
    write_capture(folder, {"main": _view()}, fps=1, object_names=NAMES)
    save(folder / "truth/depth/00002.png", np.full((HEIGHT, WIDTH), 3000, np.uint16))
    t, n = np.mgrid[:FRAMES, :2].astype(np.float32)
    np.savez(
        folder / "truth/tracks.npz",
        points=np.stack([t, n, t + n], -1),
        pixels=np.stack([2 * t + n, n], -1),
        visible=t > n,
        object=np.array([1, 0]),
    )
    save(folder / "truth/novel/p20/00002.png", np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    camera = Camera.from_fov(WIDTH, HEIGHT, 60.0, _pose(5.0))
    entry = {
        "camera_from_world": camera.camera_from_world.tolist(),
        "intrinsics": camera.intrinsics.tolist(),
    }
    novel = {"p20": {"angle": 20, "frames": {"00002": entry}}}
    (folder / "truth/novel.json").write_text(json.dumps(novel))
    (folder / "truth/order.json").write_text(json.dumps({"00002": ["ball", "walker"]}))
    return folder


def test_truth_follows_the_selected_frames_and_the_size(with_truth):
    capture = open_capture(with_truth, frames="1:3", max_size=4)
    truth = capture.truth
    assert truth is not None
    tracks = truth.tracks()
    assert tracks is not None
    assert tracks.points[:, 1].tolist() == [[1, 1, 2], [2, 1, 3]]
    # 2 t + n in pixels of the 8x6 picture
    assert tracks.pixels[:, 1].tolist() == [[1.5, 0.5], [2.5, 0.5]]
    assert tracks.visible.tolist() == [[True, False], [True, True]]
    assert [NAMES[i] for i in tracks.objects.tolist()] == ["ball", "walker"]
    depth = truth.depth(1)
    assert depth is not None
    assert depth.shape == (3, 4)
    assert (depth == 3.0).all()
    assert truth.depth(0) is None
    assert truth.order(1) == ("ball", "walker")
    assert truth.order(0) is None


def test_novel_views(with_truth):
    capture = open_capture(with_truth, frames="1:3", max_size=4)
    assert capture.truth is not None
    (view,) = capture.truth.novel_views()
    assert (view.name, view.angle, view.frame) == ("p20", 20, 1)
    assert (view.camera.width, view.camera.height) == (4, 3)
    torch.testing.assert_close(view.camera.position, torch.tensor([-5.0, 0, 0]))
    assert view.image().shape == (3, 4, 3)
    assert view.image().min() == 1


def test_no_truth_without_its_folder(tmp_path):
    write_capture(tmp_path / "c", {"main": _view()}, fps=1, object_names=NAMES)
    assert open_capture(tmp_path / "c").truth is None


def test_damaged_truth(with_truth):
    (with_truth / "truth/tracks.npz").write_bytes(b"no zip")
    truth = open_capture(with_truth).truth
    assert truth is not None
    with pytest.raises(InputError, match=r"tracks\.npz: the tracks are damaged"):
        truth.tracks()
