from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.errors import InputError, UsageError
from fourfold.methods.mom.animator import EulerAnimator, FrameFolder, load_animator
from fourfold.methods.mom.euler import advance, paths, pixel_places, read_at


def _waves(height: int = 40, width: int = 64, period: float = 8.0) -> torch.Tensor:
    x = torch.arange(width) + 0.5
    wave = 0.5 + 0.3 * torch.sin(2 * torch.pi * x / period)
    return wave.expand(height, width)[..., None].repeat(1, 1, 3)


def test_places_follow_a_rotation_and_come_back() -> None:
    centre = np.array([20.0, 20.0], dtype=np.float32)
    away = pixel_places(40, 40) - centre
    velocity = 0.1 * np.stack([-away[..., 1], away[..., 0]], axis=-1)
    start = np.array([[[30.5, 20.5]]], dtype=np.float32)
    there = advance(start, velocity, 5.0)
    # Half a radian about the centre; Euler steps of a fifth of a frame drift outward by 0.5 %.
    turn = np.array([[np.cos(0.5), np.sin(0.5)], [-np.sin(0.5), np.cos(0.5)]])
    assert np.allclose(there - centre, (start - centre) @ turn, atol=0.15)
    assert np.allclose(advance(there, velocity, -5.0), start, atol=0.3)


def test_paths_are_steps_along_one_way() -> None:
    velocity = np.full((4, 6, 2), (1.5, 0.0), dtype=np.float32)
    ways = [places[1, 2].tolist() for places in paths(velocity, [0.0, 1.0, 3.0])]
    assert ways == [[2.5, 1.5], [4.0, 1.5], [7.0, 1.5]]


def test_reading_between_pixels() -> None:
    image = np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    places = np.array([[[0.5, 0.5], [1.0, 0.5], [3.5, 0.5], [9.0, 0.5]]], dtype=np.float32)
    assert read_at(image, places)[0, :, 0].tolist() == [0.0, 0.5, 3.0, 3.0]


def test_the_loop_closes_and_the_rest_stays() -> None:
    photo = _waves()
    mask = torch.zeros(40, 64, dtype=torch.bool)
    mask[10:30, 10:54] = True
    velocity = torch.tensor([0.7, 0.0]).expand(40, 64, 2)
    frames = EulerAnimator()(photo, mask, velocity, 20)
    assert frames.shape == (20, 40, 64, 3)
    assert torch.allclose(frames[0], photo, atol=1e-6)
    assert bool((frames[:, ~mask] == photo[~mask]).all())
    steps = [float((frames[t] - frames[(t + 1) % 20]).abs().mean()) for t in range(20)]
    assert steps[-1] < 1.5 * float(np.median(steps))


def test_waves_move_at_their_speed_and_keep_their_height() -> None:
    photo = _waves()
    mask = torch.ones(40, 64, dtype=torch.bool)
    velocity = torch.tensor([1.0, 0.0]).expand(40, 64, 2)
    # Over a period of 8 frames at 1 px the waves' own period returns: both copies agree.
    frames = EulerAnimator()(photo, mask, velocity, 8)
    for t in (2, 5):
        expected = photo[:, :1].new_tensor(np.roll(photo.numpy(), t, axis=1))
        assert torch.allclose(frames[t][:, 16:48], expected[:, 16:48], atol=0.01)


def test_contrast_that_unrelated_copies_lose_is_given_back() -> None:
    generator = torch.Generator().manual_seed(0)
    photo = (0.5 + 0.1 * torch.randn(60, 90, 1, generator=generator)).repeat(1, 1, 3)
    mask = torch.ones(60, 90, dtype=torch.bool)
    velocity = torch.tensor([1.0, 0.0]).expand(60, 90, 2)
    middle = (slice(15, 45), slice(30, 60))
    plain, kept = (EulerAnimator(keep)(photo, mask, velocity, 20)[10] for keep in (False, True))
    assert float(plain[middle].std() / photo[middle].std()) < 0.8
    assert float(kept[middle].std() / photo[middle].std()) > 0.9


def test_matter_that_would_come_from_beyond_the_region_is_not_shown() -> None:
    photo = torch.zeros(20, 40, 3)
    photo[:, 20:] = 1.0
    mask = torch.zeros(20, 40, dtype=torch.bool)
    mask[:, 20:] = True
    velocity = torch.tensor([1.0, 0.0]).expand(20, 40, 2)
    frames = EulerAnimator()(photo, mask, velocity, 10)
    assert float(frames[:, :, 21:].min()) > 0.98


def test_nothing_that_moves_is_a_still() -> None:
    photo = _waves()
    frames = EulerAnimator()(
        photo, torch.zeros(40, 64, dtype=torch.bool), torch.zeros(40, 64, 2), 3
    )
    assert bool((frames == photo).all())


def _write_frames(folder: Path, count: int, size: tuple[int, int]) -> None:
    for t in range(count):
        Image.new("RGB", size, (10 * t, 0, 0)).save(folder / f"{t:03d}.png")


def test_frames_of_a_folder(tmp_path: Path) -> None:
    _write_frames(tmp_path, 3, (64, 40))
    mask = torch.zeros(40, 64, dtype=torch.bool)
    mask[5, 6] = True
    photo, rest = _waves(), torch.zeros(40, 64, 2)
    frames = load_animator(str(tmp_path))(photo, mask, rest, 3)
    assert frames[2, 5, 6].tolist() == pytest.approx([20 / 255, 0.0, 0.0])
    assert bool((frames[:, ~mask] == photo[~mask]).all())
    with pytest.raises(InputError, match="there are 3 pictures; expected one per frame"):
        FrameFolder(tmp_path)(photo, mask, rest, 4)
    with pytest.raises(InputError, match="64x40"):
        FrameFolder(tmp_path)(torch.zeros(80, 128, 3), torch.ones(80, 128).bool(), rest, 3)


def test_animators_are_found_by_name() -> None:
    assert isinstance(load_animator(""), EulerAnimator)
    name = "fourfold.methods.mom.animator:EulerAnimator"
    assert load_animator(name) is EulerAnimator
    for wrong in ("no_such_module:name", "math:no_such", "math:pi", "no/folder"):
        with pytest.raises(UsageError):
            load_animator(wrong)
