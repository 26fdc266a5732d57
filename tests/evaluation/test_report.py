"""The report: one page that is whole, safe and complete."""

import base64
import io
import math
import re
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image

from fourfold.evaluation import (
    Curve,
    Picture,
    Report,
    contact_sheet,
    describe_metric,
    encode_image,
    format_metric,
    render_report,
    training_curves,
    write_report,
)

VOID = {"meta", "img", "link", "br", "line", "circle", "polyline"}


class Outline(HTMLParser):
    """Collects the texts of a page and checks that its tags are nested properly."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.images: list[str] = []
        self.classes: list[str] = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.classes.append(attributes.get("class") or "")
        if tag == "img":
            self.images.append(attributes["src"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.texts.append(data.strip())


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert not parser.open
    return parser


def full_report() -> Report:
    entries = [{"stage": "move", "step": 0, "seconds": 0.1, "loss": 0.5}]
    return Report(
        title="A <b>title</b> & more",
        metrics={"psnr": 30.0, "heldout_object_psnr": 24.0, "novel20_psnr": None, "seconds": 70.0},
        comparisons={"Nearest frame": {"heldout_object_psnr": 25.0}},
        notes=["The scale of <i>owl</i> is open."],
        pictures=[Picture('a "red" square', torch.tensor([1.0, 0.0, 0.0]).expand(8, 8, 3))],
        frame_curves=[Curve("psnr", [0, 1], [30.0, 31.0], [False, True])],
        training_curves=training_curves(entries),
        laps={"compile": 5.0, "move": 70.0},
        settings={"lite": True, "move": {"steps": 3}},
    )


def test_every_part_is_there_and_markup_in_texts_is_inert():
    page = outline(render_report(full_report()))
    for text in (
        "A <b>title</b> & more",
        "The scale of <i>owl</i> is open.",
        "30.00 dB",
        "1 min 10 s",
        "heldout_object_psnr",
        "move: loss",
        "compile (not counted)",
        "move.steps",
        'a "red" square',
    ):
        assert text in page.texts, text


def test_the_page_asks_nothing_of_the_network_and_runs_nothing():
    page = render_report(full_report())
    assert "<script" not in page
    assert not re.findall(r"(?:https?:)?//", page)
    assert "url(" not in page


def test_the_picture_comes_back_from_the_page():
    (source,) = outline(render_report(full_report())).images
    kind, data = source.removeprefix("data:").split(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == "image/jpeg"
    assert picture.size == (8, 8)
    red, green, blue = picture.convert("RGB").getpixel((4, 4))  # pyright: ignore
    assert red > 250
    assert max(green, blue) < 5


def test_the_better_figure_of_two_is_the_bold_one():
    bold = re.findall(r'class="number best">([^<]*)<', render_report(full_report()))
    assert bold == ["25.00 dB"]


def test_the_figures_of_an_only_camera_are_not_repeated():
    one = {"psnr": 30.25, "psnr_cam00": 30.25}
    assert outline(render_report(Report("run", metrics=one))).texts.count("30.25 dB") == 2  # card
    two = {**one, "psnr_cam01": 30.25}
    assert outline(render_report(Report("run", metrics=two))).texts.count("30.25 dB") == 4


def test_an_empty_report_has_no_empty_sections():
    assert "<h2>" not in render_report(Report(title="nothing"))


def test_a_picture_of_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not PNG"):
        write_report(tmp_path / "report.html", Report("t", pictures=[Picture("text", b"text")]))
    assert not (tmp_path / "report.html").exists()


def test_names_and_units_of_figures():
    assert describe_metric("novel45_psnr").label == "PSNR, ±45°"
    assert describe_metric("baseline_heldout_object_psnr").label.endswith("baseline, held out")
    assert format_metric("num_gaussians", 48210) == "48,210"
    assert format_metric("something_new", 0.12345) == "0.123"
    assert format_metric("psnr", math.nan) == "–"


def test_training_curves_keep_the_order_and_skip_what_was_not_finite():
    entries = [
        {"stage": "lift", "step": 0, "seconds": 0.0, "loss": 1.0},
        {"stage": "lift", "step": 1, "seconds": 0.0, "loss": None, "rgb": 2.0},
        {"stage": "move", "step": 0, "seconds": 0.0, "loss": 3.0},
    ]
    curves = training_curves(entries)
    assert [(c.title, list(c.x), list(c.y)) for c in curves] == [
        ("lift: loss", [0], [1.0]),
        ("lift: rgb", [1], [2.0]),
        ("move: loss", [0], [3.0]),
    ]


def test_a_contact_sheet_holds_its_images_at_their_own_aspect():
    wide = torch.tensor([0.0, 1.0, 0.0]).expand(20, 40, 3)
    tall = torch.tensor([0.0, 0.0, 1.0]).expand(40, 20, 3)
    sheet = Image.open(io.BytesIO(contact_sheet([[("wide", wide), ("tall", tall)]], 50)))
    assert sheet.format == "PNG"
    colors = {color: count for count, color in sheet.getcolors(1 << 16)}  # pyright: ignore
    assert colors[(0, 255, 0)] == 100 * 50
    assert colors[(0, 0, 255)] == 25 * 50


def test_a_contact_sheet_needs_an_image():
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet([[]])


def test_images_are_clipped_not_wrapped():
    data = encode_image(torch.tensor([[[1.5, -0.5, 0.5]]]), "PNG")
    assert Image.open(io.BytesIO(data)).getpixel((0, 0)) == (255, 0, 128)
