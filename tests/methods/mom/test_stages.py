"""Settings, the state between stages, and the pictures of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourfold.errors import UsageError
from fourfold.estimators import LandscapeDepth
from fourfold.methods.mom.config import LoopConfig, MOMConfig, RefineConfig
from fourfold.methods.mom.lift import Lifted
from fourfold.methods.mom.motion import PhotoMotion
from fourfold.methods.mom.photo import read_photo
from fourfold.methods.mom.pictures import show_depth, show_motion
from fourfold.methods.mom.state import State
from fourfold.methods.mom.train import STAGES
from fourfold.scene import Gaussians
from fourfold.training import Checkpoint, Run
from fourfold.training.stages import parse_stages
from tests.methods.mom.brook import HEIGHT, WIDTH, brook_capture, brook_image, brook_mask, sky_mask


def test_stages_are_read_in_their_order():
    assert parse_stages("depth,motion", STAGES) == ("depth", "motion")
    assert parse_stages(MOMConfig().stages, STAGES) == STAGES[:-1]
    for text in ("", "motion,depth", "depth,colours"):
        with pytest.raises(UsageError, match="depth,motion,lift,loop,refine"):
            parse_stages(text, STAGES)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (MOMConfig(speed=0.0), "--speed is 0.0; expected 0.001 to 1000"),
        (MOMConfig(speed=float("nan")), "--speed is nan"),
        (MOMConfig(loop=LoopConfig(frames=1)), "--loop.frames is 1; expected 2 to 3600"),
        (MOMConfig(loop=LoopConfig(longest_path=0.5)), "--loop.longest-path is 0.5; expected 1 or"),
        (MOMConfig(loop=LoopConfig(phases=0)), "--loop.phases is 0; expected 1 to 8"),
        (MOMConfig(loop=LoopConfig(patch=0.0)), "--loop.patch is 0.0"),
        (MOMConfig(refine=RefineConfig(iterations=0)), "--refine.iterations is 0"),
        (MOMConfig(refine=RefineConfig(ssim_weight=1.5)), "--refine.ssim-weight is 1.5"),
        (MOMConfig(refine=RefineConfig(flow_scale=-1.0)), "--refine.flow-scale is -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(config: MOMConfig, said: str):
    with pytest.raises(UsageError, match=said):
        config.check()


def test_settings_in_range_are_not():
    MOMConfig().check()
    replace(MOMConfig(), speed=3.0, loop=LoopConfig(frames=2, phases=8)).check()


def _landscape() -> LandscapeDepth:
    depth = torch.linspace(1.0, 9.0, HEIGHT * WIDTH).view(HEIGHT, WIDTH)
    return LandscapeDepth(depth, sky_mask(), ~sky_mask(), 20.5, "by hand", 1.5)


def _velocity() -> torch.Tensor:
    return torch.where(brook_mask().unsqueeze(-1), torch.tensor([0.0, 0.5]), 0.0)


def _gaussians(count: int) -> Gaussians:
    means = torch.arange(3.0 * count).view(count, 3)
    ones = torch.ones(count, 1)
    return Gaussians.from_colors(means, torch.rand(count, 3), ones, 0.5 * ones[:, 0])


def test_the_state_comes_back_from_a_checkpoint(tmp_path: Path):
    report = [{"region": "motion", "hints": ["hint_0"], "hint_angle": None}]
    motion = PhotoMotion(
        _velocity(), brook_mask().unsqueeze(0), ["motion"], report, ["hint_3"], {"epe": 0.25}
    )
    lifted = Lifted(_gaussians(4), _gaussians(2), (_gaussians(3), _gaussians(1)))
    state = State(_landscape(), motion, lifted)
    with Run.open(
        tmp_path / "run",
        method="mom",
        config=MOMConfig(),
        capture_path=tmp_path,
        capture_fingerprint="",
    ) as run:
        run.save_checkpoint("lift", 0, state.tensors(), state.facts())
        checkpoint = run.latest_checkpoint()
    assert checkpoint is not None
    found = State.restore(checkpoint)
    assert found.landscape is not None
    assert found.motion is not None
    assert found.lifted is not None
    assert torch.equal(found.landscape.depth, _landscape().depth)
    assert (found.landscape.horizon, found.landscape.source) == (20.5, "by hand")
    assert found.landscape.scale == 1.5
    assert torch.equal(found.motion.velocity, _velocity())
    assert (found.motion.report, found.motion.unused_hints) == (report, ["hint_3"])
    assert found.motion.figures == {"epe": 0.25}
    parts = zip(found.lifted.parts(), lifted.parts(), strict=True)
    assert all(torch.equal(one.means, other.means) for one, other in parts)


def test_a_state_of_nothing_comes_back_as_that():
    state = State()
    assert State.restore(Checkpoint("depth", 0, state.tensors(), state.facts())) == State()


def test_the_picture_of_depth_leaves_the_sky_white():
    photo = read_photo(brook_capture())
    picture = show_depth(photo, _landscape())
    assert picture.shape == (2 * HEIGHT, WIDTH, 3)
    assert torch.equal(picture[:HEIGHT], brook_image())
    assert bool((picture[HEIGHT:][sky_mask()] == 1.0).all())
    ground = picture[HEIGHT:][~sky_mask()]
    assert float(ground.std(0).max()) > 0.1
    nothing_but_sky = replace(_landscape(), sky=torch.ones(HEIGHT, WIDTH, dtype=torch.bool))
    assert bool((show_depth(photo, nothing_but_sky)[HEIGHT:] == 1.0).all())


def test_arrows_are_drawn_where_something_moves():
    photo = replace(read_photo(brook_capture()), hints=())
    picture = show_motion(photo, _velocity())
    changed = (picture - brook_image()).abs().amax(-1) > 0.02
    assert int(changed[brook_mask()].sum()) > 40
    # an arrow that begins in the brook reaches a few pixels beyond it
    assert not bool(changed[:, :24].any())
    assert not bool(changed[:24].any())
    hinted = show_motion(read_photo(brook_capture()), 0.0 * _velocity())
    red = (hinted[..., 0] > 0.9) & (hinted[..., 2] < 0.4)
    assert bool(red[46:60, 46:50].any())
