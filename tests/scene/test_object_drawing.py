"""Pictures of parts of a scene, put one before the other by hand."""

import torch
from torch import Tensor
from torch.testing import assert_close

from fourfold.scene.volume_drawing import put_over

GREY = torch.tensor([0.2, 0.2, 0.2])
RED, GREEN = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
NAN = torch.nan


def layer(
    color: Tensor, alphas: list[float], depths: list[float], number: int
) -> dict[str, Tensor]:
    """Give a row of pixels of one colour over grey, of the object of a number among two."""
    alpha = torch.tensor([alphas])
    shares = torch.zeros(1, len(alphas), 2)
    shares[..., number] = alpha
    rgb = alpha[..., None] * color + (1 - alpha[..., None]) * GREY
    return {"rgb": rgb, "alpha": alpha, "depth": torch.tensor([depths]), "objects": shares}


def test_each_pixel_has_its_own_order():
    # half red before all of green, behind it, alone, nowhere; at last both are faint
    red = layer(RED, [0.5, 0.5, 0.8, 0.0, 0.2], [2.0, 6.0, 3.0, NAN, 1.0], 0)
    green = layer(GREEN, [1.0, 1.0, 0.0, 0.6, 0.25], [5.0, 5.0, NAN, 4.0, 2.0], 1)
    expected_shares = torch.tensor(
        [[[0.5, 0.5], [0.0, 1.0], [0.8, 0.0], [0.0, 0.6], [0.2, 0.8 * 0.25]]]
    )
    alphas = expected_shares.sum(-1)
    colors = expected_shares @ torch.stack((RED, GREEN)) + (1 - alphas[..., None]) * GREY
    # the mean of what each adds; nothing under half of a pixel
    depths = torch.tensor([[0.5 * 2.0 + 0.5 * 5.0, 5.0, 3.0, 4.0, NAN]])
    for layers in ([red, green], [green, red]):
        drawn = put_over(layers, GREY)
        assert_close(drawn["objects"], expected_shares)
        assert_close(drawn["alpha"], alphas)
        assert_close(drawn["rgb"], colors)
        assert_close(drawn["depth"], depths, equal_nan=True)


def test_a_single_layer_stays_as_it_is():
    red = layer(RED, [0.7, 1.0], [2.0, 6.0], 0)
    for name, values in put_over([red], GREY).items():
        assert_close(values, red[name])
