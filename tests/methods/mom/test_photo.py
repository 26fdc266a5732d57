"""What mom takes from a capture, and what it refuses."""

import pytest
import torch

from fourfold.capture import open_capture, photo_capture
from fourfold.errors import InputError
from fourfold.methods.mom.photo import read_photo
from fourfold.verbs.demo import example_path
from tests.methods.mom.brook import (
    HEIGHT,
    NEAR_HINT,
    WIDTH,
    brook_capture,
    brook_image,
    brook_mask,
    sky_mask,
)


def test_a_photo_with_all_that_is_drawn_on_it():
    photo = read_photo(brook_capture())
    assert torch.equal(photo.image, brook_image())
    assert photo.moving_names == ["motion"]
    assert torch.equal(photo.moving, brook_mask().unsqueeze(0))
    assert torch.equal(photo.regions["sky"], sky_mask())
    assert len(photo.hints) == 2
    assert (photo.field, photo.depth) == (None, None)
    assert (photo.camera.width, photo.camera.height) == (WIDTH, HEIGHT)


def test_the_photos_camera_is_the_world():
    camera = brook_capture().camera(0)
    assert camera is not None
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([1.0, -2.0, 0.5])
    photo = read_photo(brook_capture(fov=None, camera=camera.moved(pose)))
    assert torch.equal(photo.camera.camera_from_world, torch.eye(4))
    assert torch.equal(photo.camera.intrinsics, camera.intrinsics)


def test_a_field_and_a_depth_map_are_handed_on():
    depth = torch.full((HEIGHT, WIDTH), 3.0)
    field = torch.ones(HEIGHT, WIDTH, 2)
    photo = read_photo(brook_capture(depth=depth, motion_field=field, hints=[]))
    assert photo.depth is not None
    assert photo.field is not None
    torch.testing.assert_close(photo.depth, depth)
    torch.testing.assert_close(photo.field[brook_mask()], field[brook_mask()])


def test_a_video_is_no_photo():
    with pytest.raises(InputError, match="this has 20 frames; expected a single photo"):
        read_photo(open_capture(example_path("juggler"), max_size=32))


@pytest.mark.parametrize(
    "regions",
    [
        {},
        {"sky": sky_mask()},
        {"motion": torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)},
    ],
)
def test_nothing_is_marked_to_move(regions: dict[str, torch.Tensor]):
    with pytest.raises(InputError, match=r"nothing in the photo is marked to move.*prepare draw"):
        read_photo(photo_capture(brook_image(), regions, [NEAR_HINT]))


def test_nothing_says_how_it_moves():
    with pytest.raises(InputError, match=r"nothing says how the regions move.*--motion-field"):
        read_photo(brook_capture(hints=[]))
