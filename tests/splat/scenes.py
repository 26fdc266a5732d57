"""Small scenes for the rasteriser's tests."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fourfold.splat import Rasterization, rasterize


@dataclass
class SplatScene:
    """Gaussians before one camera, with leaves to differentiate."""

    leaves: dict[str, Tensor]
    intrinsics: Tensor
    width: int
    height: int

    def to(self, dtype: torch.dtype) -> "SplatScene":
        leaves = {k: v.detach().to(dtype).requires_grad_() for k, v in self.leaves.items()}
        return SplatScene(leaves, self.intrinsics.to(dtype), self.width, self.height)

    def draw(self, backend: str) -> Rasterization:
        return rasterize(
            **self.leaves,  # pyright: ignore[reportArgumentType]
            intrinsics=self.intrinsics,
            width=self.width,
            height=self.height,
            backend=backend,  # pyright: ignore[reportArgumentType]
        )

    def gradients(self, backend: str, seed: int = 1) -> tuple[Rasterization, dict[str, Tensor]]:
        """Draw, and run backward from a fixed random loss over all outputs."""
        drawn = self.draw(backend)
        generator = torch.Generator().manual_seed(seed)
        loss = torch.zeros((), dtype=self.intrinsics.dtype)
        for output in drawn[:3]:
            weights = torch.randn(output.shape, generator=generator).to(output.dtype)
            loss = loss + (weights * output).sum()
        loss.backward()
        grads = {name: leaf.grad for name, leaf in self.leaves.items()}
        return drawn, {name: grad.clone() for name, grad in grads.items() if grad is not None}


def random_scene(
    count: int, width: int, height: int, channels: int = 3, seed: int = 0
) -> SplatScene:
    """Return Gaussians spread over the image and somewhat beyond it, seen by a turned camera."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    focal, z = float(width), 2 + 6 * uniform(count)
    pixels = (uniform(count, 2) * 1.2 - 0.6) * torch.tensor([width, height])
    pose = torch.eye(4)
    pose[:3, :3] = torch.linalg.matrix_exp(
        torch.tensor([[0, -0.02, 0.03], [0.02, 0, 0.01], [-0.03, -0.01, 0]])
    )
    pose[:3, 3] = torch.tensor([0.02, -0.03, 0.05])
    sigma = 0.7 * (4 / 0.7) ** uniform(count, 3)
    leaves = {
        "means": torch.cat([pixels / focal * z[:, None], z[:, None]], dim=1),
        "quaternions": torch.randn(count, 4, generator=generator),
        "scales": sigma * (z / focal)[:, None],
        "opacities": 0.05 + 0.94 * uniform(count),
        "colors": uniform(count, channels),
        "camera_from_world": pose,
        "background": uniform(channels),
    }
    intrinsics = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2 + 0.3], [0, 0, 1]])
    return SplatScene(leaves, intrinsics, width, height).to(torch.float32)


def gaussian_at(
    x: float = 2.5, y: float = 2.5, z: float = 2.0, sigma: float = 1.0, opacity: float = 0.5
) -> SplatScene:
    """Return one round Gaussian at a pixel position; sigma is in pixels, before eps2d's blur."""
    focal = 10.0
    leaves = {
        "means": torch.tensor([[x * z / focal, y * z / focal, z]]),
        "quaternions": torch.tensor([[1.0, 0, 0, 0]]),
        "scales": torch.full((1, 3), sigma * z / focal),
        "opacities": torch.tensor([opacity]),
        "colors": torch.tensor([[0.2, 0.4, 0.8]]),
        "camera_from_world": torch.eye(4),
        "background": torch.zeros(3),
    }
    intrinsics = torch.tensor([[focal, 0, 0], [0, focal, 0], [0, 0, 1]])
    return SplatScene(leaves, intrinsics, 5, 5).to(torch.float32)
