"""Names of stages and settings: what `train` is told."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from fourfold.errors import UsageError
from fourfold.methods.mixvoxels.config import PRESETS, DepthConfig, MixVoxelsConfig, VoxelConfig
from fourfold.methods.mixvoxels.gaussian_config import GaussianConfig
from fourfold.methods.mixvoxels.train import STAGES
from fourfold.training import parse_stages


@pytest.mark.parametrize("geometry", ["voxels", "gaussians"])
def test_stages_are_read_in_their_order(geometry: str):
    known = STAGES[geometry]
    assert parse_stages(",".join(known), known) == known
    with pytest.raises(UsageError, match=",".join(known)):
        parse_stages("moving,still", known)


def test_a_preset_with_what_is_set_otherwise():
    assert MixVoxelsConfig(preset="medium").size == PRESETS["medium"]
    size = MixVoxelsConfig(preset="tiny", voxels=VoxelConfig(resolution=50)).size
    assert size == replace(PRESETS["tiny"], resolution=50)
    size = MixVoxelsConfig(voxels=VoxelConfig(iterations=77, rays=100)).size
    assert size == replace(PRESETS["small"], iterations=77, rays=100)


def test_larger_presets_are_larger():
    sizes = list(PRESETS.values())
    for small, large in pairwise(sizes):
        assert small.resolution < large.resolution
        assert small.iterations < large.iterations
        assert small.rays <= large.rays


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (VoxelConfig(resolution=0), r"--voxels.resolution is 0; expected 24 to 1024"),
        (VoxelConfig(resolution=2000), r"--voxels.resolution is 2000"),
        (VoxelConfig(iterations=0), r"--voxels.iterations is 0; expected 10 or more"),
        (VoxelConfig(rays=1), r"--voxels.rays is 1"),
        (VoxelConfig(variation_threshold=0.0), r"--voxels.variation-threshold is 0.0"),
        (VoxelConfig(tv_weight=-1.0), r"--voxels.tv-weight is -1.0"),
        (VoxelConfig(tv_weight=math.nan), r"--voxels.tv-weight is nan"),
        (VoxelConfig(block_frames=1), r"--voxels.block-frames is 1; expected 2 or more"),
        (VoxelConfig(learning_rate=0.0), r"--voxels.learning-rate is 0.0"),
        (VoxelConfig(still_target="first"), r"--voxels.still-target is 'first'.*median, mean"),
        (VoxelConfig(still_target="-1"), r"--voxels.still-target is '-1'"),
        (DepthConfig(weight=-0.1), r"--depth-loss.weight is -0.1"),
        (DepthConfig(std=0.0), r"--depth-loss.std is 0.0"),
        (GaussianConfig(iterations=0), r"--gaussians.iterations is 0; expected 10 or more"),
        (GaussianConfig(max_gaussians=3), r"--gaussians.max-gaussians is 3"),
        (GaussianConfig(ssim_weight=1.5), r"--gaussians.ssim-weight is 1.5"),
    ],
)
def test_settings_out_of_their_range_are_refused(config: object, message: str):
    names = {VoxelConfig: "voxels", DepthConfig: "depth_loss", GaussianConfig: "gaussians"}
    whole = replace(MixVoxelsConfig(), **{names[type(config)]: config})
    with pytest.raises(UsageError, match=message):
        whole.check()


def test_good_settings_pass():
    MixVoxelsConfig().check()
    MixVoxelsConfig(preset="large", geometry="gaussians").check()
    MixVoxelsConfig(voxels=VoxelConfig(still_target="12", block_frames=2)).check()
