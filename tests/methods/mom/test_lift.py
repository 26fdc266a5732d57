"""From a photo to Gaussians: what stands still, what moves, what is hidden."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from jaxtyping import Bool
from torch import Tensor

from fourfold.estimators import estimate_landscape_depth
from fourfold.evaluation import psnr
from fourfold.methods.mom.canvas import Canvas, extend_canvas
from fourfold.methods.mom.layers import Layer, cut_layers
from fourfold.methods.mom.lift import BED_DEPTH, EPS2D, ROUNDS, Lifted, lift
from fourfold.methods.mom.photo import read_photo
from fourfold.scene import Gaussians, draw
from tests.methods.mom.brook import brook_capture, brook_image, brook_mask


@dataclass(frozen=True)
class Work:
    """The brook's canvas, layers and region, and what became of them."""

    canvas: Canvas
    layers: list[Layer]
    region: Bool[Tensor, "H W"]
    lifted: Lifted


@pytest.fixture(scope="module")
def work() -> Work:
    photo = read_photo(brook_capture())
    landscape = estimate_landscape_depth(photo.image, photo.camera, photo.regions)
    canvas = extend_canvas(photo.image, landscape, photo.camera)
    layers = cut_layers(canvas)
    region = canvas.extend(brook_mask())
    return Work(canvas, layers, region, lift(canvas, layers, region.unsqueeze(0)))


def _draw(work: Work, parts: list[Gaussians]) -> dict[str, Tensor]:
    drawn = draw(parts, work.canvas.camera, ("rgb", "alpha", "depth"), eps2d=EPS2D)
    return {name: work.canvas.photo(value) for name, value in drawn.outputs.items()}


def test_at_rest_the_photo_is_matched(work: Work):
    picture = _draw(work, work.lifted.parts())["rgb"]
    assert float(psnr(picture.clamp(0, 1), brook_image())) > 40.0


def test_without_correction_it_would_be_blurred(work: Work, monkeypatch: pytest.MonkeyPatch):
    from fourfold.methods.mom import lift as module

    monkeypatch.setattr(module, "ROUNDS", 0)
    raw = lift(work.canvas, work.layers, work.region.unsqueeze(0))
    picture = _draw(work, raw.parts())["rgb"]
    assert float(psnr(picture.clamp(0, 1), brook_image())) < 38.0


def test_nothing_is_left_open(work: Work):
    camera = work.canvas.camera
    alpha = draw(work.lifted.parts(), camera, ("alpha",), eps2d=EPS2D).outputs["alpha"]
    # the canvas's rim has no neighbours on one side
    assert float(work.canvas.photo(alpha).min()) > 0.99
    assert float(alpha.min()) > 0.5


def test_each_pixel_is_in_one_part(work: Work):
    lifted, invented = work.lifted, work.canvas.invented
    (moving,) = lifted.moving
    still = ~work.region
    hidden = sum(int(layer.present.sum()) for layer in work.layers[1:])
    assert len(moving) == int(work.region.sum())
    # with its picture once more, at half the size, under the moving region
    bed = len(lifted.still) - int((still & ~invented).sum())
    assert len(moving) / 4 <= bed < len(moving) / 3
    assert len(lifted.filled) == int((still & invented).sum()) + hidden
    assert [len(part) for part in lifted.parts()] == [
        len(lifted.still),
        len(lifted.filled),
        len(moving),
    ]


def test_the_bed_lies_under_the_brook_and_shows_its_picture(work: Work):
    lifted, mask = work.lifted, brook_mask()
    bed = _draw(work, [lifted.still, lifted.filled])
    whole = _draw(work, lifted.parts())
    assert float(bed["alpha"][mask].min()) > 0.9
    share = bed["depth"][mask] / whole["depth"][mask]
    assert float(share.min()) > 1.0 + 0.5 * (BED_DEPTH - 1.0)
    # at half the size
    assert float(psnr(bed["rgb"].clamp(0, 1), brook_image(), mask)) > 20.0


def test_each_correction_is_counted(work: Work):
    calls = []
    bar = SimpleNamespace(advance=lambda: calls.append(1))
    lift(work.canvas, work.layers, work.region.unsqueeze(0), bar)  # pyright: ignore[reportArgumentType]
    assert len(calls) == ROUNDS
