"""The drawing page in a real browser; skipped where there is none."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fourfold as ff
from fourfold.verbs.draw_desk import DrawingDesk
from fourfold.verbs.draw_server import DrawingServer

playwright = pytest.importorskip("playwright.sync_api")
BROWSER = next((p for n in ("chromium", "google-chrome") if (p := shutil.which(n))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")

SQUARE = [(20, 20), (100, 20), (100, 80), (20, 80)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start one browser for all tests."""
    with playwright.sync_playwright() as started:
        # in containers, root has no sandbox
        launched = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield launched
        launched.close()


class Page:
    """The page with its photo of 160x120, used by points of the photo."""

    def __init__(self, page: Any, out: Path) -> None:
        self.page = page
        self.file = out / "pond.json"

    def at(self, x: float, y: float) -> tuple[float, float]:
        left, top = self.page.evaluate(f"onPage({x}, {y})")
        return left, top

    def click(self, *points: tuple[float, float]) -> None:
        for point in points:
            self.page.mouse.click(*self.at(*point))

    def drag(self, *points: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=4)
        self.page.mouse.up()

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def labels(self) -> list[str]:
        return self.page.locator("#shapes b").all_inner_texts()

    def save(self) -> list[dict[str, Any]]:
        with self.page.expect_response("**/save") as answer:
            self.keys("Control+s")
        assert answer.value.ok
        playwright.expect(self.page.locator("#save")).to_have_text("Saved")
        return json.loads(self.file.read_text())["shapes"]


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Page]:
    """Open the page on a new photo; errors in it fail the test."""
    ramp = np.tile(np.linspace(0, 255, 160).astype(np.uint8)[None, :, None], (120, 1, 3))
    Image.fromarray(ramp).save(tmp_path / "pond.png")
    desk = DrawingDesk.open(tmp_path / "pond.png", tmp_path / "out", lambda file: None)
    errors: list[str] = []
    with DrawingServer(desk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        opened = browser.new_page(viewport={"width": 900, "height": 640})
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", lambda told: told.type == "error" and errors.append(told.text))
        opened.goto(server.url)
        opened.wait_for_selector("body[data-ready]")
        yield Page(opened, tmp_path / "out")
        opened.close()
        server.shutdown()
        thread.join()
    # one test stops a request on purpose
    assert [error for error in errors if "ERR_FAILED" not in error] == []


def test_a_region_and_a_hint_become_a_capture(page: Page) -> None:
    page.click(*SQUARE)
    page.keys("Enter", "h")
    page.drag((40, 40), (80, 60))
    assert page.labels() == ["motion_0", "hint_0"]
    assert page.page.locator("#shapes small").inner_text() == "0.9 px/frame"
    motion, hint = page.save()
    assert (motion["shape_type"], hint["shape_type"]) == ("polygon", "line")
    np.testing.assert_allclose(motion["points"], SQUARE, atol=0.2)
    np.testing.assert_allclose(hint["points"], [(40, 40), (80, 60)], atol=0.2)
    assert "fourfold train mom" in page.page.locator("#message code").inner_text()
    capture = ff.open_capture(page.file)
    assert int(capture.masks(0).sum()) == pytest.approx(80 * 60, rel=0.01)
    assert capture.hints[0].velocity == pytest.approx((0.8, 0.4), abs=0.01)


def test_ways_to_close_a_region(page: Page) -> None:
    page.click(*SQUARE, SQUARE[0])  # on its first corner
    page.page.mouse.dblclick(*page.at(150, 110))  # a double click alone is no region
    page.keys("Escape", "s")
    page.click((10, 5), (150, 5))
    page.page.mouse.dblclick(*page.at(80, 15))
    page.keys("w")
    page.drag((20, 90), (140, 90), (140, 115), (20, 115), (20, 92))  # freehand
    motion, sky, water = page.save()
    labels = [shape["label"] for shape in (motion, sky, water)]
    assert labels == ["motion_0", "sky_0", "water_0"]
    assert (len(motion["points"]), len(sky["points"])) == (4, 3)
    assert len(water["points"]) > 8
    areas = ff.open_capture(page.file).masks(0).sum((1, 2)).tolist()
    assert areas == pytest.approx([4800, 700, 3000], rel=0.03)


def test_undo_redo_and_remove(page: Page) -> None:
    page.click(*SQUARE)
    page.keys("Control+z")  # the last corner, while drawing
    page.keys("Enter")
    page.keys("g")
    page.click((120, 90), (150, 90), (150, 110))
    page.keys("Enter")
    assert page.labels() == ["motion_0", "ground_0"]
    page.keys("Control+z", "Control+z")
    assert page.labels() == []
    assert page.page.locator("#undo").is_disabled()
    page.keys("Control+Shift+z")
    assert page.labels() == ["motion_0"]
    page.keys("Control+y")
    page.page.get_by_label("Remove motion_0").click()
    assert page.labels() == ["ground_0"]
    page.keys("Control+z")
    page.page.locator("#shapes li").first.click()
    page.keys("Delete")
    assert page.labels() == ["ground_0"]
    (shape,) = page.save()
    assert len(shape["points"]) == 3


def test_corners_and_shapes_are_dragged(page: Page) -> None:
    page.click(*SQUARE)
    page.keys("Enter", "v")
    page.click((60, 50))
    page.drag((100, 80), (120, 100))  # a corner
    page.drag((60, 50), (70, 55))  # the whole
    page.page.mouse.dblclick(*page.at(70, 25))  # a new corner on the upper edge
    page.page.keyboard.down("Alt")
    page.click((30, 85))  # the lower left one goes
    page.page.keyboard.up("Alt")
    (shape,) = page.save()
    expected = [(30, 25), (70, 25), (110, 25), (130, 105)]
    np.testing.assert_allclose(shape["points"], expected, atol=0.5)


def test_arrows_are_dragged_by_their_ends_and_never_vanish(page: Page) -> None:
    page.keys("h")
    page.drag((40, 40), (80, 40))
    page.drag((40, 60), (40.2, 60))  # no more than a click
    page.keys("v")
    page.drag((80, 40), (80, 90))
    page.drag((80, 90), (40, 40))  # onto its start: taken back
    (hint,) = page.save()
    np.testing.assert_allclose(hint["points"], [(40, 40), (80, 90)], atol=0.3)


def test_zoomed_and_moved_it_draws_at_the_same_place(page: Page) -> None:
    page.page.mouse.move(*page.at(80, 60))
    page.page.mouse.wheel(0, -400)
    page.page.keyboard.down("Space")
    page.drag((80, 60), (70, 50))
    page.page.keyboard.up("Space")
    assert page.labels() == []
    page.click((70, 50), (110, 50), (110, 70))
    page.keys("Enter")
    (shape,) = page.save()
    np.testing.assert_allclose(shape["points"], [(70, 50), (110, 50), (110, 70)], atol=0.2)
    before = page.at(0, 0)
    page.keys("0")
    assert page.at(0, 0) != before


def test_a_region_becomes_another_kind(page: Page) -> None:
    page.click(*SQUARE)
    page.keys("Enter")
    page.page.get_by_label("Kind of motion_0").select_option("vertical")
    assert page.labels() == ["vertical_0"]
    assert page.save()[0]["label"] == "vertical_0"


def test_nothing_leaves_the_photo(page: Page) -> None:
    page.click((-5, -5), (165, -5), (165, 125), (-5, 125))
    page.keys("Enter")
    (shape,) = page.save()
    expected = [(0, 0), (160, 0), (160, 120), (0, 120)]
    np.testing.assert_allclose(shape["points"], expected, atol=0.01)


def test_the_preview_moves(page: Page) -> None:
    page.click(*SQUARE)
    page.keys("Enter", "h")
    page.drag((40, 50), (80, 50))
    page.keys("v", "Escape", "p")
    page.page.wait_for_timeout(300)
    first = page.page.locator("#canvas").screenshot()
    page.page.wait_for_timeout(200)
    assert page.page.locator("#canvas").screenshot() != first


def test_a_server_that_has_gone_is_told(page: Page) -> None:
    page.click(*SQUARE)
    page.keys("Enter")
    page.page.route("**/save", lambda route: route.abort())
    page.page.locator("#save").click()
    page.page.wait_for_selector("#message.bad")
    assert "no longer runs" in page.page.locator("#message").inner_text()
    assert page.page.locator("#save").inner_text() == "Save"


@pytest.mark.parametrize("width", [360, 900, 1400])
def test_it_fits_small_windows(page: Page, width: int) -> None:
    page.page.set_viewport_size({"width": width, "height": 520})
    inner = "document.documentElement.scrollWidth <= innerWidth"
    assert page.page.evaluate(inner)
    box = page.page.locator("#save").bounding_box()
    assert box["x"] + box["width"] <= width
    assert page.page.locator("#canvas").bounding_box()["height"] > 150
