"""Pictures whose pixels can be worked out by hand, the same for the kernels and the reference."""
# pyright: reportArgumentType=false

import math

import pytest
import torch

from fourfold.errors import InputError
from fourfold.splat import rasterize
from tests.splat.scenes import gaussian_at, random_scene


def test_a_gaussian_on_a_pixel_centre_shows_its_opacity(backend):
    drawn = gaussian_at(x=2.5, y=2.5, opacity=0.5).draw(backend)
    assert drawn.alpha[2, 2].item() == pytest.approx(0.5, abs=1e-6)
    torch.testing.assert_close(drawn.image[2, 2], torch.tensor([0.1, 0.2, 0.4]))
    assert drawn.depth[2, 2].item() == pytest.approx(2.0, abs=1e-5)


def test_falloff_is_a_normal_curve_with_the_blur_added(backend):
    """Variance is 1 + eps2d = 1.3 in x, and the slope of J adds nothing at the axis."""
    scene = gaussian_at(x=0.5, y=0.5, sigma=1.0, opacity=0.8)
    scene.intrinsics[0, 2] = scene.intrinsics[1, 2] = 0.5
    scene.leaves["means"] = torch.tensor([[0.0, 0.0, 2.0]])
    alpha = scene.draw(backend).alpha[0]
    expected = [0.8 * math.exp(-0.5 * dx * dx / 1.3) for dx in range(4)]
    assert alpha[:4].tolist() == pytest.approx(expected, rel=1e-5)
    assert alpha[4].item() == 0  # 0.8 exp(-8 / 1.3) = 0.0017 lies under 1/255


def test_two_gaussians_blend_nearest_first_whatever_their_order(backend):
    """0.5 of the near one, then 0.5 * 0.8 of the far one, then the background's 0.1."""
    near, far = gaussian_at(z=2.0, opacity=0.5).leaves, gaussian_at(z=4.0, opacity=0.8).leaves
    scene = gaussian_at()
    for name in ("means", "quaternions", "scales", "opacities"):
        scene.leaves[name] = torch.cat([far[name], near[name]])
    scene.leaves["colors"] = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    scene.leaves["background"] = torch.tensor([0.0, 0.0, 1.0])
    drawn = scene.draw(backend)
    torch.testing.assert_close(drawn.image[2, 2], torch.tensor([0.5, 0.4, 0.1]))
    assert drawn.alpha[2, 2].item() == pytest.approx(0.9, abs=1e-6)
    assert drawn.depth[2, 2].item() == pytest.approx((0.5 * 2 + 0.4 * 4) / 0.9, abs=1e-5)


def test_meta_tells_place_depth_radius_and_contribution(backend):
    meta = gaussian_at(x=1.5, y=3.5, z=3.0, sigma=0.2, opacity=0.5).draw(backend).meta
    torch.testing.assert_close(meta.means2d[0].detach(), torch.tensor([1.5, 3.5]))
    assert meta.depths[0].item() == pytest.approx(3)
    # off the axis the projection stretches x by sqrt(1 + 0.15^2) and y by sqrt(1 + 0.35^2)
    stretched = 0.3 + 0.04 * (1 + 0.35**2)
    assert meta.radii[0] == math.ceil(math.sqrt(2 * math.log(127.5) * stretched))
    drawn = gaussian_at(x=1.5, y=3.5, z=3.0, sigma=0.2, opacity=0.5).draw(backend)
    assert meta.contributions[0].item() == pytest.approx(drawn.alpha.sum().item(), rel=1e-5)


@pytest.mark.parametrize(("opacity", "alpha"), [(0.0, 0.0), (0.0039, 0.0), (1.0, 0.999)])
def test_extreme_opacities(backend, opacity, alpha):
    """Under 1/255 nothing is drawn; alpha never passes 0.999, and there the gradient stops."""
    drawn, grads = gaussian_at(opacity=opacity, sigma=0.01).gradients(backend)
    assert drawn.alpha[2, 2].item() == pytest.approx(alpha, abs=1e-6)
    assert all(grad.isfinite().all() for grad in grads.values())
    assert (drawn.meta.radii[0] > 0) == (alpha > 0)


@pytest.mark.parametrize(
    "place",
    [{"z": -2.0}, {"z": 0.005}, {"x": 60.0}, {"y": -60.0}],
    ids=["behind", "near", "right", "above"],
)
def test_what_is_out_of_sight_shows_nothing_and_gets_no_gradient(backend, place):
    scene = gaussian_at(**place)
    drawn, grads = scene.gradients(backend)
    assert drawn.alpha.abs().max() == 0
    assert drawn.depth.abs().max() == 0
    assert drawn.meta.radii[0] == 0
    del grads["background"]
    assert all(grad.abs().max() == 0 for grad in grads.values())


def test_no_gaussians_at_all_show_the_background(backend):
    scene = random_scene(0, 7, 5)
    drawn, grads = scene.gradients(backend)
    torch.testing.assert_close(drawn.image, scene.leaves["background"].expand(5, 7, 3))
    assert drawn.meta.radii.shape == (0,)
    assert grads["background"].abs().max() > 0


def test_an_opaque_stack_ends_before_transmittance_falls_to_a_ten_thousandth(backend):
    """With alpha 0.8 each, T is 0.2, 0.04, 0.008, 0.0016, 0.00032; 0.000064 is not reached."""
    scene = gaussian_at(opacity=0.8)
    for name in ("quaternions", "opacities", "colors"):
        leaf = scene.leaves[name]
        scene.leaves[name] = leaf.expand(40, *leaf.shape[1:]).clone()
    z = torch.arange(2, 42).float()
    scene.leaves["means"] = torch.stack([0.25 * z, 0.25 * z, z], dim=1)
    scene.leaves["scales"] = 0.1 * z[:, None].expand(40, 3).clone()
    drawn = scene.draw(backend)
    assert drawn.alpha[2, 2].item() == pytest.approx(0.99968, abs=2e-6)
    depth = sum(0.8 * 0.2**k * (2 + k) for k in range(5)) / 0.99968
    assert drawn.depth[2, 2].item() == pytest.approx(depth, rel=1e-5)


def test_a_batch_draws_each_camera(backend):
    scene = random_scene(30, 20, 13)
    leaves = dict(scene.leaves)
    poses = torch.stack([leaves.pop("camera_from_world").detach(), torch.eye(4)])
    both = rasterize(
        **leaves,
        camera_from_world=poses,
        intrinsics=scene.intrinsics,
        width=20,
        height=13,
        backend=backend,
    )
    assert both.image.shape == (2, 13, 20, 3)
    assert both.meta.means2d.shape == (2, 30, 2)
    scene.leaves["camera_from_world"] = poses[1]
    torch.testing.assert_close(both.image[1], scene.draw(backend).image, rtol=0, atol=0)
    both.image.sum().backward()
    grad = both.meta.means2d_grad
    assert grad is not None
    assert grad.shape == (2, 30, 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["means", "quaternions", "scales", "opacities", "colors"])
def test_values_that_are_not_finite_are_refused(backend, name, bad):
    scene = random_scene(20, 8, 8)
    scene.leaves[name] = scene.leaves[name].detach().clone()
    scene.leaves[name].view(-1)[-1] = bad
    with pytest.raises(InputError, match="NaN"):
        scene.draw(backend)


def test_what_does_not_fit_is_named():
    scene = random_scene(4, 8, 8)
    scene.leaves["scales"] = torch.ones(4)
    with pytest.raises(InputError, match=r"scales have shape \(4,\)"):
        scene.draw("cpu")
    with pytest.raises(InputError, match="no rasteriser 'gpu'"):
        random_scene(4, 8, 8).draw("gpu")
    skewed = random_scene(4, 8, 8)
    skewed.intrinsics[0, 1] = 1
    with pytest.raises(InputError, match="skewed"):
        skewed.draw("cpu")
    skewed = random_scene(4, 8, 8)
    skewed.leaves["camera_from_world"] = torch.full((4, 4), math.nan)
    with pytest.raises(InputError, match="camera"):
        skewed.draw("cpu")
