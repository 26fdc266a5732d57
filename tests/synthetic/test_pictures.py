"""Noise patterns, colour encoding, denoising."""

import numpy as np
import pytest

from fourfold.synthetic.denoising import denoise
from fourfold.synthetic.noise import fractal_noise, linear, ramp, value_noise
from fourfold.synthetic.writing import encode_srgb


def test_value_noise_is_seeded_smooth_and_between_zero_and_one():
    points = np.random.default_rng(0).uniform(-9, 9, (500, 3))
    noise = value_noise(points, 3)
    np.testing.assert_array_equal(noise, value_noise(points, 3))
    assert np.abs(noise - value_noise(points, 4)).max() > 0.3
    assert noise.min() >= 0
    assert noise.max() <= 1
    assert np.abs(value_noise(points + 1e-4, 3) - noise).max() < 1e-3
    assert 0 <= fractal_noise(points, 3).min() <= fractal_noise(points, 3).max() <= 1


def test_value_noise_between_two_lattice_points_is_their_smoothstep():
    ends = value_noise(np.array([[2.0], [3.0]]), 0)
    between = value_noise(np.array([[2.25]]), 0)
    share = 0.25**2 * (3 - 2 * 0.25)
    np.testing.assert_allclose(between, [ends[0] + share * (ends[1] - ends[0])])


def test_ramp_falls_when_its_ends_are_exchanged():
    value = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(ramp(value, 0, 1)[:, 0], [0, 0.5, 1])
    np.testing.assert_allclose(ramp(value, 1, 0)[:, 0], [1, 0.5, 0])


@pytest.mark.parametrize("color", [(0, 10, 255), (128, 77, 200)])
def test_srgb_goes_there_and_back(color):
    np.testing.assert_array_equal(encode_srgb(linear(*color)[None, None])[0, 0], color)


def test_denoising_takes_noise_from_the_light_and_leaves_the_texture():
    random = np.random.default_rng(0)
    albedo = np.where(random.uniform(size=(24, 30, 1)) > 0.5, 0.8, 0.6) * np.ones(3)
    normals = np.full((24, 30, 3), 0.5)
    clean = 0.7 * albedo
    np.testing.assert_allclose(denoise(clean, albedo, normals), clean, rtol=1e-5)
    noisy = clean * (1 + 0.1 * random.normal(size=(24, 30, 1)))
    error = np.abs(denoise(noisy, albedo, normals) - clean).mean()
    assert error < 0.3 * np.abs(noisy - clean).mean()


def test_denoising_keeps_light_apart_where_surfaces_turn():
    albedo = np.full((16, 16, 3), 0.5)
    normals = np.full((16, 16, 3), 0.5)
    normals[:, 8:, 0] = 1.0
    image = np.full((16, 16, 3), 0.2)
    image[:, 8:] = 0.3
    np.testing.assert_allclose(denoise(image, albedo, normals), image, rtol=1e-5)
