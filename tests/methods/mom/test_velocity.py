import math

import pytest
import torch
from torch import Tensor

from fourfold.capture import Hint
from fourfold.errors import InputError
from fourfold.geometry import Camera
from fourfold.methods.mom.region_motion import Solver
from fourfold.methods.mom.velocity import VelocityField, solve_velocity
from tests.methods.mom.channels import Channel, Flow, bend, see_channel, straight, widening

# Where the hints stand: the channel's beginning, middle and end.
HINTS: dict[Flow, tuple[tuple[int, int], ...]] = {
    straight: ((128, 72), (138, 122), (144, 153)),
    bend: ((99, 123), (79, 86), (39, 76)),
    widening: ((119, 89), (119, 128), (119, 153)),
}


def _solve(channel: Channel, places: tuple[tuple[int, int], ...], solver: Solver) -> VelocityField:
    hints = [channel.hint(x, y) for x, y in places]
    sky = torch.zeros_like(channel.mask)
    return solve_velocity(channel.mask[None], hints, channel.depth, sky, channel.camera, solver)


def _errors(field: VelocityField, channel: Channel) -> tuple[float, float]:
    """Return the mean angle (degrees) and mean relative speed error over the channel."""
    found, true = field.velocity[channel.mask], channel.velocity[channel.mask]
    angle = torch.cosine_similarity(found, true, dim=-1).clamp(-1, 1).acos().rad2deg()
    speed = (found.norm(dim=-1) / true.norm(dim=-1) - 1).abs()
    return float(angle.mean()), float(speed.mean())


# Banks are known to half a pixel of a channel 14 (far) to 100 pixels wide: 4 % of the flux and 2
# degrees at the narrow end. A bend between three hints adds what they don't say of its middle.
@pytest.mark.parametrize(
    ("flow", "angle", "speed"), [(straight, 1.0, 0.04), (bend, 4.0, 0.08), (widening, 2.0, 0.05)]
)
def test_three_hints_recover_the_incompressible_flow_of_a_channel_in_perspective(
    flow: Flow, angle: float, speed: float
) -> None:
    channel = see_channel(flow)
    field = _solve(channel, HINTS[flow], "auto")
    assert field.regions[0].solver == "stream"
    found = _errors(field, channel)
    assert found[0] < angle
    assert found[1] < speed


def test_the_stream_flow_has_no_divergence_on_the_ground() -> None:
    channel = see_channel(bend)
    stream = _divergence(_solve(channel, HINTS[bend], "stream"), channel)
    harmonic = _divergence(_solve(channel, HINTS[bend], "harmonic"), channel)
    assert stream < 0.003
    assert stream < harmonic / 3


def _divergence(field: VelocityField, channel: Channel) -> float:
    """Give the root mean square of a pixel's balance over what flows through it.

    The flux through a pixel's side is the velocity in the chart times the ground's area per pixel,
    z^3 up to a factor.
    """
    flux = field.velocity * channel.depth[..., None] ** 3
    inner = -torch.nn.functional.max_pool2d(-channel.mask[None].float(), 7, 1, 3)[0] > 0.5
    across = (flux[1:-1, 2:, 0] - flux[1:-1, :-2, 0]) / 2
    down = (flux[2:, 1:-1, 1] - flux[:-2, 1:-1, 1]) / 2
    balance = (across + down)[inner[1:-1, 1:-1]]
    return float(balance.square().mean().sqrt() / flux.norm(dim=-1)[inner].square().mean().sqrt())


def test_the_stream_flow_runs_along_the_banks() -> None:
    channel = see_channel(bend)
    radius = torch.hypot(channel.ground[..., 0] + 2.0, channel.ground[..., 1] - 1.2)
    outer = channel.mask & (radius > 2.25)
    through = {}
    solvers: tuple[Solver, ...] = ("stream", "harmonic")
    for solver in solvers:
        found = _solve(channel, HINTS[bend], solver).velocity[outer]
        along = torch.nn.functional.normalize(channel.velocity[outer], dim=-1)
        across = found[:, 0] * along[:, 1] - found[:, 1] * along[:, 0]
        through[solver] = float(across.abs().mean() / found.norm(dim=-1).mean())
    assert through["stream"] < 0.1 < through["harmonic"]


def _plane(height: int = 90, width: int = 120, depth: float = 4.0) -> tuple[Tensor, Tensor, Camera]:
    """Give the depth of a facing plane, no sky, and its camera."""
    shape = (height, width)
    camera = Camera.from_fov(width, height, 50.0)
    return torch.full(shape, depth), torch.zeros(shape, dtype=torch.bool), camera


def test_perspective_slows_far_matter_by_itself() -> None:
    channel = see_channel(straight)
    field = _solve(channel, ((138, 122),), "harmonic")
    near, far = field.velocity[150, 143, 1], field.velocity[60, 125, 1]
    # y speed goes as 1/z^2: (150.5 - 30)^2 / (60.5 - 30)^2
    assert float(near / far) == pytest.approx((120.5 / 30.5) ** 2, rel=0.05)


def test_the_whole_photo_moves_as_its_one_hint() -> None:
    depth, sky, camera = _plane()
    masks = torch.ones(1, 90, 120, dtype=torch.bool)
    hint = Hint("hint", (30.0, 40.0), (80.0, 50.0))
    field = solve_velocity(masks, [hint], depth, sky, camera)
    assert torch.allclose(field.velocity, torch.tensor([1.0, 0.2]).expand(90, 120, 2), atol=2e-3)
    region = field.regions[0]
    assert (region.mask, region.pixels, region.hints) == (0, 10800, (0,))
    assert region.median_speed == pytest.approx(math.hypot(1.0, 0.2), rel=2e-3)


def test_a_region_of_one_pixel_moves_as_its_hint() -> None:
    depth, sky, camera = _plane()
    masks = torch.zeros(1, 90, 120, dtype=torch.bool)
    masks[0, 40, 50] = True
    hint = Hint("hint", (50.5, 40.5), (55.5, 45.5))
    solvers: tuple[Solver, ...] = ("auto", "stream", "harmonic")
    for solver in solvers:
        field = solve_velocity(masks, [hint], depth, sky, camera, solver)
        assert field.velocity[40, 50].tolist() == pytest.approx([0.1, 0.1], rel=0.01)
        assert int((field.velocity != 0).any(dim=-1).sum()) == 1


def test_a_line_of_one_pixels_width_flows() -> None:
    depth, sky, camera = _plane()
    masks = torch.zeros(1, 90, 120, dtype=torch.bool)
    masks[0, 40] = True
    hint = Hint("hint", (20.0, 40.5), (30.0, 40.5))
    field = solve_velocity(masks, [hint], depth, sky, camera)
    assert torch.allclose(field.velocity[40], torch.tensor([0.2, 0.0]).expand(120, 2), atol=2e-3)


def test_islands_are_flowed_around() -> None:
    channel = see_channel(straight)
    channel.mask[110:125, 125:150] = False
    field = _solve(channel, ((128, 72), (144, 153)), "stream")
    beside = field.velocity[117, 152:155]
    assert float(field.velocity[110:125, 125:150].abs().max()) == 0.0
    assert bool((beside[:, 1] > 1.15 * channel.velocity[117, 152:155, 1]).all())


def test_every_hint_counts_also_one_that_starts_outside_or_lies_beside() -> None:
    depth, sky, camera = _plane()
    masks = torch.zeros(1, 90, 120, dtype=torch.bool)
    masks[0, 20:40, 10:50] = True
    masks[0, 60:80, 60:110] = True
    hints = [
        Hint("starts outside", (5.0, 30.0), (30.0, 30.0)),
        Hint("beside", (70.0, 58.0), (90.0, 58.0)),
        Hint("out of reach", (110.0, 10.0), (110.0, 30.0)),
    ]
    field = solve_velocity(masks, hints, depth, sky, camera)
    assert sorted(region.hints for region in field.regions) == [(0,), (1,)]
    assert field.unused_hints == (2,)
    assert field.velocity[30, 30].tolist() == pytest.approx([0.5, 0.0], abs=0.01)
    assert field.velocity[70, 80].tolist() == pytest.approx([0.4, 0.0], abs=0.01)


def test_a_region_without_a_hint_borrows_from_a_near_one_or_rests() -> None:
    depth, sky, camera = _plane()
    sky[:20] = True
    masks = torch.zeros(3, 90, 120, dtype=torch.bool)
    masks[0, 30:60, :40] = True
    masks[1, 30:60, 45:60] = True
    masks[2, 5:15, :40] = True
    field = solve_velocity(masks, [Hint("hint", (10.0, 45.0), (30.0, 45.0))], depth, sky, camera)
    solvers = {region.mask: (region.solver, region.note) for region in field.regions}
    assert solvers[0] == ("harmonic", "")
    assert solvers[1][0] == "borrowed"
    assert "nearest region" in solvers[1][1]
    assert solvers[2][0] == "none"
    assert "stands still" in solvers[2][1]
    assert field.velocity[45, 50].tolist() == pytest.approx([0.4, 0.0], abs=0.03)
    assert float(field.velocity[10].abs().max()) == 0.0


def test_a_speck_beside_a_river_moves_with_it() -> None:
    channel = see_channel(straight)
    rows, columns = torch.nonzero(channel.mask, as_tuple=True)
    beside = int(columns[rows == 120].min()) - 3
    channel.mask[120, beside] = True
    field = _solve(channel, HINTS[straight], "harmonic")
    assert [region.solver for region in field.regions] == ["harmonic", "borrowed"]
    assert float(field.velocity[120, beside].norm()) > 0.0


def test_hints_that_contradict_are_averaged_and_reported() -> None:
    depth, sky, camera = _plane()
    masks = torch.ones(1, 90, 120, dtype=torch.bool)
    hints = [
        Hint("right", (40.0, 45.0), (80.0, 45.0)),
        Hint("left", (80.0, 45.0), (40.0, 45.0)),
    ]
    region = solve_velocity(masks, hints, depth, sky, camera).regions[0]
    assert region.hint_angle > 20.0
    assert "contradict" in region.note


def test_a_region_over_the_horizon_is_two() -> None:
    depth, sky, camera = _plane()
    sky[:40] = True
    masks = torch.ones(1, 90, 120, dtype=torch.bool)
    hints = [Hint("cloud", (20.0, 20.0), (60.0, 20.0)), Hint("sea", (60.0, 60.0), (50.0, 60.0))]
    field = solve_velocity(masks, hints, depth, sky, camera)
    assert {region.surface: region.hints for region in field.regions} == {
        "sky": (0,),
        "upright": (1,),
    }
    assert field.velocity[35, 60].tolist() == pytest.approx([0.8, 0.0], abs=0.01)


def test_speeds_far_beyond_the_hints_are_bent() -> None:
    channel = see_channel(straight)
    field = _solve(channel, ((127, 60),), "harmonic")
    fastest = float(channel.velocity[60, 127].norm())
    assert field.regions[0].largest_speed <= 2.0 * fastest * 1.001


def test_nothing_to_solve_is_one_clear_error() -> None:
    depth, sky, camera = _plane()
    masks = torch.zeros(1, 90, 120, dtype=torch.bool)
    hint = Hint("hint", (10.0, 10.0), (30.0, 10.0))
    with pytest.raises(InputError, match="masks are empty"):
        solve_velocity(masks, [hint], depth, sky, camera)
    masks[0, 60:] = True
    with pytest.raises(InputError, match="no hint"):
        solve_velocity(masks, [], depth, sky, camera)
    with pytest.raises(InputError, match="none of the 1 hints"):
        solve_velocity(masks, [hint], depth, sky, camera)
