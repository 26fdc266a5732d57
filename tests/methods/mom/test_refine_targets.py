from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import pad

from fourfold.errors import InputError, UsageError
from fourfold.methods.mom.photo import Photo
from fourfold.methods.mom.refine_targets import PathTargets, given_targets
from tests.loops import HEIGHT, PERIOD, STREAM, WIDTH, loop_camera, stream_mask, stream_motion

FRAMES = 4


def _photo(wave: float = 6.0) -> Photo:
    x = torch.arange(WIDTH) + 0.5
    bright = 0.5 + 0.3 * torch.sin(2 * torch.pi * x / wave)
    image = bright.expand(HEIGHT, WIDTH)[..., None].repeat(1, 1, 3)
    return Photo(image, loop_camera(), {"motion": stream_mask()}, [])


def test_waves_as_long_as_a_sub_loop_move_by_a_pixel_a_frame() -> None:
    photo = _photo()
    targets = PathTargets(photo, [stream_motion()])
    for frame in (0, 1, 4, 9):
        expected = photo.image.roll(frame, dims=1)
        assert torch.allclose(targets(frame)[STREAM, 8:40], expected[STREAM, 8:40], atol=0.01)


def test_the_loop_closes_and_the_banks_stay() -> None:
    photo = _photo(wave=11.0)
    targets = PathTargets(photo, [stream_motion()])
    assert torch.equal(targets(PERIOD), targets(0))
    assert torch.allclose(targets(0), photo.image, atol=1e-5)
    assert torch.equal(targets(3)[~stream_mask()], photo.image[~stream_mask()])
    assert not torch.allclose(targets(3)[STREAM], photo.image[STREAM], atol=0.05)


def test_what_thins_out_shows_the_photo() -> None:
    photo, motion = _photo(wave=11.0), stream_motion()
    thin = replace(motion, presence=0.5 * motion.presence)
    whole, half = (PathTargets(photo, [each])(2) for each in (motion, thin))
    # Two frames are a third of a sub-loop: both pictures keep half of the photo.
    calm = photo.image[16, 24]
    assert float((half[16, 24] - calm).abs().sum()) < float((whole[16, 24] - calm).abs().sum())


def test_a_chart_may_reach_beyond_the_photo() -> None:
    photo, motion = _photo(), stream_motion()
    shift = torch.zeros(3, 3)
    shift[0, 2] = 3.0
    big = replace(
        motion,
        surface=pad(motion.surface, (3, 3), value=1.0),
        presence=pad(motion.presence, (3, 3)),
        velocity=pad(motion.velocity, (0, 0, 3, 3)),
        cycles=pad(motion.cycles, (3, 3), value=2.0),
        shares=pad(motion.shares, (3, 3)),
        intrinsics=motion.intrinsics + shift,
    )
    small, large = (PathTargets(photo, [each])(2) for each in (motion, big))
    assert torch.allclose(large[:, 12:36], small[:, 12:36], atol=1e-4)


def bright(image, mask, velocity, num_frames):
    frames = image.expand(num_frames, *image.shape).clone()
    frames[:, mask] = torch.linspace(0, 1, num_frames)[:, None, None]
    return frames


def short(image, mask, velocity, num_frames):
    return image.expand(num_frames - 1, *image.shape)


def nothing(image, mask, velocity, num_frames):
    return None


def broken(image, mask, velocity, num_frames):
    return torch.full((num_frames, *image.shape), torch.nan)


def failing(image, mask, velocity, num_frames):
    raise RuntimeError("no memory")


def _given(animator: Callable):
    photo = _photo()
    name = f"{__name__}:{animator.__name__}"
    return given_targets(name, photo, stream_mask(), torch.zeros(HEIGHT, WIDTH, 2), FRAMES)


def test_frames_of_an_animator_are_kept_as_bytes() -> None:
    targets = _given(bright)
    assert targets.frames.dtype == torch.uint8
    assert targets(1)[16, 24].tolist() == pytest.approx([1 / 3] * 3, abs=0.5 / 255)
    assert torch.allclose(targets(2)[0], _photo().image[0], atol=0.51 / 255)


@pytest.mark.parametrize(
    ("animator", "said"),
    [
        (short, r"gave \(3, 32, 48, 3\); expected a tensor of \(4, 32, 48, 3\)"),
        (nothing, "gave NoneType; expected a tensor"),
        (broken, "gave NaN or infinite colours"),
        (failing, "failed: RuntimeError: no memory"),
    ],
)
def test_animators_that_do_not_fit_are_named(animator: Callable, said: str) -> None:
    with pytest.raises(InputError, match=said):
        _given(animator)


def test_an_animator_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot be loaded"):
        given_targets(
            "no_such:name", _photo(), stream_mask(), torch.zeros(HEIGHT, WIDTH, 2), FRAMES
        )
