"""Names of stages and settings: what `train` is told."""

import math
from dataclasses import replace

import pytest
import torch

from fourfold.errors import UsageError
from fourfold.methods.osn.config import BodyConfig, NetworkConfig, OSNConfig
from fourfold.methods.osn.footage import place_on_path
from fourfold.methods.osn.train import STAGES
from fourfold.training import Checkpoint, parse_stages, stage_is_done


def test_stages_are_read_in_their_order():
    assert parse_stages("bootstrap", STAGES) == ("bootstrap",)
    assert parse_stages(" bootstrap,rounds , scales,", STAGES) == ("bootstrap", "rounds", "scales")


@pytest.mark.parametrize(
    "text", ["", "rounds,bootstrap", "scales,polish", "scales,scales", "Rounds"]
)
def test_other_stages_are_refused(text: str):
    with pytest.raises(UsageError, match="bootstrap,rounds,scales"):
        parse_stages(text, STAGES)


def reached(stage: str, done: bool) -> Checkpoint:
    return Checkpoint(stage, 3, {"fit": torch.zeros(1)}, {"done": True} if done else {})


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [
        (None, [False, False, False]),
        (reached("bootstrap", False), [False, False, False]),
        (reached("bootstrap", True), [True, False, False]),
        (reached("rounds", False), [True, False, False]),
        (reached("rounds", True), [True, True, False]),
        (reached("scales", True), [True, True, True]),
    ],
)
def test_what_a_checkpoint_has_done(checkpoint: Checkpoint | None, expected: list[bool]):
    stages = ("bootstrap", "rounds", "scales")
    assert [stage_is_done(checkpoint, stage, STAGES) for stage in stages] == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (OSNConfig(tau=-0.1), r"--tau is -0.1.*0 to 1"),
        (OSNConfig(tau=1.0), r"--tau is 1.*below 1"),
        (OSNConfig(tau=math.nan), r"--tau is nan"),
        (OSNConfig(body=BodyConfig(iterations=0)), r"--body.iterations is 0.*1 or more"),
        (OSNConfig(body=BodyConfig(rounds=0)), r"--body.rounds is 0"),
        (OSNConfig(body=BodyConfig(max_gaussians=3)), r"--body.max-gaussians is 3.*16 or more"),
        (OSNConfig(body=BodyConfig(depth_weight=math.inf)), r"--body.depth-weight is inf"),
        (OSNConfig(body=BodyConfig(ssim_weight=1.2)), r"--body.ssim-weight is 1.2"),
        (OSNConfig(network=NetworkConfig(iterations=-1)), r"--network.iterations is -1"),
        (OSNConfig(network=NetworkConfig(combinations=0)), r"--network.combinations is 0"),
        (OSNConfig(network=NetworkConfig(accuracy_threshold=2.0)), r"accuracy-threshold is 2.0"),
        (OSNConfig(network=NetworkConfig(beta=0.0)), r"--network.beta is 0.0"),
        (OSNConfig(network=NetworkConfig(learning_rate=0.0)), r"--network.learning-rate is 0.0"),
        (
            OSNConfig(scales="network", network=NetworkConfig(iterations=0)),
            r"--scales network without a network",
        ),
        (OSNConfig(network=NetworkConfig(zbuffer="soft")), r"accuracy-threshold or .*top-share"),
    ],
)
def test_settings_out_of_their_range_are_refused(config: OSNConfig, message: str):
    with pytest.raises(UsageError, match=message):
        config.check()


def test_good_settings_pass():
    OSNConfig().check()
    OSNConfig(scales="network").check()
    replace(OSNConfig(), network=NetworkConfig(zbuffer="soft", top_share=0.1)).check()
    replace(OSNConfig(), network=NetworkConfig(zbuffer="soft", accuracy_threshold=0.8)).check()


def test_places_between_registered_frames():
    assert [place_on_path([2], t) for t in range(4)] == [0.0] * 4
    assert [place_on_path([0, 4, 5], t) for t in (1, 3, 4, 5, 9)] == [0.25, 0.75, 1.0, 2.0, 2.0]
