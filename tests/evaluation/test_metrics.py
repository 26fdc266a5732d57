"""Metrics against numbers worked out by hand and against torchmetrics."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from fourfold.evaluation import (
    endpoint_error,
    front_most,
    iou,
    mask_iou,
    mean_of_records,
    mean_over_frames,
    psnr,
    ssim,
)


def noisy_pair(height: int, width: int, noise: float, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(height, width, 3, generator=generator)
    shift = noise * torch.randn(height, width, 3, generator=generator)
    return image, (image + shift).clamp(0, 1)


def test_psnr_of_a_known_error():
    image = torch.zeros(1, 2, 3)
    target = torch.tensor([[[0.1, 0.1, 0.1], [0.3, 0.3, 0.3]]])  # mean square (.01 + .09) / 2
    assert float(psnr(image, target)) == pytest.approx(-10 * math.log10(0.05), abs=1e-5)


def test_psnr_inside_a_mask_sees_only_the_mask():
    target = torch.tensor([[[0.1, 0.1, 0.1], [0.3, 0.3, 0.3]]])
    mask = torch.tensor([[True, False]])
    assert float(psnr(torch.zeros(1, 2, 3), target, mask)) == pytest.approx(20.0, abs=1e-5)


def test_psnr_of_equal_images_and_of_an_empty_mask():
    image = torch.rand(4, 4, 3, generator=torch.Generator().manual_seed(0))
    assert float(psnr(image, image)) == math.inf
    assert math.isnan(float(psnr(image, image, torch.zeros(4, 4, dtype=torch.bool))))


@settings(max_examples=10, deadline=None)
@given(st.integers(6, 40), st.integers(6, 40), st.floats(0.001, 0.5))
def test_psnr_and_ssim_agree_with_torchmetrics(height, width, noise):
    image, target = noisy_pair(height, width, noise)
    image, target = image.double(), target.double()
    a, b = image.permute(2, 0, 1)[None], target.permute(2, 0, 1)[None]
    oracle = peak_signal_noise_ratio(a, b, data_range=1.0)
    assert float(psnr(image, target)) == pytest.approx(float(oracle), abs=1e-4)
    oracle = structural_similarity_index_measure(a, b, data_range=1.0)
    assert isinstance(oracle, torch.Tensor)
    assert float(ssim(image, target)) == pytest.approx(float(oracle), abs=1e-5)


def test_ssim_gradient_lowers_the_loss():
    image, target = noisy_pair(16, 20, 0.2)
    image.requires_grad_()
    before = ssim(image, target)
    (gradient,) = torch.autograd.grad(before, image)
    after = ssim(image.detach() + 0.1 * gradient / gradient.norm(), target)
    assert float(after) > float(before.detach())


def test_ssim_refuses_images_too_small_to_mirror():
    with pytest.raises(ValueError, match="6x6"):
        ssim(torch.zeros(5, 20, 3), torch.zeros(5, 20, 3))


@pytest.mark.parametrize("metric", [psnr, ssim, endpoint_error])
def test_shapes_must_agree(metric):
    with pytest.raises(ValueError, match="shapes differ"):
        metric(torch.zeros(12, 12, 3), torch.zeros(12, 13, 3))


def test_iou_by_hand():
    a = torch.tensor([[True, True, False], [False, True, False]])
    b = torch.tensor([[True, False, False], [False, True, True]])
    assert float(iou(a, b)) == pytest.approx(2 / 4)
    assert math.isnan(float(iou(a & ~a, a & ~a)))


def test_front_most_takes_the_heaviest_object_and_marks_empty_pixels():
    weights = torch.tensor([[[0.2, 0.7], [0.6, 0.1], [0.3, 0.1]]])
    assert front_most(weights).tolist() == [[1, 0, -1]]


def test_mask_iou_leaves_out_absent_objects_and_overlaps():
    labels = torch.tensor([[1, 1, 2, 0]])
    masks = torch.tensor([[[True, True, True, False]], [[False, False, True, True]], [[False] * 4]])
    # Pixel 2 lies in both masks and does not count: object 0 fits, object 1 is missed.
    scores = mask_iou(labels, masks, indices=[1, 2, 3])
    assert scores[:2].tolist() == [1.0, 0.0]
    assert math.isnan(float(scores[2]))


def test_mask_iou_of_no_objects_is_empty():
    assert mask_iou(torch.zeros(2, 3).long(), torch.zeros(0, 2, 3).bool()).shape == (0,)


def test_endpoint_error_counts_only_valid_pixels():
    flow = torch.tensor([[[3.0, 4.0], [100.0, 0.0]]])
    assert float(endpoint_error(flow, torch.zeros(1, 2, 2), torch.tensor([[True, False]]))) == 5.0


def test_means_leave_out_what_could_not_be_measured():
    assert math.isnan(mean_over_frames([]))
    assert mean_over_frames([math.inf, 1.0]) == math.inf
    records = [{"psnr": 30.0, "mask_iou": math.nan}, {"psnr": 20.0, "mask_iou": 0.5}]
    assert mean_of_records(records) == {"psnr": 25.0, "mask_iou": 0.5}
