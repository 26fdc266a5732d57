"""Which pixels of a test view training frames saw."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from fourfold.errors import InputError
from fourfold.evaluation import covisibility_mask, covisible_by_flow


def _flow(x: float, height: int = 4, width: int = 10) -> torch.Tensor:
    flow = torch.zeros(height, width, 2)
    flow[..., 0] = x
    return flow


def test_matches_that_come_back_count():
    # to the right by 3: the last 3 columns leave the frame
    seen = covisible_by_flow([(_flow(3), _flow(-3))] * 2, 4, 10)
    assert seen[0].tolist() == [True] * 7 + [False] * 3
    # 3 there and 1 back misses by 2 of 0.5 (3 + 1) + 0.5 allowed; none back misses by 3 of 2
    assert covisible_by_flow([(_flow(3), _flow(-1))] * 2, 4, 10)[0, 0]
    assert not covisible_by_flow([(_flow(3), _flow(0))] * 2, 4, 10).any()


def test_two_frames_or_a_tenth_of_them_must_agree():
    good, bad = (_flow(0), _flow(0)), (_flow(3), _flow(3))
    assert not covisible_by_flow([good] + [bad] * 4, 4, 10).any()
    assert covisible_by_flow([good] * 2 + [bad] * 18, 4, 10).all()
    assert not covisible_by_flow([good] * 2 + [bad] * 19, 4, 10).any()
    assert not covisible_by_flow([], 4, 10).any()


def test_what_came_into_view_is_not_covisible():
    texture = np.random.default_rng(0).random((96, 160, 3))
    texture = gaussian_filter(texture, (1.5, 1.5, 0))
    texture = torch.from_numpy((texture - texture.min()) / np.ptp(texture)).float()
    view = texture[:, 20:148]
    frames = [texture[:, start : start + 128] for start in (12, 13, 14)]
    seen = covisibility_mask(view, frames)
    # the second of the frames ends 7 columns before the view does
    assert seen[4:-4, :118].float().mean() > 0.99
    assert seen[:, 122:].float().mean() < 0.05


def test_large_images_are_matched_smaller():
    texture = gaussian_filter(np.random.default_rng(1).random((150, 420, 3)), (3, 3, 0))
    texture = torch.from_numpy((texture - texture.min()) / np.ptp(texture)).float()
    sizes = []

    def estimator(image0: torch.Tensor, image1: torch.Tensor) -> torch.Tensor:
        sizes.append((tuple(image0.shape), tuple(image1.shape)))
        flow = torch.zeros(*image0.shape[:2], 2)
        flow[:, 240:, 0] = 1000.0
        return flow

    seen = covisibility_mask(texture[:, :400], [texture[:, :400]] * 2, estimator=estimator)
    assert set(sizes) == {((120, 320, 3), (120, 320, 3))}
    assert seen.shape == (150, 400)
    # 240 of 320 columns are 300 of 400
    assert seen[:, :300].all()
    assert not seen[:, 300:].any()


def test_sizes_must_agree():
    with pytest.raises(InputError, match="two images of one size"):
        covisibility_mask(torch.zeros(20, 20, 3), [torch.zeros(20, 24, 3)])
