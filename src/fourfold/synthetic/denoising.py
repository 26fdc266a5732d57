"""Noise of path tracing taken out of the light, never out of the textures."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

# reflectances below this are taken for this, so that black surfaces do not amplify noise
_DARK = 0.02
_KERNEL = (1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16)  # cubic B-spline
_LEVELS = 3
# Differences at which a neighbour counts 1/e: of normals and reflectances (both 0 … 1), and of
# the logarithm of the light, where soft shadows must stay.
_NORMAL_WIDTH, _ALBEDO_WIDTH, _LIGHT_WIDTH = 0.08, 0.15, 0.25


def denoise(
    image: Float[np.ndarray, "H W 3"],
    albedo: Float[np.ndarray, "H W 3"],
    normals: Float[np.ndarray, "H W 3"],
) -> Float[np.ndarray, "H W 3"]:
    """Filter the incoming light of a rendered image along its surfaces.

    The image is divided by the reflectance, smoothed by the edge-avoiding à-trous wavelet filter
    (Dammertz et al. 2010) guided by normals, reflectance and light, and multiplied again. All
    linear; `albedo` and `normals` (0.5 + 0.5 n) without noise.
    """
    reflectance = np.maximum(albedo, _DARK).astype(np.float32)
    light = image.astype(np.float32) / reflectance
    guides = np.concatenate((normals / _NORMAL_WIDTH, albedo / _ALBEDO_WIDTH), axis=-1)
    for level in range(_LEVELS):
        light = _smooth(light, guides.astype(np.float32), 2**level)
    return light * reflectance


def _smooth(
    light: Float[np.ndarray, "H W 3"], guides: Float[np.ndarray, "H W G"], step: int
) -> Float[np.ndarray, "H W 3"]:
    brightness = np.log(_blur(light.mean(-1, keepdims=True)) + 0.01) / _LIGHT_WIDTH
    features = np.concatenate((guides, brightness), axis=-1)
    total, weight = np.zeros_like(light), np.zeros_like(light[..., :1])
    neighbours = zip(_neighbours(features, 2, step), _neighbours(light, 2, step), strict=True)
    for (i, j, feature), (_, _, value) in neighbours:
        difference = features - feature
        distance2 = np.einsum("hwc,hwc->hw", difference, difference)[..., None]
        share = np.float32(_KERNEL[i] * _KERNEL[j]) * np.exp(-distance2)
        total += share * value
        weight += share
    return total / weight


def _blur(values: Float[np.ndarray, "H W C"]) -> Float[np.ndarray, "H W C"]:
    """Average 3x3 pixels: the light by which pixels are compared must not be noise itself."""
    return np.mean([neighbour for _, _, neighbour in _neighbours(values, 1, 1)], axis=0)


def _neighbours(
    values: Float[np.ndarray, "H W C"], radius: int, step: int
) -> Iterator[tuple[int, int, Float[np.ndarray, "H W C"]]]:
    """Give the image moved to each place of a (2 radius + 1)^2 stencil; the border repeats."""
    height, width = values.shape[:2]
    margin = radius * step
    padded = np.pad(values, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    for i in range(2 * radius + 1):
        for j in range(2 * radius + 1):
            y, x = i * step, j * step
            yield i, j, padded[y : y + height, x : x + width]
