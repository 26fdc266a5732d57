"""Odd and bad photos from end to end: `fourfold train mom` says what is wrong, or handles it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.cli import main
from fourfold.scene import Scene
from fourfold.training import Run
from fourfold.verbs.demo import example_path
from tests.methods.mom.brook import FAR_HINT, HEIGHT, HORIZON, NEAR_HINT, WIDTH, brook_image

BROOK = [[32, 32], [64, 32], [64, 64], [32, 64]]
SKY = [[0, 0], [96, 0], [96, 20], [0, 20]]
AWAY = ((8.0, 50.0), (8.0, 60.0))
"""A hint beside the brook, out of its reach."""


def shape(label: str, points: Any, kind: str = "polygon") -> dict[str, Any]:
    """Give a shape as labelme writes it."""
    return {"label": label, "points": points, "shape_type": kind, "flags": {}}


def hints(*arrows: Any) -> list[dict[str, Any]]:
    """Give hints as labelme writes them."""
    return [shape(f"hint_{index}", arrow, "line") for index, arrow in enumerate(arrows)]


SHAPES = [shape("motion", BROOK), shape("sky", SKY), *hints(FAR_HINT, NEAR_HINT)]


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the brook and a drawing on it, and gives the photo's file."""

    def make(
        shapes: Any = SHAPES,
        picture: Image.Image | None = None,
        name: str = "brook.png",
        **more: Any,
    ) -> Path:
        photo = tmp_path / name
        picture = picture or Image.fromarray((brook_image() * 255).byte().numpy())
        picture.save(photo)
        size = {"imageWidth": WIDTH, "imageHeight": HEIGHT}
        data = {"shapes": shapes, "imagePath": name, "imageData": None, **size, **more}
        photo.with_suffix(".json").write_text(json.dumps(data))
        return photo

    return make


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Scene]:
    """Return a function that trains, and gives the scene."""

    def train(photo: Path, *words: str) -> Scene:
        out = tmp_path / "run"
        assert main(["train", "mom", str(photo), "--out", str(out), *FEW, *words]) == 0
        return Scene.load(Run.load(out).scene_folder)

    return train


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a function that trains, expects an error of one line, and returns that line."""
    monkeypatch.delenv("FOURFOLD_TRACEBACK", raising=False)

    def check(photo: Path, *words: str) -> str:
        out = tmp_path / "run"
        assert main(["train", "mom", str(photo), "--out", str(out), *FEW, *words]) == 2
        printed = capsys.readouterr()
        line = printed.err.splitlines()[-1]
        assert line.startswith("error: ")
        assert "Traceback" not in printed.err
        assert not (out / "scene").exists()
        return line

    return check


FEW = ["--loop.frames", "12"]


def write_mask(path: Path, mask: np.ndarray) -> Path:
    """Write a mask, white where something moves."""
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return path


# What cannot be used


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (SHAPES[:2], "nothing says how the regions move; expected lines labelled hint"),
        (SHAPES[1:], "nothing in the photo is marked to move; expected regions labelled motion"),
        ([], "nothing in the photo is marked to move"),
        ([*SHAPES[:2], *hints(AWAY)], "none of the 1 hints lies in or near a moving region"),
    ],
)
def test_drawings_that_say_too_little(draw, refused, shapes, said: str) -> None:
    line = refused(draw(shapes))
    assert said in line
    assert "Draw" in line


def test_hints_that_cancel_each_other(draw, refused) -> None:
    line = refused(draw([*SHAPES[:2], *hints(NEAR_HINT, NEAR_HINT[::-1])]))
    assert "nothing moves" in line
    assert "do not cancel each other" in line


def test_a_photo_without_a_drawing(draw, refused) -> None:
    photo = draw()
    photo.with_suffix(".json").unlink()
    assert "fourfold prepare draw" in refused(photo)


def test_a_mask_of_another_size(draw, refused, tmp_path: Path) -> None:
    mask = write_mask(tmp_path / "mask.png", np.ones((HEIGHT, WIDTH + 30), bool))
    line = refused(draw(), "--masks", str(mask))
    assert "mask.png" in line
    assert "126x64" in line
    assert "96x64" in line


def test_the_drawing_of_another_photo(draw, refused) -> None:
    line = refused(draw(imageWidth=64, imageHeight=96))
    assert "brook.json" in line
    assert "64x96" in line
    assert "96x64" in line


@pytest.mark.parametrize("cut", [0, 1, 200])
def test_broken_json(draw, refused, cut: int) -> None:
    photo = draw()
    file = photo.with_suffix(".json")
    file.write_bytes(file.read_bytes()[:cut])
    line = refused(file)
    assert "brook.json" in line


def test_a_damaged_photo(draw, refused) -> None:
    photo = draw()
    photo.write_bytes(photo.read_bytes()[:2000])
    assert "brook.png" in refused(photo)


def test_a_motion_field_with_nan(draw, refused, tmp_path: Path) -> None:
    field = np.full((HEIGHT, WIDTH, 2), 0.5, np.float32)
    field[40, 40] = np.nan
    np.save(tmp_path / "field.npy", field)
    line = refused(draw(), "--motion-field", str(tmp_path / "field.npy"))
    assert "field.npy" in line
    assert "finite" in line


def test_a_motion_field_that_rests(draw, refused, tmp_path: Path) -> None:
    np.save(tmp_path / "field.npy", np.zeros((HEIGHT, WIDTH, 2), np.float32))
    line = refused(draw(), "--motion-field", str(tmp_path / "field.npy"))
    assert "field.npy: the motion field is 0 everywhere" in line


def test_a_motion_field_of_another_place(draw, refused, tmp_path: Path) -> None:
    field = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    field[40:60, 70:90] = 0.5
    np.save(tmp_path / "field.npy", field)
    line = refused(draw(), "--motion-field", str(tmp_path / "field.npy"))
    assert "the motion field rests in all moving regions" in line


def test_a_video(refused) -> None:
    line = refused(example_path("juggler"), "--max-size", "64")
    assert "frames; expected a single photo" in line


def test_a_mask_that_is_black(draw, refused, tmp_path: Path) -> None:
    mask = write_mask(tmp_path / "mask.png", np.zeros((HEIGHT, WIDTH), bool))
    assert "move" in refused(draw([*SHAPES[1:]]), "--masks", str(mask))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--speed", "0"), "--speed is 0.0; expected 0.001 to 1000"),
        (("--loop.frames", "1"), "--loop.frames is 1; expected 2 to 3600"),
        (
            ("--stages", "loop,lift"),
            "expected some of depth,motion,lift,loop,refine, in this order",
        ),
        (("--stages", "lift"), "stage lift needs stage motion"),
        (("--fov", "190"), "190"),
        (("--depth-model", "nowhere"), "nowhere"),
    ],
)
def test_options_that_cannot_be(draw, refused, words: tuple[str, str], said: str) -> None:
    assert said in refused(draw(), *words)


# What is odd, and handled


def test_the_drawing_in_full(draw, trained) -> None:
    scene = trained(draw())
    assert scene.object_names == ("background", "filled", "motion")


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "I;16"])
def test_grey_and_transparent_photos(draw, trained, mode: str) -> None:
    pixels = (brook_image() * 255).byte().numpy()
    if mode == "I;16":
        picture = Image.fromarray(pixels.mean(-1).astype(np.uint16) * 257)
    elif mode == "RGBA":
        clear = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
        clear[:10] = 0
        picture = Image.fromarray(np.concatenate([pixels, clear], axis=-1))
    else:
        picture = Image.fromarray(pixels).convert(mode)
    scene = trained(draw(picture=picture))
    shown = scene.render(scene.cameras[0], 0.0)["rgb"]
    assert bool(shown.isfinite().all())
    if mode in ("L", "LA", "I;16"):
        assert float((shown.amax(-1) - shown.amin(-1)).max()) < 0.02  # grey stays grey


@pytest.mark.parametrize("whole", ["drawn", "mask"])
def test_a_region_over_the_whole_photo(draw, trained, tmp_path: Path, whole: str) -> None:
    corners = [[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]]
    words = []
    if whole == "mask":
        mask = write_mask(tmp_path / "mask.png", np.ones((HEIGHT, WIDTH), bool))
        words = ["--masks", str(mask)]
    shapes = hints(FAR_HINT, NEAR_HINT)
    if whole == "drawn":
        shapes.append(shape("motion", corners))
    scene = trained(draw(shapes), *words)
    moving = sum(len(item.geometry) for item in scene.objects if item.name.startswith("motion"))
    # all but the sky, in which there is no hint
    assert moving > WIDTH * (HEIGHT - HORIZON)
    shown = scene.render(scene.cameras[0], 5.0, {"rgb", "alpha"})
    assert bool(shown["rgb"].isfinite().all())
    assert float((shown["alpha"] < 0.5).float().mean()) < 0.001


def test_hints_that_contradict_are_told(draw, trained) -> None:
    across = ((41.0, 53.0), (55.0, 53.0))
    scene = trained(draw([*SHAPES[:2], *hints(NEAR_HINT, NEAR_HINT, NEAR_HINT[::-1], across)]))
    (region,) = scene.provenance["regions"]
    assert region["hints"] == ["hint_0", "hint_1", "hint_2", "hint_3"]
    assert "contradict" in region["note"]


def test_a_region_without_a_hint_moves_along_or_rests_and_says_so(draw, trained) -> None:
    beside = [[20, 46], [29, 46], [29, 60], [20, 60]]
    cloud = [[20, 4], [60, 4], [60, 12], [20, 12]]
    more = [shape("motion_side", beside), shape("motion_cloud", cloud)]
    scene = trained(draw([*SHAPES, *more]))
    notes = {entry["region"]: entry["note"] for entry in scene.provenance["regions"]}
    assert notes["motion"] == ""
    assert "no hint here" in notes["motion_side"]
    assert "stands still" in notes["motion_cloud"]
    assert set(scene.object_names) == {"background", "filled", "motion", "motion_side"}


def test_a_region_of_one_pixel(draw, trained) -> None:
    dot = [[48, 53], [49, 53], [49, 54], [48, 54]]
    scene = trained(draw([shape("motion", dot), SHAPES[1], *hints(NEAR_HINT)]))
    assert len(scene.object("motion").geometry) == 1
    shown = scene.render(scene.cameras[0], 6.0, {"rgb", "flow"})
    assert all(bool(picture.isfinite().all()) for picture in shown.values())


def test_a_hint_that_starts_and_ends_outside_the_photo_counts(draw, trained) -> None:
    through = ((48.0, -10.0), (48.0, 80.0))
    scene = trained(draw([*SHAPES[:2], *hints(through)]))
    assert scene.provenance["unused_hints"] == []


def test_one_hint_of_two_out_of_reach_is_told(draw, trained) -> None:
    scene = trained(draw([*SHAPES[:2], *hints(NEAR_HINT, AWAY)]))
    assert scene.provenance["unused_hints"] == ["hint_1"]


def test_a_motion_field_without_hints_or_regions(draw, trained, tmp_path: Path) -> None:
    field = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    field[40:60, 30:60, 0] = 0.5
    np.save(tmp_path / "field.npy", field)
    scene = trained(draw([SHAPES[1]]), "--motion-field", str(tmp_path / "field.npy"))
    flow = scene.render(scene.cameras[0], 0.0, {"flow"})["flow"]
    torch.testing.assert_close(flow[50, 45], torch.tensor([0.5, 0.0]), atol=0.03, rtol=0)


def test_a_photo_upright_and_narrow(draw, trained) -> None:
    narrow = Image.fromarray((brook_image() * 255).byte().numpy()[:, 34:62])
    shapes = [shape("motion", [[0, 32], [28, 32], [28, 64], [0, 64]]), *hints(((14, 40), (14, 55)))]
    scene = trained(draw(shapes, picture=narrow, imageWidth=28))
    assert (scene.cameras[0].width, scene.cameras[0].height) == (28, 64)


@pytest.mark.slow
def test_forty_megapixels_take_no_more_than_they_must(draw, trained, tmp_path: Path) -> None:
    size = (7744, 5163)
    pixels = Image.fromarray((brook_image() * 255).byte().numpy()).resize(size)
    factors = np.array(size) / (WIDTH, HEIGHT)
    shapes = [
        entry | {"points": (np.array(entry["points"]) * factors).tolist()} for entry in SHAPES
    ]
    photo = draw(shapes, pixels, "brook.jpg", imageWidth=size[0], imageHeight=size[1])
    scene = trained(photo, "--max-size", "320")
    assert (scene.cameras[0].width, scene.cameras[0].height) == (320, 213)
    # as floats the photo alone would be 480 MB
    assert Run.load(tmp_path / "run").costs()["peak_memory_mb"] < 1500.0
