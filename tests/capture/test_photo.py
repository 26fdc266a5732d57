"""Photos: what is drawn on them, beside them, and in their EXIF."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import describe, open_capture, photo_capture
from fourfold.errors import InputError, UsageError
from fourfold.geometry import Camera

SQUARE = [[10.0, 20.0], [30.0, 20.0], [30.0, 40.0], [10.0, 40.0]]


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, "flags": {}, **more}


HINT = shape("hint_0", [[20.0, 30.0], [45.0, 20.0]], "line")
SHAPES = [shape("motion_0", SQUARE), HINT]


@pytest.fixture
def draw(tmp_path: Path):
    """Return a function that makes a photo of 80x60 with a drawing, and gives the folder."""

    def make(shapes=SHAPES, size=(80, 60), name="image", **more) -> Path:
        folder = tmp_path / "photo"
        folder.mkdir(exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
        data = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"{name}.png",
            "imageData": None,
            "imageHeight": size[1],
            "imageWidth": size[0],
            **more,
        }
        (folder / f"{name}.json").write_text(json.dumps(data))
        return folder

    return make


def write_json(folder: Path, **changes) -> None:
    file = folder / "image.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("name", ["", "image.png", "image.json"])
def test_the_folder_the_photo_and_the_json_are_one_capture(draw, name):
    capture = open_capture(draw() / name)
    assert capture.layout == "photo"
    assert capture.frames == ("image",)
    assert capture.object_names == ("motion_0",)
    expected = torch.zeros(1, 60, 80, dtype=torch.bool)
    expected[0, 20:40, 10:30] = True
    assert torch.equal(capture.masks(0), expected)
    (hint,) = capture.hints
    assert (hint.start, hint.end, hint.velocity) == ((20, 30), (45, 20), (0.5, -0.2))
    assert capture.channels == {"image", "mask", "hint", "camera"}
    assert any("beside the photo" in note for note in capture.notes) == (name == "image.png")


def test_regions_and_hints_follow_the_working_size(draw):
    capture = open_capture(draw(), max_size=40)
    assert capture.size() == (40, 30)
    assert capture.masks(0)[0].nonzero().min(0).values.tolist() == [10, 5]
    assert int(capture.masks(0).sum()) == 100
    assert capture.hints[0].start == (10, 15)
    assert capture.hints[0].velocity == (0.25, -0.1)


def test_a_photo_is_at_most_1280_pixels_and_a_clip_720(draw, tmp_path):
    Image.new("RGB", (2000, 1000)).save(tmp_path / "large.png")
    assert open_capture(tmp_path / "large.png").size() == (1280, 640)
    (tmp_path / "clip").mkdir()
    for name in "ab":
        Image.new("RGB", (2000, 1000)).save(tmp_path / "clip" / f"{name}.png")
    assert open_capture(tmp_path / "clip").size() == (720, 360)
    assert open_capture(draw()).size() == (80, 60)


def test_one_label_is_one_region_and_other_labels_are_told(draw):
    other = [[p[0] + 40, p[1]] for p in SQUARE]
    shapes = [
        shape("Motion", SQUARE),
        shape("motion ", other),
        shape("hint0", HINT["points"], "line"),
    ]
    capture = open_capture(draw([*shapes, shape("sky", SQUARE), shape("tree", SQUARE)]))
    assert capture.object_names == ("motion", "sky")
    assert capture.masks(0).sum((1, 2)).tolist() == [800, 400]
    assert any("1 shapes labelled 'tree' are left out" in note for note in capture.notes)


@pytest.mark.parametrize(
    ("kind", "points", "area"),
    [
        ("rectangle", [[10, 20], [30, 40]], 400),
        ("rectangle", SQUARE, 400),
        ("circle", [[40, 30], [50, 30]], 100 * math.pi),
        ("linestrip", [[10, 30], [30, 30], [50, 30]], 450),
    ],
)
def test_other_shapes_of_labelme(draw, kind, points, area):
    capture = open_capture(draw([shape("motion", points, kind)]))
    assert int(capture.masks(0).sum()) == pytest.approx(
        area, rel=0.25 if kind == "linestrip" else 0.02
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            shape("motion", SQUARE[:2]),
            "'motion' is a polygon of 2 points; expected a polygon of thr",
        ),
        (shape("motion", [[1, 1]], "point"), "'motion' is a point of 1 points"),
        (shape("hint_1", SQUARE), "hint 'hint_1' is a polygon of 4 points; expected a line of two"),
        (shape("hint_1", SQUARE[:3], "linestrip"), "'hint_1' is a linestrip of 3 points"),
        (shape("hint_1", [[5, 5], [5, 5]], "line"), "'hint_1' has no length.*Remove it"),
        (shape("motion", "abc"), "points of shape 2 .'motion'. are not readable"),
        (shape("motion", [[1, float("nan")]] * 3), "points of shape 2 .'motion'. are not readable"),
        ({"points": SQUARE}, "shape 2 has no label"),
        (7, "shape 2 has no label"),
    ],
)
def test_shapes_that_cannot_be_used(draw, bad, message):
    with pytest.raises(InputError, match=rf"image\.json: .*{message}"):
        open_capture(draw([*SHAPES, bad]))


def test_json_that_is_broken_or_something_else(draw):
    folder = draw()
    text = (folder / "image.json").read_text()
    (folder / "image.json").write_text(text[:-20])
    with pytest.raises(InputError, match=r"image\.json: not valid JSON"):
        open_capture(folder)
    (folder / "other.json").write_text("[1, 2]")
    with pytest.raises(InputError, match="not a drawing on a photo; expected labelme's JSON"):
        open_capture(folder / "other.json")
    write = json.loads(text) | {"imageWidth": "wide"}
    (folder / "image.json").write_text(json.dumps(write))
    with pytest.raises(InputError, match="the photo's size is 'wide' x 60"):
        open_capture(folder)


def test_a_drawing_made_at_another_size_is_scaled(draw):
    shapes = [shape("motion", [[x * 2, y * 2] for x, y in SQUARE]), HINT]
    folder = draw(shapes)
    write_json(folder, imageWidth=160, imageHeight=121)  # rounded up
    capture = open_capture(folder)
    assert int(capture.masks(0).sum()) == 400
    assert capture.hints[0].end[0] == 22.5
    assert any("made at 160x121 and is scaled" in note for note in capture.notes)


def test_the_json_of_another_photo(draw):
    folder = draw()
    write_json(folder, imageWidth=60, imageHeight=80)
    with pytest.raises(InputError, match=r"of another photo: it says 60x80.*expected .*80x60"):
        open_capture(folder)


def test_what_reaches_beyond_the_photo_is_cut_and_told(draw):
    far = [[-30, -30], [500, -30], [500, 10], [-30, 10]]
    hint = shape("hint_1", [[-5, 5], [20, 5]], "line")
    capture = open_capture(draw([shape("motion", far), hint]))
    assert int(capture.masks(0).sum()) == 800
    assert any("region motion reaches beyond" in note for note in capture.notes)
    assert any("hint hint_1 starts outside" in note for note in capture.notes)


def test_where_the_photo_of_a_drawing_is_found(draw):
    folder = draw()
    stored = (folder / "image.png").read_bytes()
    write_json(folder, imagePath="gone\\21.png")
    capture = open_capture(folder)
    assert any("no gone\\21.png, which the drawing names: image.png is" in n for n in capture.notes)
    pixels = capture.image(0)
    (folder / "image.png").unlink()
    with pytest.raises(
        InputError, match=r"image\.json: the photo of the drawing is missing; expec"
    ):
        open_capture(folder)
    write_json(folder, imageData=base64.b64encode(stored).decode())
    embedded = open_capture(folder)
    assert torch.equal(embedded.image(0), pixels)
    assert any("embedded in the JSON is taken" in note for note in embedded.notes)
    write_json(folder, imageData="###")
    with pytest.raises(InputError, match="the embedded photo is damaged"):
        open_capture(folder)


def test_an_upright_drawing_on_a_photo_that_is_stored_lying(draw):
    folder = draw(size=(60, 80))
    upright = Image.open(folder / "image.png")
    upright.load()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "image.png", exif=exif)
    capture = open_capture(folder)
    assert capture.size() == (60, 80)
    np.testing.assert_allclose(capture.image(0) * 255, np.asarray(upright), atol=1e-3)
    assert int(capture.masks(0)[0, 20:40, 10:30].sum()) == 400


def _focal(path: Path) -> float:
    camera = open_capture(path).camera(0)
    assert camera is not None
    assert camera.focal[0] == pytest.approx(camera.focal[1])
    return camera.focal[1]


def _with_exif(path: Path, tags: dict[int, object], size=(640, 480), lying=False) -> Path:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    if lying:
        exif[0x0112] = 8
    exif.get_ifd(0x8769).update(tags)
    Image.new("RGB", size, "gray").save(path, exif=exif)
    return path


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_focal_length_from_its_35_mm_equivalent(tmp_path, ending):
    # the diagonal of 640x480 is 800 pixels, that of the film 43.27 mm
    path = _with_exif(tmp_path / f"a.{ending}", {0xA405: 26})
    assert _focal(path) == pytest.approx(26 / 43.2666 * 800, rel=1e-4)
    assert any("EXIF, 26 mm on 35 mm film" in note for note in open_capture(path).notes)
    lying = _with_exif(tmp_path / f"b.{ending}", {0xA405: 26}, lying=True)
    assert open_capture(lying).size() == (480, 640)
    assert _focal(lying) == pytest.approx(_focal(path))


def test_focal_length_from_the_sensor(tmp_path):
    # 4000 pixels at 200 per millimetre: 20 mm; a lens of 10 mm is half the width
    tags = {0x920A: 10.0, 0xA20E: 200.0, 0xA210: 4, 0xA002: 4000}
    assert _focal(_with_exif(tmp_path / "a.jpg", tags)) == pytest.approx(320, rel=1e-4)


@pytest.mark.parametrize("tags", [{}, {0xA405: 0}, {0x920A: 10.0}, {0x920A: 10.0, 0xA20E: 0.0}])
def test_without_a_focal_length_a_phone_is_assumed(tmp_path, tags):
    path = _with_exif(tmp_path / "a.jpg", tags)
    assert _focal(path) == pytest.approx(26 / 43.2666 * 800, rel=1e-4)
    assert any("an assumption, 26 mm" in note for note in open_capture(path).notes)


def test_a_field_of_view_that_is_given(tmp_path):
    path = _with_exif(tmp_path / "a.jpg", {0xA405: 26})
    capture = open_capture(path, fov=90.0, max_size=320)
    camera = capture.camera(0)
    assert camera is not None
    assert camera.focal[1] == pytest.approx(120)
    assert [note for note in capture.notes if "field of view" in note] == [
        "the camera's vertical field of view is 90.0° (given)"
    ]
    assert capture.fingerprint() != open_capture(path, max_size=320).fingerprint()
    with pytest.raises(UsageError, match="field of view is 180 degrees; expected 1 to 170"):
        open_capture(path, fov=180)


def test_a_mask_takes_the_place_of_drawn_motion_only(draw, tmp_path):
    folder = draw([*SHAPES, shape("sky", [[0, 0], [80, 0], [80, 10], [0, 10]])])
    mask = np.zeros((120, 160), np.uint8)  # twice the photo's size
    mask[60:100] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    capture = open_capture(folder, masks=tmp_path / "mask.png")
    assert capture.object_names == ("motion", "sky")
    assert capture.masks(0).sum((1, 2)).tolist() == [20 * 80, 800]
    assert len(capture.hints) == 1
    Image.fromarray(mask[:80]).save(tmp_path / "mask.png")
    with pytest.raises(
        InputError, match=r"mask\.png: the mask is 160x80 pixels; expected .* 80x60"
    ):
        open_capture(folder, masks=tmp_path / "mask.png")


@pytest.mark.parametrize("place", ["image_json/mask.png", "image_mask.png"])
def test_a_mask_beside_the_photo(tmp_path, place):
    Image.new("RGB", (80, 60)).save(tmp_path / "image.png")
    (tmp_path / place).parent.mkdir(exist_ok=True)
    Image.new("L", (80, 60), 255).save(tmp_path / place)
    for path in (tmp_path, tmp_path / "image.png"):
        capture = open_capture(path)
        assert capture.object_names == ("motion",)
        assert capture.masks(0).all()
        assert any("white in the mask" in note for note in capture.notes)


def test_drawn_regions_come_before_an_exported_mask(draw):
    folder = draw()
    (folder / "image_json").mkdir()
    Image.new("L", (80, 60), 255).save(folder / "image_json" / "mask.png")
    assert int(open_capture(folder).masks(0).sum()) == 400


def test_depth_of_one_photo_is_a_file(draw, tmp_path):
    np.save(tmp_path / "d.npy", np.full((30, 40), 3.0))
    depth = open_capture(draw(), depth=tmp_path / "d.npy").depth(0)
    assert depth is not None
    assert torch.equal(depth, torch.full((60, 80), 3.0))


def test_cameras_that_are_given_replace_the_assumption(draw, tmp_path):
    frame = {"file_path": "image.png", "transform_matrix": np.eye(4).tolist()}
    (tmp_path / "transforms.json").write_text(json.dumps({"fl_x": 50, "frames": [frame]}))
    capture = open_capture(draw(), cameras=tmp_path / "transforms.json")
    camera = capture.camera(0)
    assert camera is not None
    assert camera.focal[0] == 50
    assert not any("field of view" in note for note in capture.notes)
    with pytest.raises(UsageError, match="a camera file and a field of view"):
        open_capture(draw(), cameras=tmp_path / "transforms.json", fov=40)


def test_frames_with_drawings_stay_frames(draw):
    draw()
    assert open_capture(draw(name="other")).layout == "frames"


def test_options_of_a_photo_need_a_photo(tmp_path):
    for name in "ab":
        Image.new("RGB", (8, 6)).save(tmp_path / f"{name}.png")
    np.save(tmp_path / "m.npy", np.ones((6, 8, 2)))
    given: list[dict[str, Any]] = [
        {"fov": 40.0},
        {"motion_field": tmp_path / "m.npy"},
        {"masks": tmp_path / "a.png"},
    ]
    for options in given:
        with pytest.raises(
            UsageError, match=r"for a single photo.*layout frames.*Give the picture"
        ):
            open_capture(tmp_path, **options)


@pytest.mark.parametrize(
    ("mode", "ending", "expected"),
    [
        ("L", "png", (0.4, 0.4, 0.4)),
        ("I;16", "png", (0.4, 0.4, 0.4)),
        ("RGBA", "png", (1.0, 0.8, 0.8)),
        ("CMYK", "jpg", (0.8, 0.2, 0.2)),
        ("P", "png", (0.8, 0.2, 0.2)),
    ],
)
def test_all_kinds_of_pictures(tmp_path, mode, ending, expected):
    red = (204, 51, 51)
    if mode == "I;16":
        picture = Image.fromarray(np.full((48, 64), 26214, np.uint16))
    elif mode == "RGBA":
        picture = Image.new("RGBA", (64, 48), (255, 0, 0, 51))
    else:
        color = 102 if mode == "L" else red
        picture = Image.new("L" if mode == "L" else "RGB", (64, 48), color).convert(mode)
    picture.save(tmp_path / f"a.{ending}")
    for size in (1280, 16):
        image = open_capture(tmp_path / f"a.{ending}", max_size=size).image(0)
        assert max(image.shape) == min(size, 64)
        np.testing.assert_allclose(image.mean((0, 1)), expected, atol=0.03)


def test_a_large_jpeg_is_shrunk_like_a_png(tmp_path):
    rows, columns = np.mgrid[:1200, :1600] / 1600
    smooth = np.stack((rows, columns, 1 - rows), -1)
    picture = Image.fromarray((smooth * 255).astype(np.uint8))
    for ending in ("png", "jpg"):
        picture.save(tmp_path / f"{ending}.{ending}", quality=95)
    images = [open_capture(tmp_path / f"{e}.{e}", max_size=160).image(0) for e in ("png", "jpg")]
    assert (images[0] - images[1]).abs().max() < 0.02


def test_a_photo_from_memory_is_the_photo_from_files(draw):
    stored = open_capture(draw())
    mask = torch.zeros(60, 80, dtype=torch.bool)
    mask[:10] = True
    capture = photo_capture(
        stored.image(0),
        {"motion_0": np.array(SQUARE), "sky": mask},
        [((20.0, 30.0), (45.0, 20.0))],
        fov=50.0,
        depth=torch.full((60, 80), 2.0),
    )
    assert torch.equal(capture.image(0), stored.image(0))
    assert torch.equal(capture.masks(0)[0], stored.masks(0)[0])
    assert torch.equal(capture.masks(0)[1], mask)
    assert capture.hints == stored.hints
    assert capture.has("depth")
    camera = capture.camera(0)
    assert camera is not None
    assert camera.focal[1] == pytest.approx(30 / math.tan(math.radians(25)))


def test_photos_in_memory_are_told_apart():
    image = torch.zeros(6, 8, 3)
    arrow = ((1.0, 1.0), (2.0, 1.0))
    given: list[dict[str, Any]] = [
        {},
        {"image": image + 1},
        {"regions": {"motion": torch.ones(6, 8, dtype=torch.bool)}},
        {"hints": [arrow]},
        {"fov": 40.0},
        {"depth": torch.ones(6, 8)},
    ]
    prints = {photo_capture(**{"image": image, **more}).fingerprint() for more in given}
    assert len(prints) == 6
    assert photo_capture(image).fingerprint() == photo_capture(image.clone()).fingerprint()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regions": {"tree": np.zeros((3, 2))}}, "no kind of region 'tree'"),
        ({"regions": {"sky": np.zeros((2, 2))}}, "region 'sky' is an array of float64 and shape"),
        ({"hints": [((1.0, 1.0), (1.0, 1.0))]}, "'hint_0' has no length"),
        ({"depth": torch.ones(3, 3)}, "the depth has shape"),
        ({"motion_field": torch.ones(6, 8)}, "the motion field has shape"),
        ({"fov": 40.0, "camera": Camera.from_fov(8, 6)}, "a camera and a field of view"),
        ({"fov": 0.0}, "field of view is 0 degrees"),
        ({"max_size": 0}, "the maximal size is 0"),
    ],
)
def test_photos_in_memory_that_do_not_fit(changes, message):
    with pytest.raises(InputError, match=message):
        photo_capture(torch.zeros(6, 8, 3), **changes)


def test_what_mom_needs(draw):
    assert describe(open_capture(draw())).missing["mom"] == ()
    (region, motion) = describe(open_capture(draw([]))).missing["mom"]
    assert region.startswith("a region that moves")
    assert motion.startswith("motion hints")
    assert describe(open_capture(draw())).hint_speeds == (pytest.approx(math.hypot(0.5, 0.2)),)


@pytest.mark.parametrize(
    ("name", "regions", "hints"), [("mom_scene_0", 3, 6), ("mom_scene_1", 1, 4), ("cine_0", 1, 5)]
)
def test_real_drawings(real_capture, name, regions, hints):
    folder = real_capture(name)
    capture = open_capture(folder)
    assert (len(capture.object_names), len(capture.hints)) == (regions, hints)
    assert capture.size() == (1280, 720)
    exported = open_capture(folder, masks=folder / "image_json" / "mask.png").masks(0)[0]
    # the exported mask holds the hints too, ten pixels wide
    drawn = capture.masks(0).any(0)
    assert (drawn & exported).sum() / drawn.sum() > 0.995
    assert (exported & ~drawn).sum() < 0.02 * drawn.numel()
