"""Every way in which a mask can be stored."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fourfold.capture.mask_files import find_masks, read_mask
from fourfold.capture.masks import _palette_index
from fourfold.errors import InputError

SIZE = (4, 3)
ONE = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
TWO = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]], bool)


def _find(folder, frames=("a",)):
    found = find_masks(folder, frames, frozenset(frames), SIZE)
    return found.objects, {frame: found.loaders[frame]() for frame in frames}


@pytest.mark.parametrize(
    "stored",
    [
        ONE,
        ONE.astype(np.uint8),
        ONE.astype(np.uint8) * 255,
        ONE.astype(np.uint8) * 7,
        ONE.astype(np.uint16) * 65535,
        np.repeat(ONE[..., None].astype(np.uint8) * 255, 3, axis=2),
        np.stack([ONE * 200, ONE * 0, ONE * 90], axis=-1).astype(np.uint8),
        # colour the same everywhere: the mask is in alpha
        np.stack([ONE * 0, ONE * 0, ONE * 0, ONE * 255], axis=-1).astype(np.uint8),
        np.stack([ONE * 255, ONE * 255, ONE * 255, ONE * 0 + 255], axis=-1).astype(np.uint8),
    ],
    ids=["1", "L01", "L255", "L7", "L16", "RGB", "colour", "alpha", "RGBA"],
)
def test_one_object_in_every_encoding(tmp_path, save, stored):
    save(tmp_path / "flat" / "a.png", stored)
    objects, masks = _find(tmp_path / "flat")
    assert objects == ("001",)
    np.testing.assert_array_equal(masks["a"], ONE[None])
    np.testing.assert_array_equal(read_mask(tmp_path / "flat" / "a.png", SIZE, "a"), ONE)


def test_label_map_of_numbers(tmp_path, save):
    save(tmp_path / "a.png", (ONE * 1 + TWO * 2).astype(np.uint8))
    objects, masks = _find(tmp_path)
    assert objects == ("001", "002")
    np.testing.assert_array_equal(masks["a"], np.stack([ONE, TWO]))


def test_255_beside_small_numbers_is_unknown(tmp_path, save):
    save(tmp_path / "a.png", (ONE * 3 + TWO * 255).astype(np.uint8))
    objects, masks = _find(tmp_path)
    assert objects == ("003",)
    np.testing.assert_array_equal(masks["a"], ONE[None])


def test_255_beside_large_grey_values_is_an_object(tmp_path, save):
    save(tmp_path / "a.png", (ONE * 128 + TWO * 255).astype(np.uint8))
    assert _find(tmp_path)[0] == ("128", "255")


def test_davis_palette_counts_by_index(tmp_path):
    picture = Image.fromarray((ONE * 2 + TWO * 1).astype(np.uint8), "L").convert("P")
    picture.putdata((ONE * 2 + TWO * 1).astype(np.uint8).ravel().tolist())
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    picture.save(tmp_path / "a.png")
    objects, masks = _find(tmp_path)
    assert objects == ("001", "002")
    np.testing.assert_array_equal(masks["a"], np.stack([TWO, ONE]))


def test_palette_whose_first_colour_is_white_counts_by_colour(tmp_path):
    picture = Image.fromarray((~ONE).astype(np.uint8), "L").convert("P")
    picture.putdata((~ONE).astype(np.uint8).ravel().tolist())
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(_find(tmp_path)[1]["a"], ONE[None])


def test_colours_of_the_davis_palette_keep_their_numbers(tmp_path, save):
    # 1 is (128, 0, 0), 2 is (0, 128, 0)
    image = ONE[..., None] * np.array([0, 128, 0]) + TWO[..., None] * np.array([128, 0, 0])
    save(tmp_path / "a.png", image.astype(np.uint8))
    objects, masks = _find(tmp_path)
    assert objects == ("001", "002")
    np.testing.assert_array_equal(masks["a"], np.stack([TWO, ONE]))


def test_other_colours_are_named_by_their_code(tmp_path, save):
    image = ONE[..., None] * np.array([255, 0, 0]) + TWO[..., None] * np.array([0, 0, 255])
    save(tmp_path / "a.png", image.astype(np.uint8))
    assert _find(tmp_path)[0] == ("0000ff", "ff0000")


@pytest.mark.parametrize(
    ("color", "index"), [(0x800000, 1), (0x008000, 2), (0x808000, 3), (0xE0E0C0, 255)]
)
def test_palette_index(color, index):
    assert _palette_index(color) == index
    assert _palette_index(0xFF0000) is None


def test_objects_are_those_of_all_frames_together(tmp_path, save):
    save(tmp_path / "a.png", ONE.astype(np.uint8))
    save(tmp_path / "b.png", (TWO * 2).astype(np.uint8))
    objects, masks = _find(tmp_path, ("a", "b"))
    assert objects == ("001", "002")
    np.testing.assert_array_equal(masks["a"], np.stack([ONE, ONE & False]))
    np.testing.assert_array_equal(masks["b"], np.stack([ONE & False, TWO]))


def test_a_blurred_mask_is_one_object(tmp_path, save):
    soft = np.zeros((40, 40), np.uint8)
    soft[10:30, 10:30] = 255
    soft[10, 10:30] = np.arange(20) * 12
    save(tmp_path / "a.png", soft)
    found = find_masks(tmp_path, ("a",), frozenset("a"), (40, 40))
    assert found.objects == ("001",)
    np.testing.assert_array_equal(found.loaders["a"]()[0], soft >= 128)


def test_a_lossy_mask_is_cut_at_half(tmp_path, save):
    big = np.kron(ONE, np.ones((16, 16))).astype(bool)
    save(tmp_path / "a.jpg", big.astype(np.uint8) * 255, quality=70)
    found = find_masks(tmp_path, ("a",), frozenset("a"), (64, 48))
    assert (found.loaders["a"]()[0] != big).mean() < 0.01


def test_a_photo_is_no_label_map(tmp_path, save):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    save(tmp_path / "a.png", noise)
    with pytest.raises(InputError, match=r"too many for objects.*one colour or number per object"):
        find_masks(tmp_path, ("a",), frozenset("a"), (40, 40))


def test_object_folders_in_natural_order(tmp_path, save):
    save(tmp_path / "10" / "a.png", ONE)
    save(tmp_path / "9" / "a.png", TWO)
    objects, masks = _find(tmp_path)
    assert objects == ("9", "10")
    np.testing.assert_array_equal(masks["a"], np.stack([TWO, ONE]))


def test_an_object_without_a_file_where_another_has_one_is_not_seen(tmp_path, save):
    save(tmp_path / "1" / "a.png", ONE)
    save(tmp_path / "1" / "b.png", ONE)
    save(tmp_path / "2" / "b.png", TWO)
    found = find_masks(tmp_path, ("a", "b"), frozenset("ab"), SIZE)
    assert not found.loaders["a"]()[1].any()
    assert found.notes == ("object 2 has no mask file in 1 frames: taken as not seen",)


def test_names_pair_and_not_positions(tmp_path, save):
    # the masks' listing starts one frame later: by position each would be of the frame before
    save(tmp_path / "2.png", ONE)
    found = find_masks(tmp_path, ("00002",), frozenset({"00001", "00002"}), SIZE)
    np.testing.assert_array_equal(found.loaders["00002"]()[0], ONE)
