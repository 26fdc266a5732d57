"""The verb prepare: a small clip from end to end, and what it refuses."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import fourfold as ff
from fourfold.cli import main
from fourfold.errors import InputError, MissingDependencyError, UsageError
from fourfold.estimators import structure_from_motion
from fourfold.estimators.structure_from_motion import Health
from fourfold.geometry import (
    Camera,
    axis_angle_to_quaternion,
    fit_similarity,
    invert_rigid,
    quaternion_to_matrix,
    rigid_matrix,
)
from fourfold.verbs import prepare_writing
from fourfold.verbs.prepare import SfmOptions, choose_lens, initial_pairs
from tests.estimators.scenes import room, texture

pytest.importorskip("pycolmap")

WIDTH, HEIGHT, NUM_FRAMES = 144, 108, 7
HALF = torch.tensor([0.75, 0.55, 0.5])
START = Camera.from_fov(WIDTH, HEIGHT)


def turned(axis: list[float], place: list[float]) -> torch.Tensor:
    """Build a rigid motion from an axis times an angle and a translation."""
    rotation = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor(axis)))
    return rigid_matrix(rotation, torch.tensor(place))


def camera_at(frame: int) -> Camera:
    """Move the camera to the right while it looks back to the left."""
    return START.moved(invert_rigid(turned([0.0, -0.02 * frame, 0.0], [0.1 * frame, 0.0, 0.0])))


def box_at(frame: int) -> torch.Tensor:
    """Place the box (world_from_box): it turns, and slides to the left."""
    return turned([0.25 + 0.02 * frame, 0.5 + 0.07 * frame, 0.0], [0.3 - 0.03 * frame, 0.0, 3.6])


def shoot(frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Photograph a textured box in a room: bytes and the box's mask."""
    camera, box_from_world = camera_at(frame), invert_rigid(box_at(frame))
    picture, _ = room(camera)
    origin, rays = camera.rays()
    start = origin @ box_from_world[:3, :3].T + box_from_world[:3, 3]
    rays = rays @ box_from_world[:3, :3].T
    near, far = (-HALF - start) / rays, (HALF - start) / rays
    enters, leaves = torch.minimum(near, far).amax(-1), torch.maximum(near, far).amin(-1)
    hit = enters < leaves
    places = start + rays * enters[..., None]
    side = (places.abs() / HALF).argmax(dim=-1)
    skins = torch.stack([texture(256, 256, seed=20 + k, finest=8) for k in range(3)])
    across = torch.stack([places[..., [1, 2]], places[..., [0, 2]], places[..., [0, 1]]])
    seen = torch.stack([_paint(skin, at) for skin, at in zip(skins, across, strict=True)])
    color = seen.gather(0, side[None, ..., None].expand(1, -1, -1, 3))[0]
    picture = torch.where(hit[..., None], color, picture)
    return (picture * 255 + 0.5).byte().numpy(), hit.numpy()


def _paint(skin: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    planes = skin.permute(2, 0, 1)[None]
    seen = torch.nn.functional.grid_sample(planes, at[None], mode="bicubic", align_corners=False)
    return seen[0].permute(1, 2, 0).clamp(0, 1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the clip as frames and masks."""
    folder = tmp_path_factory.mktemp("box")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for frame in range(NUM_FRAMES):
        picture, mask = shoot(frame)
        Image.fromarray(picture).save(folder / "images" / f"{frame:03d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{frame:03d}.png")
    return folder


@pytest.fixture(scope="module")
def prepared(clip: Path) -> Path:
    """Prepare the clip."""
    out = clip.parent / "prepared"
    ff.prepare("sfm", clip, out=out, fov=49.1, max_tracks=500, progress=False)
    return out


def test_everything_is_written(clip: Path, prepared: Path) -> None:
    names = {file.name for file in prepared.iterdir()}
    assert {"bodies.json", "poses", "depth", "cameras.json", "report.json", "report.png"} <= names
    report = json.loads((prepared / "report.json").read_text())
    assert [body["body"] for body in report["bodies"]] == ["background", "001"]
    for body in report["bodies"]:
        assert body["registered"] == NUM_FRAMES
        assert body["error"] < 0.3
        assert body["unregistered_frames"] == []
    with Image.open(prepared / "report.png") as picture:
        assert picture.height >= HEIGHT


@pytest.mark.parametrize("index", [0, 1])
def test_poses_are_right_up_to_a_similarity(clip: Path, prepared: Path, index: int) -> None:
    """The camera's path around each body is the true one to 6 % of its length."""
    body = ff.open_capture(clip, bodies=prepared).bodies[index]
    places, truth = [], []
    for frame in body.frames:
        world_from_camera = camera_at(frame).world_from_camera
        object_from_world = torch.eye(4) if index == 0 else invert_rigid(box_at(frame))
        places.append(body.object_from_camera[frame])
        truth.append(object_from_world @ world_from_camera)
    found, true = torch.stack(places).double(), torch.stack(truth).double()
    # centres alone may lie on a line: points on the optical axes hold the rotation
    length = float((true[:, :3, 3] - true[0, :3, 3]).norm(dim=1).max())
    scale = float((found[:, :3, 3] - found[0, :3, 3]).norm(dim=1).max()) / length
    ahead = [
        pose[:, :3, 3] + 4 * unit * pose[:, :3, 2] for pose, unit in ((found, scale), (true, 1.0))
    ]
    fit = fit_similarity(
        torch.cat((found[:, :3, 3], ahead[0])), torch.cat((true[:, :3, 3], ahead[1]))
    )
    moved = found[:, :3, 3] @ fit[:3, :3].T + fit[:3, 3]
    assert float((moved - true[:, :3, 3]).norm(dim=1).max()) < 0.06 * length


def test_the_cameras_serve_other_methods(clip: Path, prepared: Path) -> None:
    capture = ff.open_capture(clip, cameras=prepared / "cameras.json")
    camera = capture.camera(NUM_FRAMES - 1)
    assert camera is not None
    assert camera.vertical_fov == pytest.approx(49.1)
    bodies = ff.open_capture(clip, bodies=prepared).bodies
    expected = invert_rigid(bodies[0].object_from_camera[NUM_FRAMES - 1])
    assert torch.allclose(camera.camera_from_world, expected, atol=1e-4)


def test_the_models_are_colmaps(prepared: Path) -> None:
    import pycolmap

    for index in (0, 1):
        model = pycolmap.Reconstruction(prepared / f"sparse{index}" / "0")
        assert model.num_reg_images() == NUM_FRAMES
        assert model.compute_mean_reprojection_error() < 0.3
        assert model.find_image_with_name("000") is not None


def test_an_object_in_one_frame_is_refused(clip: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for frame in range(NUM_FRAMES):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[30:60, 40:80] = 255 * (frame == 4)
        Image.fromarray(mask).save(masks / f"{frame:03d}.png")
    out = tmp_path / "out"
    words = ["prepare", "sfm", str(clip), "--masks", str(masks), "--out", str(out), "--fov", "49"]
    assert main([*words, "--max-tracks", "200"]) == 2
    assert not out.exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_resting_camera_is_refused(clip: Path, tmp_path: Path) -> None:
    still = tmp_path / "still"
    for name in ("images", "masks"):
        (still / name).mkdir(parents=True)
        source = Image.open(clip / name / "004.png")
        for frame in range(4):
            source.save(still / name / f"{frame:03d}.png")
    with pytest.raises(InputError, match="'background' failed: it shows no parallax"):
        ff.prepare("sfm", still, out=tmp_path / "out", fov=49.1, max_tracks=200, progress=False)
    assert not (tmp_path / "out").exists()


def test_nothing_is_replaced_unasked(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match=r"already there.*--overwrite"):
        ff.prepare("sfm", clip, out=tmp_path, progress=False)
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"focal": -3.0}, "focal is -3"),
        ({"fov": 200.0}, "fov is 200"),
        ({"max_tracks": 1}, "max_tracks is 1"),
        ({"focal": 100.0, "fov": 40.0}, "a focal length and a field of view"),
        ({"intrinsics": "known"}, "brings no intrinsics"),
        ({"initial_pair": ("001=000",)}, "cannot read '001=000'"),
        ({"initial_pair": ("001=000,077",)}, "no frame '077'"),
        ({"colour": 1}, "unknown option colour"),
    ],
)
def test_wrong_options_are_refused(
    clip: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    given = {"fov": 49.1, **options} if "initial_pair" in options else options
    with pytest.raises(UsageError, match=message):
        ff.prepare("sfm", clip, out=tmp_path / "out", progress=False, **given)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_prepared_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot prepare 'tea'"):
        ff.prepare("tea", clip, out=tmp_path / "out")


def test_nothing_but_prepared_bodies_is_replaced(clip: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep")
    for out, what in ((clip, "capture itself"), (clip.parent, "capture itself"), (mine, "is not")):
        with pytest.raises(UsageError, match=what):
            ff.prepare("sfm", clip, out=out, overwrite=True)
    assert (mine / "notes.txt").read_text() == "keep"
    assert clip.is_dir()


def test_without_pycolmap_it_is_said(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(MissingDependencyError, match=r"pycolmap.*fourfold\[sfm\]"):
        ff.prepare("sfm", clip, out=tmp_path / "out", fov=49.1, progress=False)


def test_the_lens_by_hand(clip: Path) -> None:
    """Frames of 144 shown at 72: a focal length of 100 stored pixels is 50 working pixels."""
    capture = ff.open_capture(clip, max_size=72)
    lens, how = choose_lens(capture, SfmOptions(focal=100.0))
    assert (lens.fx, lens.cx, lens.cy, how) == (50.0, 36.0, 27.0, "known")
    assert choose_lens(capture, SfmOptions(focal=100.0, intrinsics="refine"))[1] == "refine"
    assert choose_lens(capture, SfmOptions())[1] == "guess"
    wide, _ = choose_lens(capture, SfmOptions(fov=90.0))
    assert wide.fy == pytest.approx(27.0)


def test_pairs_are_read_by_frame_name() -> None:
    frames = ("a", "b", "c")
    assert initial_pairs(("duck=c,a", "background=a,b"), frames) == {
        "duck": (2, 0),
        "background": (0, 1),
    }


def test_frames_without_a_camera_are_named(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The background is not registered in the third and the fourth frame."""
    model = SimpleNamespace(registered=np.array([True, True, False, False, True, True, True]))
    health = Health("background", 7, 5, 90, 0.2, 4.0, 3.0, 0.1, (0, 5), 2.0, 1, False)
    solved = SimpleNamespace(mapping=SimpleNamespace(model=model), health=health)
    monkeypatch.setattr(structure_from_motion, "solve_bodies", lambda *_, **__: (solved,))
    monkeypatch.setattr(prepare_writing, "write_prepared", lambda *_: None)
    out = tmp_path / "sfm"
    assert main(["prepare", "sfm", str(clip), "--out", str(out), "--fps", "12"]) == 0
    said = capsys.readouterr().out
    assert "note: the background is not registered in 002, 003" in said
    assert f"next: fourfold train osn {clip} --fps 12.0 --bodies {out} --out RUN" in said
    assert "dreamscene4d" not in said
