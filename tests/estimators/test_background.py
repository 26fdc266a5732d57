import math

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.errors import InputError, UsageError
from fourfold.estimators import (
    Background,
    estimate_background,
    fill_unseen,
    grow_mask,
    render_plate,
)
from fourfold.geometry import axis_angle_to_quaternion, quaternion_to_matrix
from tests.estimators.scenes import look, texture

HEIGHT, WIDTH = 120, 160


def turned(angles: list[float], fx: float, fy: float, zooms=None) -> list[torch.Tensor]:
    """Give homographies frame_from_first of a camera turning right and rolling, in degrees."""
    first, homographies = None, []
    for t, degrees in enumerate(angles):
        zoom = 1.0 if zooms is None else zooms[t]
        k = torch.tensor([[fx * zoom, 0, WIDTH / 2], [0, fy * zoom, HEIGHT / 2], [0, 0, 1]])
        axis = torch.tensor([0.1, 0.9, 0.6]) * math.radians(degrees)
        matrix = k.double() @ quaternion_to_matrix(axis_angle_to_quaternion(axis.double()))
        first = torch.linalg.inv(matrix) if first is None else first
        homographies.append(matrix @ first)
    return homographies


def film(homographies: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Film a far-away texture, before which a red square runs, through homographies."""
    picture = texture(400, 480, seed=7)
    centre = torch.tensor([[1.0, 0, -160], [0, 1.0, -140], [0, 0, 1]]).double()
    images, masks = [], []
    for t, homography in enumerate(homographies):
        image = look(picture, homography @ centre, HEIGHT, WIDTH)
        mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
        mask[0, 40:75, 10 + 14 * t : 40 + 14 * t] = True
        image[mask[0]] = torch.tensor([1.0, 0.0, 0.0])
        images.append(image)
        masks.append(mask)
    return torch.stack(images), torch.stack(masks)


def angle_between(camera, expected: torch.Tensor) -> float:
    """Degrees between a camera's orientation and the expected camera_from_world rotation."""
    turn = camera.camera_from_world[:3, :3].double() @ expected.T
    return math.degrees(math.acos(min((float(turn.trace()) - 1) / 2, 1.0)))


def worst_psnr(background: Background, images: torch.Tensor, masks: torch.Tensor) -> float:
    worst = math.inf
    for image, mask, homography in zip(images, masks, background.homographies, strict=True):
        seen = render_plate(background.plate, homography, *image.shape[:2])
        free = ~grow_mask(mask.any(dim=0), 3)
        worst = min(worst, float(-10 * torch.log10((seen - image)[free].square().mean())))
    return worst


def test_a_still_camera_is_still():
    images, masks = film([torch.eye(3).double()] * 6)
    background = estimate_background(images, masks)
    assert background.mode == "static"
    assert "0.0" in background.reason
    assert background.plate.shape == (HEIGHT, WIDTH, 3)
    assert background.plate_valid.all()  # the square uncovers all it hid
    assert worst_psnr(background, images, masks) > 60
    for camera in background.cameras:
        assert torch.equal(camera.camera_from_world, torch.eye(4))


def test_a_turning_camera_of_known_lens():
    angles = [0.0, 1.5, 3.5, 6.0, 8.0, 11.0]
    focal = HEIGHT / 2 / math.tan(math.radians(49.1 / 2))
    images, masks = film(turned(angles, focal, focal))
    background = estimate_background(images, masks)
    assert background.mode == "rotation"
    assert torch.equal(background.cameras[0].camera_from_world, torch.eye(4))
    for degrees, camera in zip(angles, background.cameras, strict=True):
        axis = torch.tensor([0.1, 0.9, 0.6]).double() * math.radians(degrees)
        truth = quaternion_to_matrix(axis_angle_to_quaternion(axis))
        assert angle_between(camera, truth) < 0.05
        assert not camera.camera_from_world[:3, 3].any()
    assert background.residual.max() < 0.1
    assert background.inlier_share.min() > 0.97
    assert worst_psnr(background, images, masks) > 32


def test_squashed_pixels_are_found():
    """A 16:9 video squeezed into a square: fx is 9/16 of fy. A roll and a pan show it."""
    images, masks = film(turned([0, 3, 6, 9, 12, 15], 112.5, 200.0))
    background = estimate_background(images, masks)
    assert "fitted lens" in background.reason
    fx, fy = background.cameras[0].focal
    assert fx / fy == pytest.approx(9 / 16, rel=0.05)
    assert fy == pytest.approx(200, rel=0.1)
    assert background.residual.max() < 0.1


def test_a_zoom_is_found():
    zooms = [1.0, 1.05, 1.1, 1.15, 1.2, 1.25]
    images, masks = film(turned([0, 1, 2, 3, 4, 5], 150, 150, zooms))
    background = estimate_background(images, masks)
    assert "zooming" in background.reason
    first = background.cameras[0].focal[0]
    ratios = [camera.focal[0] / first for camera in background.cameras]
    assert ratios == pytest.approx(zooms, rel=0.004)
    assert background.residual.max() < 0.1


def test_a_pan_far_beyond_the_image_does_not_drift():
    """Twice across the image and back: the last frame must lie where the first does."""
    angles = [5.0 * min(t, 16 - t) for t in range(17)]
    axes = [torch.tensor([0.0, 1.0, 0.0]).double() * math.radians(a) for a in angles]
    focal = HEIGHT / 2 / math.tan(math.radians(49.1 / 2))
    k = torch.tensor([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]]).double()
    picture = texture(400, 700, seed=8)
    corner = torch.tensor([[1.0, 0, -430], [0, 1.0, -140], [0, 0, 1]]).double()
    images = []
    for axis in axes:
        turn = quaternion_to_matrix(axis_angle_to_quaternion(axis))
        images.append(look(picture, k @ turn @ torch.linalg.inv(k) @ corner, HEIGHT, WIDTH))
    nothing = torch.zeros(17, 0, HEIGHT, WIDTH, dtype=torch.bool)
    background = estimate_background(images, nothing)
    assert angle_between(background.cameras[-1], torch.eye(3).double()) < 0.1
    truth = quaternion_to_matrix(axis_angle_to_quaternion(axes[8]))
    assert angle_between(background.cameras[8], truth) < 0.5
    assert background.plate.shape[1] > 1.5 * WIDTH


def test_rotation_on_request_and_static_on_request():
    images, masks = film(turned([0, 2, 4], 131, 131))
    assert estimate_background(images, masks, "static").mode == "static"
    assert estimate_background(images, masks, "static").residual.max() > 1  # and it shows
    assert estimate_background(images, masks, "rotation").mode == "rotation"


def test_without_texture_the_camera_is_static_and_says_why():
    images = torch.full((3, HEIGHT, WIDTH, 3), 0.7)
    masks = torch.zeros(3, 1, HEIGHT, WIDTH, dtype=torch.bool)
    background = estimate_background(images, masks)
    assert background.mode == "static"
    assert "texture" in background.reason
    assert background.residual.isnan().all()
    torch.testing.assert_close(background.plate, images[0], atol=1e-4, rtol=0)
    with pytest.raises(InputError, match="0 trackable points"):
        estimate_background(images, masks, "rotation")


def test_one_frame_and_a_hole_never_seen():
    images, masks = film([torch.eye(3).double()])
    background = estimate_background(images, masks)
    assert background.mode == "static"
    assert not background.plate_valid[40:75, 10:40].any()
    filled = background.plate[45:70, 15:35]
    assert filled.isfinite().all()
    red = (filled[..., 0] - filled[..., 1:].amax(dim=-1)).mean()
    assert red < 0.3  # nothing of the object leaks into the fill


def test_the_result_repeats_exactly():
    images, masks = film(turned([0, 3, 6], 112.5, 200.0))
    first, second = (estimate_background(images, masks) for _ in range(2))
    assert torch.equal(first.plate, second.plate)
    assert torch.equal(first.homographies, second.homographies)
    assert torch.equal(first.residual, second.residual)


def test_what_does_not_fit_together_is_refused():
    images, masks = film([torch.eye(3).double()] * 2)
    with pytest.raises(InputError):
        estimate_background(images[:0], masks[:0])
    with pytest.raises(InputError):
        estimate_background(images, masks[:1])
    with pytest.raises(InputError, match="frame 0"):
        estimate_background(images, masks[:, :, :50])
    with pytest.raises(UsageError):
        estimate_background(images, masks, [])
    with pytest.raises(UsageError):
        estimate_background(images, masks, "moving")  # type: ignore[arg-type]


def test_fill_continues_an_even_colour_and_knows_nothing_from_nothing():
    image = torch.full((20, 30, 3), 0.25)
    known = torch.ones(20, 30, dtype=torch.bool)
    known[5:15, 5:25] = False
    holed = image.clone()
    holed[~known] = torch.nan
    torch.testing.assert_close(fill_unseen(holed, known), image, atol=4e-3, rtol=0)
    assert (fill_unseen(holed, torch.zeros_like(known)) == 0.5).all()


def read_clip(folder, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    def stack(files) -> np.ndarray:
        return np.stack([np.asarray(Image.open(file)) for file in sorted(files)])

    images = stack((folder / "JPEGImages" / name).glob("*.png"))
    objects = sorted((folder / "Annotations" / name).iterdir())
    masks = np.stack([stack(each.glob("*.png")) > 127 for each in objects], axis=1)
    return torch.from_numpy(images.astype(np.float32) / 255), torch.from_numpy(masks)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least_psnr", "most_residual"),
    [("kid-football", 28.0, 0.2), ("dogs-jump", 38.0, 0.25), ("rollerblade", 25.0, 1.5)],
)
def test_real_backgrounds(real_capture, name, least_psnr, most_residual):
    """All three were squeezed from 16:9 to 1:1, which the fitted lens shows: fx / fy = 0.56."""
    images, masks = read_clip(real_capture(f"ds4d_{name}"), name)
    background = estimate_background(images, masks)
    assert background.mode == "rotation"
    assert background.residual.max() < most_residual
    fx, fy = background.cameras[0].focal
    assert 0.45 < fx / fy < 0.68
    assert worst_psnr(background, images, masks) > least_psnr
