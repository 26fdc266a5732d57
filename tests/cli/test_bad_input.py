"""Bad input from end to end: `fourfold train` says what is wrong in one line, or handles it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fourfold.cli import main

NUM_FRAMES, HEIGHT, WIDTH = 4, 48, 64
STEPS = "--move.iterations 6 --move.iterations-per-frame 0 --move.nodes 8"
SIZES = "--lift.gaussians-per-object 60 --lift.background-gaussians 200"
FEW = [*STEPS.split(), *SIZES.split()]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Make frames of a grey box that moves right by 4 pixels a frame before a textured wall."""
    folder = tmp_path / "clip"
    wall = np.random.default_rng(0).integers(0, 200, (HEIGHT // 4, WIDTH // 4, 3))
    wall = wall.repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)
    for frame in range(NUM_FRAMES):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[16:36, 8 + 4 * frame : 28 + 4 * frame] = 255
        picture = np.where(mask[..., None] > 0, np.uint8(230), wall)
        save(folder / "images" / f"{frame:05d}.png", picture)
        save(folder / "masks" / f"{frame:05d}.png", mask)
    return folder


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    """Write a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    (picture if mode is None else picture.convert(mode)).save(path)
    return path


def train(clip: Path, out: Path, *words: str) -> int:
    """Run `fourfold train` and return its exit code."""
    command = ["train", "dreamscene4d", str(clip / "images"), "--masks", str(clip / "masks")]
    return main([*command, "--out", str(out), *FEW, *words])


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a function that trains, expects an error of one line, and returns that line."""
    monkeypatch.delenv("FOURFOLD_TRACEBACK", raising=False)

    def check(clip: Path, *words: str, out: Path | None = None) -> str:
        out = out or tmp_path / "run"
        assert train(clip, out, *words) == 2
        printed = capsys.readouterr()
        lines = printed.err.splitlines()
        assert lines[-1].startswith("error: ")
        assert "Traceback" not in printed.err
        return lines[-1]

    return check


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def blank(path: Path) -> None:
    path.write_bytes(b"")


def shrink(path: Path) -> None:
    save(path, np.zeros((10, 10), np.uint8))


@pytest.mark.parametrize(
    ("harm", "file", "said"),
    [
        (cut, "images/00001.png", "00001.png, frame 00001: "),
        (blank, "images/00001.png", "the file is empty (0 bytes)"),
        (blank, "masks/00002.png", "the file is empty (0 bytes)"),
        (shrink, "masks/00002.png", "the mask is 10x10 pixels; expected 64x48"),
        (Path.unlink, "images/00001.png", "masks/00001.png: the mask belongs to no frame"),
        (Path.unlink, "masks/00001.png", "1 of 4 frames have no mask"),
    ],
)
def test_harmed_files(
    clip: Path, tmp_path: Path, refused: Callable[..., str], harm, file: str, said: str
) -> None:
    harm(clip / file)
    assert said in refused(clip)
    assert not (tmp_path / "run").exists()


def test_masks_that_are_empty_everywhere(
    clip: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    for path in (clip / "masks").iterdir():
        save(path, np.zeros((HEIGHT, WIDTH), np.uint8))
    assert "all masks are empty in all 4 frames" in refused(clip)
    assert not (tmp_path / "run").exists()


def test_an_object_named_background(
    clip: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    masks = clip / "masks"
    for path in list(masks.iterdir()):
        (masks / "background").mkdir(exist_ok=True)
        path.rename(masks / "background" / path.name)
    assert "an object is named 'background'" in refused(clip)
    assert not (tmp_path / "run").exists()


def test_one_frame_only(clip: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    line = refused(clip, "--frames", "0:1")
    assert "there is only 1 frame; expected at least 2 frames. Give a longer clip" in line
    line = refused(clip, "--frames", "0:2", "--holdout", "2")
    assert "holdout 2 leaves 1 frame to train on; expected 2 or more" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_frames_of_which_one_shows_the_object(clip: Path, tmp_path: Path) -> None:
    save(clip / "masks" / "00001.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    assert train(clip, tmp_path / "run", "--frames", "0:2") == 0
    assert main(["eval", str(tmp_path / "run")]) == 0


def test_depth_of_nothing_is_refused(
    clip: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    depth = tmp_path / "depth"
    depth.mkdir()
    for frame in range(NUM_FRAMES):
        value = np.nan if frame == 2 else 3.0
        np.save(depth / f"{frame:05d}.npy", np.full((HEIGHT, WIDTH), value, np.float32))
    line = refused(clip, "--depth", str(depth))
    assert "00002.npy, frame 00002: " in line
    assert "every value is NaN" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["deep", "CMYK", "grey", "depth with holes"])
def test_unusual_pictures_are_handled(clip: Path, tmp_path: Path, kind: str) -> None:
    words: list[str] = []
    for path in sorted((clip / "images").iterdir()):
        pixels = np.array(Image.open(path))
        if kind == "CMYK":
            save(path.with_suffix(".tif"), pixels, "CMYK")
            path.unlink()
        elif kind == "depth with holes":
            depth = np.where(np.arange(WIDTH) % 5 == 0, np.nan, 3.0 - pixels[..., 0] / 255)
            (tmp_path / "depth").mkdir(exist_ok=True)
            np.save(tmp_path / "depth" / f"{path.stem}.npy", depth.astype(np.float32))
            words = ["--depth", str(tmp_path / "depth")]
        else:
            grey = pixels.mean(-1)
            save(path, (grey * 257).astype(np.uint16) if kind == "deep" else grey.astype(np.uint8))
    assert train(clip, tmp_path / "run", *words) == 0
    assert (tmp_path / "run" / "scene" / "scene.json").is_file()


def test_a_video_that_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = tmp_path / "clip.mp4"
    video.write_text("not a video\n" * 100)
    code = main(["train", "dreamscene4d", str(video), "--out", str(tmp_path / "run")])
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "clip.mp4: " in line
    assert not (tmp_path / "run").exists()


def test_a_disk_that_nobody_may_write_to(
    clip: Path, read_only_disk: Path, refused: Callable[..., str]
) -> None:
    line = refused(clip, out=read_only_disk / "run")
    assert f"{read_only_disk}/run" in line
    assert "read-only" in line.lower()
    assert not list(read_only_disk.iterdir())


def test_a_full_disk(clip: Path, small_disk: Path, refused: Callable[..., str]) -> None:
    line = refused(clip, out=small_disk / "run")
    assert "no space left" in line
    assert "Free some space" in line
    run = small_disk / "run"
    assert not (run / "scene").exists()
    assert not [*run.rglob("*.new"), *run.rglob(".*-*")], "a half-written file was left"


def test_no_masks(real_capture: Callable[[str], Path], tmp_path: Path, capsys) -> None:
    clip = real_capture("lady-running")
    code = main(["train", "dreamscene4d", str(clip), "--out", str(tmp_path / "run")])
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "this capture has no object masks; expected a mask of every moving object" in line
    assert "--masks" in line
    assert not (tmp_path / "run").exists()
