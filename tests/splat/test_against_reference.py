"""The kernels against plain torch in float64: pictures, and gradients tensor by tensor."""
# pyright: reportArgumentType=false

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fourfold.splat import rasterize
from tests.splat.scenes import SplatScene, random_scene

LARGEST_ERROR = 1e-3  # asked of every gradient, relative L2


def relative_errors(scene: SplatScene) -> dict[str, float]:
    drawn, grads = scene.gradients("cpu")
    exact, exact_grads = scene.to(torch.float64).gradients("reference")
    assert (drawn.image - exact.image).abs().max() < 1e-4
    assert (drawn.alpha - exact.alpha).abs().max() < 1e-4
    assert set(grads) == set(exact_grads)
    mine, theirs = drawn.meta.means2d_grad, exact.meta.means2d_grad
    assert mine is not None
    assert theirs is not None
    pairs = {name: (grads[name], exact_grads[name]) for name in grads}
    pairs["means2d"] = mine, theirs
    return {name: relative(*pair) for name, pair in pairs.items()}


def relative(mine: Tensor, exact: Tensor) -> float:
    return float((mine - exact).norm() / exact.norm().clamp(min=1e-12))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 9])
def test_gradients_with_any_number_of_channels(channels):
    errors = relative_errors(random_scene(300, 50, 37, channels))
    assert max(errors.values()) < 1e-4, errors


def test_gradients_of_splats_that_cover_many_tiles():
    scene = random_scene(60, 150, 70)
    scene.leaves["scales"] = scene.leaves["scales"].detach().mul(10).requires_grad_()
    errors = relative_errors(scene)
    assert max(errors.values()) < 1e-4, errors


@settings(max_examples=15, deadline=None)
@given(
    count=st.integers(1, 70),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    seed=st.integers(0, 10_000),
)
def test_any_size_of_image_and_scene(count, width, height, seed):
    scene = random_scene(count, width, height, seed=seed)
    drawn, exact = scene.draw("cpu"), scene.to(torch.float64).draw("reference")
    assert (drawn.image - exact.image).abs().max() < 1e-2  # a pixel at exactly 1/255 may flip
    assert (drawn.image - exact.image).abs().mean() < 1e-4
    assert (drawn.meta.radii - exact.meta.radii).abs().max() <= 1
    inside = exact.meta.radii > 0
    torch.testing.assert_close(
        drawn.meta.contributions[inside],
        exact.meta.contributions[inside].float(),
        rtol=1e-3,
        atol=2e-2,
    )


@pytest.mark.slow
def test_gradients_of_a_dense_scene():
    """10k Gaussians, so deep that pixels end early."""
    errors = relative_errors(random_scene(10_000, 32, 24))
    assert max(errors.values()) < LARGEST_ERROR, errors


def test_reference_gradient_agrees_with_finite_differences():
    """The twin itself, in float64, against differences; its thresholds are far away here."""
    scene = random_scene(3, 4, 4).to(torch.float64)
    scene.leaves["opacities"] = torch.tensor([0.5, 0.6, 0.7]).double().requires_grad_()
    scene.leaves["scales"] = scene.leaves["scales"].detach().clone().mul(8).requires_grad_()
    names = list(scene.leaves)

    def draw(*leaves: Tensor) -> tuple[Tensor, ...]:
        drawn = rasterize(
            **dict(zip(names, leaves, strict=True)),
            intrinsics=scene.intrinsics,
            width=4,
            height=4,
            backend="reference",
        )
        return drawn.image, drawn.alpha, drawn.depth

    assert torch.autograd.gradcheck(draw, tuple(scene.leaves.values()), eps=1e-7, atol=1e-4)


def test_only_some_outputs_and_inputs_need_gradients():
    scene = random_scene(50, 20, 20)
    for name in ("means", "camera_from_world"):
        scene.leaves[name] = scene.leaves[name].detach()
    scene.draw("cpu").alpha.sum().backward()
    assert scene.leaves["means"].grad is None
    opacities = scene.leaves["opacities"].grad
    assert opacities is not None
    assert opacities.abs().max() > 0
    exact = scene.to(torch.float64)
    exact.draw("reference").alpha.sum().backward()
    assert relative(opacities, exact.leaves["opacities"].grad) < 1e-4  # pyright: ignore


def test_float64_leaves_get_float64_gradients():
    scene = random_scene(20, 10, 10).to(torch.float64)
    scene.draw("cpu").image.sum().backward()
    grad = scene.leaves["means"].grad
    assert grad is not None
    assert grad.dtype == torch.float64
