"""SSIM inside a mask, against a plain double loop."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.evaluation import masked_ssim, ssim


def slow_masked_ssim(a: torch.Tensor, b: torch.Tensor, mask: torch.Tensor) -> float:
    """Go through the pixels of the mask, and for each through those of its window."""
    values = []
    places = mask.nonzero().tolist()
    for y, x in places:
        weights, near_a, near_b = [], [], []
        for v, u in places:
            if max(abs(v - y), abs(u - x)) <= 5:
                weights.append(math.exp(-0.5 * ((v - y) ** 2 + (u - x) ** 2) / 1.5**2))
                near_a.append(a[v, u].tolist())
                near_b.append(b[v, u].tolist())
        total = sum(weights)
        for c in range(a.shape[2]):
            rows = [
                (w / total, p[c], q[c]) for w, p, q in zip(weights, near_a, near_b, strict=True)
            ]
            mean_a, mean_b = sum(w * p for w, p, _ in rows), sum(w * q for w, _, q in rows)
            var_a = sum(w * (p - mean_a) ** 2 for w, p, _ in rows)
            var_b = sum(w * (q - mean_b) ** 2 for w, _, q in rows)
            both = sum(w * (p - mean_a) * (q - mean_b) for w, p, q in rows)
            light = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
            values.append(light * (2 * both + 9e-4) / (var_a + var_b + 9e-4))
    return sum(values) / len(values)


def _pair(height: int, width: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(height, width, 2, generator=generator, dtype=torch.float64)
    other = torch.rand(height, width, 2, generator=generator, dtype=torch.float64)
    return image, 0.7 * image + 0.3 * other


@settings(max_examples=8)
@given(st.integers(2, 14), st.integers(2, 14), st.floats(0.1, 1.0), st.integers(0, 99))
def test_agrees_with_the_slow_one(height, width, share, seed):
    image, target = _pair(height, width, seed)
    mask = torch.rand(height, width, generator=torch.Generator().manual_seed(seed)) <= share
    mask[0, 0] = True
    expected = slow_masked_ssim(image, target, mask)
    assert float(masked_ssim(image, target, mask)) == pytest.approx(expected, abs=1e-9)


def test_one_pixel_knows_its_colour_only():
    # no spread in a window of one pixel: luminance (2 * .2 * .4 + C1) / (.2^2 + .4^2 + C1)
    image, target = torch.full((8, 8, 1), 0.2), torch.full((8, 8, 1), 0.4)
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[3, 4] = True
    expected = (0.16 + 1e-4) / (0.2 + 1e-4)
    assert float(masked_ssim(image, target, mask)) == pytest.approx(expected, abs=1e-5)


def test_what_is_outside_has_no_influence():
    image, target = _pair(20, 24)
    mask = torch.zeros(20, 24, dtype=torch.bool)
    mask[4:15, 7:18] = True
    before = masked_ssim(image, target, mask)
    image[~mask], target[~mask] = torch.nan, 0.0
    assert float(masked_ssim(image, target, mask)) == float(before)


def test_is_ssim_where_windows_end_inside():
    # equal images have SSIM 1 under any border rule, so only the inner part tells the two apart
    image, other = _pair(30, 26)
    target = image.clone()
    target[10:20, 10:16] = other[10:20, 10:16]
    everything = torch.ones(30, 26, dtype=torch.bool)
    found = float(masked_ssim(image, target, everything))
    assert found == pytest.approx(float(ssim(image, target)), abs=1e-9)
    assert found < 0.995


def test_random_images_stay_bad_however_small_the_mask():
    # the original multiplied by the mask and averaged over everything: 0.95 at 90 % masked out
    generator = torch.Generator().manual_seed(0)
    image, target = torch.rand(2, 48, 64, 3, generator=generator)
    whole = float(ssim(image, target))
    for share in (0.5, 0.1):
        mask = torch.zeros(48, 64, dtype=torch.bool)
        mask[:, : round(64 * share)] = True
        assert abs(float(masked_ssim(image, target, mask)) - whole) < 0.05


def test_an_empty_mask_and_other_shapes():
    image = torch.zeros(8, 8, 3)
    assert math.isnan(float(masked_ssim(image, image, torch.zeros(8, 8, dtype=torch.bool))))
    with pytest.raises(ValueError, match="shapes"):
        masked_ssim(image, image, torch.zeros(8, 7, dtype=torch.bool))
