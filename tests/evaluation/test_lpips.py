"""LPIPS with small random weights, against the layers written out as torch modules."""

import math

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fourfold.errors import InputError
from fourfold.evaluation import Lpips
from tests.evaluation.small_lpips import CHANNELS, NAMES, SIZES, small_weights


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return small_weights()


@pytest.fixture
def metric(tensors, tmp_path) -> Lpips:
    save_file(tensors, tmp_path / "w.safetensors")
    return Lpips.load(tmp_path / "w.safetensors")


def _pair(height: int = 64, width: int = 48):
    return torch.rand(2, height, width, 3, generator=torch.Generator().manual_seed(1))


def test_equal_images_have_no_distance_and_more_noise_has_more(metric):
    image, noise = _pair()
    distances = [float(metric((1 - a) * image + a * noise, image)) for a in (0.0, 0.2, 0.6)]
    assert distances[0] == 0
    assert 0 < distances[1] < distances[2]
    assert float(metric(image, noise)) == pytest.approx(float(metric(noise, image)))


def test_agrees_with_the_layers_written_out(metric, tensors):
    image, target = _pair()
    convolutions = []
    for k, name in enumerate(NAMES):
        stride, padding = (4, 2) if k == 0 else (1, SIZES[k] // 2)
        layer = nn.Conv2d(CHANNELS[k], CHANNELS[k + 1], SIZES[k], stride, padding)
        layer.load_state_dict(
            {"weight": tensors[f"{name}.weight"], "bias": tensors[f"{name}.bias"]}
        )
        pool = [nn.MaxPool2d(3, 2)] if k in (1, 2) else []
        convolutions.append(nn.Sequential(*pool, layer, nn.ReLU()))
    mean, deviation = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x, y = ((((2 * i - 1) - mean) / deviation).permute(2, 0, 1)[None] for i in (image, target))
    total = torch.zeros(1, 1, 64, 48)
    with torch.no_grad():
        for k, stage in enumerate(convolutions):
            x, y = stage(x), stage(y)
            unit = [f / (f.square().sum(1, keepdim=True).sqrt() + 1e-10) for f in (x, y)]
            squared = (unit[0] - unit[1]) ** 2
            layer = nn.functional.conv2d(squared, tensors[f"lin{k}.model.1.weight"])
            total += nn.Upsample((64, 48), mode="bilinear")(layer)
    assert float(metric(image, target)) == pytest.approx(float(total.mean()), rel=1e-5)


def test_what_is_outside_the_mask_does_not_count(metric):
    image, target = _pair()
    mask = torch.zeros(64, 48, dtype=torch.bool)
    mask[:, :20] = True
    before = float(metric(image, target, mask))
    image[:, 20:] = 0
    assert float(metric(image, target, mask)) == before
    assert before > 0
    image[:, :20] = target[:, :20]
    assert float(metric(image, target, mask)) == 0
    assert math.isnan(float(metric(image, target, torch.zeros_like(mask))))


def test_files_that_are_no_weights(tensors, tmp_path):
    file = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="cannot read the weights"):
        Lpips.load(file)
    file.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot read the weights"):
        Lpips.load(file)
    save_file({k: v for k, v in tensors.items() if k != "net.slice4.8.bias"}, file)
    with pytest.raises(InputError, match=r"the weights lack net\.slice4\.8\.bias"):
        Lpips.load(file)
    save_file({**tensors, "net.slice2.3.weight": torch.zeros(5, 9, 5, 5)}, file)
    with pytest.raises(InputError, match=r"net\.slice2\.3 have the shape \(5, 9, 5, 5\)"):
        Lpips.load(file)


def test_images_that_do_not_fit(metric):
    with pytest.raises(ValueError, match="images of"):
        metric(torch.zeros(30, 64, 3), torch.zeros(30, 64, 3))
    with pytest.raises(ValueError, match="images of"):
        metric(torch.zeros(64, 64, 3), torch.zeros(64, 48, 3))
