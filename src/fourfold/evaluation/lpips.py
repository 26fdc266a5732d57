"""LPIPS: the distance of two images in the features of an AlexNet, where its weights are given.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fourfold.errors import InputError

# AlexNet's convolutions in torchvision's numbering: name in the file, stride, padding. The first
# two outputs are pooled (3x3, stride 2) before the next convolution.
_LAYERS = (
    ("net.slice1.0", 4, 2),
    ("net.slice2.3", 1, 2),
    ("net.slice3.6", 1, 1),
    ("net.slice4.8", 1, 1),
    ("net.slice5.10", 1, 1),
)
_POOLED_BEFORE = (1, 2)
# ImageNet's mean and deviation for images in [-1, 1], as the authors' scaling layer has them.
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10
# Below this AlexNet's second pooling has nothing left.
_SMALLEST_SIDE = 31


@dataclass(frozen=True, eq=False)
class Lpips:
    """The metric with its weights; call it with two images.

    Attributes:
        kernels: five convolutions (C', C, h, w).
        biases: (C') of each.
        heads: (C') per layer, how much each channel's squared difference counts, from 0 up.
    """

    kernels: tuple[Float[Tensor, "C2 C1 h w"], ...]
    biases: tuple[Float[Tensor, "C2"], ...]
    heads: tuple[Float[Tensor, "C2"], ...]

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Lpips":
        """Read the weights from a safetensors file of `lpips.LPIPS(net="alex").state_dict()`.

        Raises:
            InputError: the file is missing or damaged, or lacks a tensor.
        """
        file = Path(path)
        try:
            tensors = load_file(file)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"cannot read the weights ({error})", path=file, expected="a safetensors file"
            ) from error
        kernels, biases, heads = [], [], []
        for index, (name, _, _) in enumerate(_LAYERS):
            kernels.append(_tensor(tensors, f"{name}.weight", file))
            biases.append(_tensor(tensors, f"{name}.bias", file))
            heads.append(_tensor(tensors, f"lin{index}.model.1.weight", file).flatten())
        _check(kernels, biases, heads, file)
        return Lpips(tuple(kernels), tuple(biases), tuple(heads))

    @torch.no_grad()
    def __call__(
        self,
        image: Float[Tensor, "H W 3"],
        target: Float[Tensor, "H W 3"],
        mask: Bool[Tensor, "H W"] | None = None,
    ) -> Float[Tensor, ""]:
        """Measure the distance of two images in [0, 1], 0 where equal, over all pixels or a mask.

        sum over layers of the heads times the squared differences of the unit-length features,
        scaled up bilinearly to the image and averaged. With a mask, both images show the target
        outside it, so that what is outside does not count, and does not look like a black hole.

        Raises:
            ValueError: shapes differ, or a side is below 31 pixels.
        """
        if image.shape != target.shape or min(image.shape[:2]) < _SMALLEST_SIDE:
            raise ValueError(f"images of {tuple(image.shape)} and {tuple(target.shape)}")
        if mask is not None:
            image = image.where(mask[..., None], target)
        distance = torch.zeros(image.shape[:2])
        features = zip(self._features(image), self._features(target), self.heads, strict=True)
        for ours, theirs, head in features:
            layer = torch.einsum("c,chw->hw", head, (ours - theirs).square())
            distance += F.interpolate(layer[None, None], image.shape[:2], mode="bilinear")[0, 0]
        return distance.mean() if mask is None else distance[mask].mean()

    def _features(self, image: Float[Tensor, "H W 3"]) -> list[Float[Tensor, "C h w"]]:
        x = (2 * image - 1 - torch.tensor(_SHIFT)) / torch.tensor(_SCALE)
        x = x.permute(2, 0, 1)[None]
        found = []
        for index, (_, stride, padding) in enumerate(_LAYERS):
            if index in _POOLED_BEFORE:
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(F.conv2d(x, self.kernels[index], self.biases[index], stride, padding))
            found.append(x[0] / (x[0].norm(dim=0) + _EPSILON))
        return found


def _tensor(tensors: dict[str, Tensor], name: str, file: Path) -> Tensor:
    if name not in tensors:
        raise InputError(
            f"the weights lack {name}",
            path=file,
            expected='the state dict of lpips.LPIPS(net="alex")',
            mend="Save it with safetensors.torch.save_file(model.state_dict(), FILE)",
        )
    return tensors[name].float()


def _check(kernels: list[Tensor], biases: list[Tensor], heads: list[Tensor], file: Path) -> None:
    channels = 3
    for (name, _, _), kernel, bias, head in zip(_LAYERS, kernels, biases, heads, strict=True):
        fits = kernel.ndim == 4 and kernel.shape[1] == channels
        if not fits or not bias.shape == head.shape == kernel.shape[:1]:
            raise InputError(
                f"the weights of {name} have the shape {tuple(kernel.shape)}",
                path=file,
                expected=f"(C, {channels}, h, w), a bias and a head of C",
            )
        channels = kernel.shape[0]
