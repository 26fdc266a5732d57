import pytest
import torch

from fourfold.estimators import SKY_DEPTH, LandscapeDepth
from fourfold.geometry import Camera, unproject_pixels
from fourfold.methods.mom.canvas import Canvas, extend_canvas
from fourfold.methods.mom.layers import Layer, cut_layers, depth_edges, parallax_gain
from fourfold.splat import rasterize

HEIGHT, WIDTH, HORIZON = 120, 160, 40
CAMERA = Camera.from_fov(WIDTH, HEIGHT, 45.0)
RED, GREEN, BLUE = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.6, 0.1], [0.5, 0.7, 0.9]])


def valley(with_house: bool = True) -> tuple[torch.Tensor, LandscapeDepth]:
    """A red house from row 20 to 90 on green ground before a blue sky, and the depth of all."""
    rows = torch.arange(HEIGHT)[:, None].expand(HEIGHT, WIDTH) + 0.5
    inverse = ((rows - HORIZON) / CAMERA.focal[1]).clamp(min=1 / 200)
    sky = rows < HORIZON
    image = torch.where(sky[..., None], BLUE, GREEN)
    house = torch.zeros_like(sky)
    if with_house:
        house[20:90, 60:100] = True
        image[house] = RED
        inverse = inverse.masked_fill(house, 50 / CAMERA.focal[1])
        sky = sky & ~house
    depth = (1 / inverse).masked_fill(sky, SKY_DEPTH)
    return image, LandscapeDepth(depth, sky, ~sky & ~house, HORIZON, "test")


def canvas(with_house: bool = True) -> Canvas:
    return extend_canvas(*valley(with_house), CAMERA)


def draw(layers: list[Layer], on: Canvas, shift: tuple[float, float, float]):
    """Draw a Gaussian of 0.6 px per pixel of the layers, as the photo's camera sees it moved."""
    grid = on.camera.pixel_grid()
    points = torch.cat([unproject_pixels(on.camera, grid, x.depth)[x.present] for x in layers])
    colors = torch.cat([layer.image[layer.present] for layer in layers])
    sizes = 0.6 * points[:, 2:] / CAMERA.focal[0]
    turns = torch.tensor([1.0, 0, 0, 0]).expand(len(points), 4)
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor(shift) * parallax_gain(on) / CAMERA.focal[0]
    opacities = torch.full((len(points),), 0.95)
    scales = sizes.expand(-1, 3)
    size = (WIDTH, HEIGHT)
    return rasterize(points, turns, scales, opacities, colors, pose, CAMERA.intrinsics, *size)


def test_the_canvas_continues_planes_and_keeps_the_photo():
    image, landscape = valley(False)
    wide = canvas(False)
    assert wide.margin == round(0.035 * WIDTH) == 6
    assert torch.equal(wide.photo(wide.image), image)
    assert torch.allclose(wide.photo(wide.landscape.depth), landscape.depth, rtol=1e-6)
    assert wide.landscape.horizon == HORIZON + 6
    inverse = 1 / wide.landscape.depth[60:]
    rows = torch.arange(60, HEIGHT + 12)[:, None] + 0.5
    expected = (rows - wide.landscape.horizon) / CAMERA.focal[1]
    assert torch.allclose(inverse, expected.expand_as(inverse), rtol=1e-4)
    assert int(wide.invented.sum()) == wide.invented.numel() - HEIGHT * WIDTH


def test_points_of_the_canvas_are_where_the_photo_has_them():
    wide = canvas()
    here = unproject_pixels(CAMERA, CAMERA.pixel_grid(), valley()[1].depth)
    there = unproject_pixels(wide.camera, wide.camera.pixel_grid(), wide.landscape.depth)
    assert torch.allclose(wide.photo(there), here, atol=1e-4, rtol=1e-5)


def test_masks_and_velocities_go_on_as_the_picture_does():
    wide = canvas()
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[2:5, 0] = True
    velocity = torch.rand(HEIGHT, WIDTH, 2, generator=torch.Generator().manual_seed(0))
    assert wide.extend(mask)[:, 6].nonzero().flatten().tolist() == [2, 3, 4, 8, 9, 10]
    assert wide.extend(mask).dtype == torch.bool
    assert torch.equal(wide.extend(velocity)[0, 6:-6], velocity[6])
    assert torch.equal(wide.photo(wide.extend(velocity)), velocity)


def test_level_ground_without_edges_is_one_layer():
    image, landscape = valley(False)
    ground = LandscapeDepth(
        landscape.depth[60:], landscape.sky[60:], landscape.ground[60:], -20.0, "test"
    )
    view = CAMERA.cropped(0, 60, WIDTH, 60)
    assert len(cut_layers(extend_canvas(image[60:], ground, view))) == 1


def test_the_background_goes_on_as_ground_and_as_sky():
    wide = canvas()
    layers = cut_layers(wide)
    hidden, margin = layers[1], wide.margin
    assert bool(layers[0].present.all())
    assert bool((hidden.depth > wide.landscape.depth)[hidden.present].all())
    beside = hidden.present.clone()
    beside[: HORIZON + margin + 6] = False
    rows = torch.arange(HEIGHT + 2 * margin)[:, None].expand(beside.shape) + 0.5
    ground = CAMERA.focal[1] / (rows - HORIZON - margin)
    assert int(beside.sum()) > 100
    assert torch.allclose(hidden.depth[beside], ground[beside], rtol=5e-3)
    above = hidden.present.clone()
    above[HORIZON + margin - 6 :] = False
    assert int(above.sum()) > 100
    assert bool((hidden.depth[above] == SKY_DEPTH).all())
    assert bool(hidden.sky[above].all())
    assert torch.allclose(hidden.image[above], BLUE, atol=0.02)
    assert torch.allclose(hidden.image[beside], GREEN, atol=0.02)


@pytest.mark.parametrize(
    "shift", [(1.0, 0, 0), (-1.0, 0, 0), (0, 1.0, 0), (0, -1.0, 0), (0.7, 0.7, 0), (0, 0, -1.0)]
)
def test_a_shifted_camera_sees_no_hole_and_no_stretched_house(shift):
    """30 px at 1280 are 3.75 here: what the photo alone leaves open is covered, and not in red."""
    wide = canvas()
    layers = cut_layers(wide)
    seen = draw(layers, wide, shift)
    assert float(seen.alpha.min()) > 0.5
    # Between the colours of house, ground and sky there is nothing that is none of them.
    away = (seen.image[..., None, :] - torch.stack([RED, GREEN, BLUE])).norm(dim=-1).amin(dim=-1)
    assert float((away > 0.2).float().mean()) < 0.02
    if shift[1] == shift[2] == 0:
        alone = draw(layers[:1], wide, shift)
        assert float(alone.alpha.min()) < 0.5  # so the second layer is needed


def test_an_inpainter_is_asked_for_all_that_lies_before_the_background():
    asked = []

    def paint(image, hole):
        asked.append(hole)
        return torch.where(hole[..., None], torch.tensor([1.0, 0.0, 1.0]), image)

    wide = canvas()
    hidden = cut_layers(wide, paint)[1]
    assert bool((hidden.image[hidden.present] == torch.tensor([1.0, 0.0, 1.0])).all())
    assert bool(asked[0][hidden.present].all())


def test_layers_repeat_exactly():
    first, second = cut_layers(canvas()), cut_layers(canvas())
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.present, other.present)


def test_edges_are_where_neighbours_part():
    depth = torch.tensor([[1.0, 1.0, 2.0], [1.0, 1.01, 2.0]])
    right, below = depth_edges(depth, gain=10.0)
    assert right.tolist() == [[False, True], [False, True]]
    assert not below.any()
