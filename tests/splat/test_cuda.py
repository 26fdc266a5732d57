"""The CUDA backend as far as it can be seen without a GPU."""

import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest
import torch

from fourfold.errors import MissingDependencyError
from tests.splat.scenes import gaussian_at, random_scene


@pytest.mark.skipif(importlib.util.find_spec("gsplat") is not None, reason="gsplat is installed")
def test_without_gsplat_it_says_what_to_install():
    with pytest.raises(MissingDependencyError, match=r"fourfold\[cuda\]"):
        gaussian_at().draw("cuda")


def test_gsplat_is_asked_for_colour_and_expected_depth(monkeypatch):
    """A stand-in with gsplat's signature that draws with the reference."""
    calls: list[dict[str, Any]] = []

    def rasterization(
        means, quats, scales, opacities, colors, viewmats, Ks, width, height, **options
    ):  # fmt: skip
        calls.append(options)
        from fourfold.splat import rasterize

        drawn = rasterize(
            means, quats, scales, opacities, colors, viewmats[0], Ks[0], width, height,
            backend="reference",
        )  # fmt: skip
        layers = [drawn.image, drawn.depth[..., None]]
        rendered = torch.cat(layers if "render_mode" in options else layers[:1], dim=-1)
        meta = drawn.meta.views[0]
        info = {
            "means2d": meta.means2d[None],
            "depths": meta.depths[None],
            "radii": meta.radii[None, :, None].expand(1, -1, 2),
        }
        return rendered[None], drawn.alpha[None, ..., None], info

    module: Any = ModuleType("gsplat")
    module.rasterization = rasterization
    monkeypatch.setitem(sys.modules, "gsplat", module)
    scene = random_scene(30, 12, 9)
    ours, theirs = scene.draw("reference"), scene.draw("cuda")
    torch.testing.assert_close(ours.image, theirs.image)
    torch.testing.assert_close(ours.depth, theirs.depth)
    torch.testing.assert_close(ours.meta.radii, theirs.meta.radii)
    torch.testing.assert_close(ours.meta.contributions, theirs.meta.contributions)
    assert calls[0]["render_mode"] == "RGB+ED"
    assert calls[0]["eps2d"] == 0.3
    assert calls[0]["near_plane"] == 0.01
