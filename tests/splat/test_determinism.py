"""The same bits on repeat, and with any number of threads."""

from collections.abc import Iterator

import pytest
import torch

from tests.splat.scenes import SplatScene, random_scene


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def everything(scene: SplatScene) -> dict[str, torch.Tensor]:
    drawn, grads = scene.to(torch.float32).gradients("cpu")
    outputs = {"image": drawn.image, "alpha": drawn.alpha, "depth": drawn.depth}
    return {**outputs, "contributions": drawn.meta.contributions, **grads}


@pytest.mark.parametrize("channels", [3, 7])
def test_results_are_the_same_to_the_bit(threads, channels):
    scene = random_scene(5000, 100, 70, channels)
    torch.set_num_threads(1)
    first = everything(scene)
    again = everything(scene)
    torch.set_num_threads(2)
    parallel = [everything(scene) for _ in range(3)]
    for other in (again, *parallel):
        for name, tensor in first.items():
            assert torch.equal(tensor, other[name]), name


def test_gaussians_at_the_same_depth_keep_their_order():
    scene = random_scene(200, 20, 20)
    means = scene.leaves["means"].detach().clone()
    means[:, 2] = 3.0
    scene.leaves["means"] = means
    scene.leaves["camera_from_world"] = torch.eye(4)
    exact = scene.to(torch.float64).draw("reference")
    assert (scene.draw("cpu").image - exact.image).abs().max() < 1e-4
