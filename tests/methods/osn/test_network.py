"""The object-scale network's labels, soft Z-buffer and training."""

import math

import pytest
import torch
from torch import Tensor

from fourfold.methods.osn.config import NetworkConfig
from fourfold.methods.osn.network import pseudo_labels, soft_accuracy, train_network
from fourfold.methods.osn.scales import new_network

RANGES = torch.tensor([[1.0, 3.0], [1.0, 3.0]])


def test_labels_are_one_above_the_threshold():
    accuracy = torch.tensor([0.2, 0.9, 0.5, 0.51])
    assert pseudo_labels(accuracy, 0.5, 0.0).tolist() == [0.0, 1.0, 0.0, 1.0]


def test_the_best_are_labelled_where_too_few_pass():
    accuracy = torch.tensor([0.2, 0.9, 0.5, 0.6])
    assert pseudo_labels(accuracy, 0.95, 0.5).tolist() == [0.0, 1.0, 0.0, 1.0]
    # as many as are asked for pass: those that do stay
    assert pseudo_labels(accuracy, 0.4, 0.5).tolist() == [0.0, 1.0, 1.0, 1.0]
    # a quarter of three is none
    assert pseudo_labels(accuracy[:3], 0.95, 0.25).tolist() == [0.0, 0.0, 0.0]


def test_the_soft_buffer_by_hand():
    # bodies at 2 and 3 at scale 1; the second is not in the other pixel
    depths = torch.tensor([[2.0, 3.0], [4.0, torch.inf]])
    labels, weights = torch.tensor([0, 0]), torch.tensor([0.75, 0.25])
    accuracy = soft_accuracy(depths, labels, weights, beta=0.5)
    found = accuracy(torch.tensor([[1.0], [2.0 / 3]]))
    # exp(-.5 * 2) / (exp(-.5 * 2) + exp(-.5 * 3)); at 2/3 both are at 2
    near = 1 / (1 + math.exp(-0.5))
    assert found.tolist() == pytest.approx([0.75 * near + 0.25, 0.75 * 0.5 + 0.25])


def test_a_sharp_soft_buffer_is_the_hard_one():
    random = torch.Generator().manual_seed(0)
    depths = 1 + torch.rand(50, 3, generator=random)
    labels = torch.randint(3, (50,), generator=random)
    scales = 1 + torch.rand(20, 2, generator=random)
    soft = soft_accuracy(depths, labels, torch.full((50,), 0.02), 1e5)(scales)
    factors = torch.cat([torch.ones(20, 1), scales], 1)
    nearest = (factors[:, None] * depths).argmin(-1)
    torch.testing.assert_close(soft, (nearest == labels).float().mean(1), atol=1e-3, rtol=0)


def half_space(scales: Tensor) -> Tensor:
    """Valid where the second object is the smaller one."""
    return (scales[:, 1] < scales[:, 0]).float()


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_a_network_learns_a_half_space(loss):
    network = new_network(2, seed=0)
    assert network is not None
    config = NetworkConfig(iterations=200, combinations=512, loss=loss)
    losses = train_network(network, half_space, RANGES, 0.5, config, seed=0, turn=0)
    assert losses[-1] < 0.3 * losses[0]
    places = torch.rand(2000, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = network(places) > 0.5
    assert float((found == (places[:, 1] < places[:, 0])).float().mean()) > 0.97


def test_training_depends_on_seed_and_turn_alone():
    config = NetworkConfig(iterations=3, combinations=64)

    def trained(seed: int, turn: int) -> Tensor:
        network = new_network(2, seed=0)
        assert network is not None
        train_network(network, half_space, RANGES, 0.5, config, seed, turn)
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    assert torch.equal(trained(1, 0), trained(1, 0))
    assert not torch.equal(trained(1, 0), trained(2, 0))
    assert not torch.equal(trained(1, 0), trained(1, 1))


def test_a_network_is_made_of_its_seed_and_leaves_other_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = new_network(3, 1), new_network(3, 1)
    assert torch.equal(torch.rand(1), expected)
    assert first is not None
    assert second is not None
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_without_objects_there_is_no_network():
    assert new_network(0, 0) is None
