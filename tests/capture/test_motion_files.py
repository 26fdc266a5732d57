"""Dense motion fields beside a photo."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import open_capture, photo_capture
from fourfold.errors import InputError

FIELD = np.zeros((6, 8, 2), np.float32)
FIELD[:, 4:] = (0.5, -0.25)


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (16, 12)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def write_flo(path, field):
    height, width = field.shape[:2]
    head = struct.pack("<fii", 202021.25, width, height)
    path.write_bytes(head + field.astype("<f4").tobytes())


def write(path, field):
    if path.suffix == ".flo":
        write_flo(path, field)
    elif path.suffix == ".npz":
        np.savez(path, flow=field, other=np.ones(3))
    else:
        np.save(path, field)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("m.flo", FIELD),
        ("m.npz", FIELD),
        ("m.npy", FIELD),
        ("m.npy", FIELD.transpose(2, 0, 1)),
        ("m.npy", FIELD.transpose(2, 0, 1)[None]),
    ],
)
def test_all_forms_are_pixels_of_their_own_grid(photo, tmp_path, name, stored):
    write(tmp_path / name, stored)
    capture = open_capture(photo, motion_field=tmp_path / name)
    field = capture.motion_field()
    assert field is not None
    assert field.shape == (12, 16, 2)
    # twice the size, so twice the pixels per frame
    torch.testing.assert_close(field[3, 13], torch.tensor([1.0, -0.5]))
    assert capture.channels >= {"motion", "mask"}
    assert capture.object_names == ("motion",)
    assert not field[:, :7].any()
    assert any("at most 1.1 photo pixels per frame" in note for note in capture.notes)
    assert any("no mask is given" in note for note in capture.notes)
    small = open_capture(photo, motion_field=tmp_path / name, max_size=8).motion_field()
    assert small is not None
    torch.testing.assert_close(small[2, 6], torch.tensor([0.5, -0.25]))


def test_a_square_grid_is_stretched_to_the_photo(photo, tmp_path):
    square = np.ones((1, 2, 4, 4), np.float32)
    np.save(tmp_path / "m.npy", square)
    field = open_capture(photo, motion_field=tmp_path / "m.npy").motion_field()
    assert field is not None
    torch.testing.assert_close(field[5, 5], torch.tensor([4.0, 3.0]))


def test_a_mask_cuts_the_field(photo, tmp_path):
    np.save(tmp_path / "m.npy", np.ones((12, 16, 2), np.float32))
    mask = np.zeros((12, 16), np.uint8)
    mask[6:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    capture = open_capture(photo, motion_field=tmp_path / "m.npy", masks=tmp_path / "mask.png")
    field = capture.motion_field()
    assert field is not None
    assert not field[:6].any()
    assert (field[6:] == 1).all()
    assert not any("no mask is given" in note for note in capture.notes)


def test_what_a_flo_does_not_know_is_at_rest(photo, tmp_path):
    field = np.ones((12, 16, 2), np.float32)
    field[0, 0] = 1.7e9
    write_flo(tmp_path / "m.flo", field)
    found = open_capture(photo, motion_field=tmp_path / "m.flo").motion_field()
    assert found is not None
    assert found[0, 0].tolist() == [0, 0]
    assert found[0, 1].tolist() == [1, 1]


def test_without_a_field_there_is_none(photo):
    assert open_capture(photo).motion_field() is None


def test_a_field_in_memory():
    field = photo_capture(torch.zeros(6, 8, 3), motion_field=torch.from_numpy(FIELD)).motion_field()
    assert field is not None
    assert torch.equal(field, torch.from_numpy(FIELD))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((6, 8)), r"an array of shape \(6, 8\) and type float64; expected numbers of sh"),
        (np.ones((6, 8, 2), int), "type int64"),
        (np.zeros((6, 8, 2)), "0 everywhere"),
        (np.full((6, 8, 2), np.nan), "not finite"),
        (np.ones((8, 80, 2)), r"the motion field is 80x8; expected the aspect of the photo, 16x12"),
    ],
)
def test_arrays_that_are_no_motion_of_the_photo(photo, tmp_path, array, message):
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(InputError, match=rf"m\.npy: .*{message}"):
        open_capture(photo, motion_field=tmp_path / "m.npy")


def test_files_that_are_no_motion(photo, tmp_path):
    cases = {
        "gone.npy": (None, "there is no such file"),
        "cut.npy": (b"\x93NUMPY", "damaged"),
        "cut.flo": (struct.pack("<fii", 202021.25, 16, 12) + b"1234", "damaged"),
        "not.flo": (b"0" * 900, "does not begin as a .flo"),
        "not.npz": (b"0" * 900, "damaged"),
        "a.txt": (b"1", "not a motion field; expected a file .npy, .npz, .flo"),
    }
    for name, (content, message) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            open_capture(photo, motion_field=tmp_path / name)


def test_stylecinegan(real_capture):
    capture = open_capture(real_capture("stylecinegan_IMG_6036"), max_size=512)
    field = capture.motion_field()
    assert field is not None
    mask = capture.masks(0)[0]
    assert 0.4 < mask.float().mean() < 0.6
    # at most one pixel of its grid of 512
    assert field.norm(dim=-1).max() == pytest.approx(1.0, rel=1e-3)
    assert not field[~mask].any()
