"""Compile what the stages use, before their time is measured."""

import torch

from fourfold.estimators import complete
from fourfold.scene import bind_points, deform
from fourfold.splat import warm_up
from fourfold.training import Progress


def compile_kernels() -> None:
    """Compile every Numba kernel of the method, a minute, or load it from the cache, a second."""
    with Progress(1, "compiling kernels (once per machine)") as progress:
        for step in (_compile_skinning, _compile_completion, warm_up):
            step()
        progress.advance()


def _compile_skinning() -> None:
    """Move one point by one node, forward and backward."""
    node, turn = torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    skinning = bind_points(node, node, torch.zeros(1, 1, dtype=torch.long), torch.ones(1))
    maps = torch.eye(3, 4)[None].requires_grad_()
    moved, turned = deform(maps, turn, node, turn, skinning)
    (moved.sum() + turned.sum()).backward()


def _compile_completion() -> None:
    """Fill a hole of one pixel."""
    picture, known = torch.zeros(32, 32, 3), torch.ones(32, 32, dtype=torch.bool)
    known[16, 16] = False
    complete(picture, known, picture)
