"""Structure from motion on exact tracks: known answers, up to a similarity; bad input by name."""

import numpy as np
import pytest
import torch

from fourfold.errors import InputError, UsageError
from fourfold.estimators.structure_from_motion import (
    Lens,
    Tracks,
    health,
    map_body,
    rigid_body,
)
from fourfold.estimators.structure_from_motion.boxes import oriented_box
from fourfold.estimators.structure_from_motion.growing import pose_from
from fourfold.estimators.structure_from_motion.health import (
    check_health,
    measure_health,
    require_tracks,
)
from fourfold.estimators.structure_from_motion.model import (
    Model,
    centres,
    in_cameras,
    parallax_angles,
    residuals,
    robust_cost,
    triangulate,
)
from fourfold.estimators.structure_from_motion.reconstruct import body_regions, guess_lens
from fourfold.estimators.structure_from_motion.two_views import frame_gaps, rank_pairs
from fourfold.geometry import axis_angle_to_quaternion, fit_similarity, quaternion_to_matrix

pytest.importorskip("pycolmap")

LENS = Lens.centred(150.0, 160, 120)
NUM_FRAMES = 8


def orbit(num_frames: int = NUM_FRAMES, step: float = 0.06, distance: float = 4.0) -> np.ndarray:
    """Move a camera around the origin by `step` radians a frame; camera_from_object (T, 4, 4)."""
    poses = np.tile(np.eye(4), (num_frames, 1, 1))
    for t in range(num_frames):
        turn = axis_angle_to_quaternion(
            torch.tensor([0.01 * t, step * t, 0.0], dtype=torch.float64)
        )
        poses[t, :3, :3] = quaternion_to_matrix(turn).numpy()
        poses[t, :3, 3] = [0.02 * t, 0.0, distance]
    return poses


def cloud(count: int = 120, seed: int = 0) -> np.ndarray:
    """Scatter points in a box of 2 x 1.6 x 1.2 about the origin."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3)) * [1.0, 0.8, 0.6]


def seen(points: np.ndarray, poses: np.ndarray, noise: float = 0.0) -> Tracks:
    """Project points into all frames."""
    local = np.einsum("tij,pj->pti", poses[:, :3, :3], points) + poses[None, :, :3, 3]
    pixels = LENS.project(local)
    pixels += np.random.default_rng(1).normal(0, noise, pixels.shape) if noise else 0.0
    return Tracks(pixels, np.zeros(len(points), int))


def true_model(points: np.ndarray, poses: np.ndarray) -> Model:
    return Model(LENS, poses, points, np.ones((len(points), len(poses)), bool))


def test_a_lens_by_hand():
    """Focal length 150, middle (80, 60): (1, 0.5, 2) is seen at (80 + 75, 60 + 37.5)."""
    assert LENS.project(np.array([1.0, 0.5, 2.0])).tolist() == [155.0, 97.5]
    assert LENS.rays(np.array([155.0, 97.5])).tolist() == [0.5, 0.25, 1.0]
    assert np.isnan(LENS.project(np.array([1.0, 0.5, -2.0]))).all()


def test_residuals_and_parallax_by_hand():
    """Two cameras 2 apart see a point 1 before their middle at right angles; one is off by 3 px."""
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[0, 0, 3], poses[1, 0, 3] = 1.0, -1.0  # centres at x = -1 and x = 1
    points = np.array([[0.0, 0.0, 1.0]])
    model = true_model(points, poses)
    tracks = Tracks(np.array([[[230.0, 60.0], [-70.0, 63.0]]]), np.zeros(1, int))
    assert residuals(model, tracks).tolist() == [[0.0, 3.0]]
    assert parallax_angles(model)[0] == pytest.approx(90.0)
    assert centres(model).tolist() == [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    assert robust_cost(model, tracks) == pytest.approx((0 + 9 / (9 + 1)) / 2)


def test_points_are_triangulated_where_they_are():
    points, poses = cloud(), orbit()
    tracks = seen(points, poses)
    empty = Model(LENS, poses, np.full_like(points, np.nan), np.zeros((120, NUM_FRAMES), bool))
    found = triangulate(empty, tracks, min_angle=1.0, max_error=0.5)
    assert np.abs(found.points - points).max() < 1e-9
    assert found.used.all()
    # all parallax here is below 30 degrees: asking for more leaves nothing
    assert not triangulate(empty, tracks, min_angle=60.0, max_error=0.5).triangulated.any()


def test_poses_and_points_are_recovered():
    points, poses = cloud(), orbit()
    tracks = seen(points, poses, noise=0.1)
    found = map_body(tracks, LENS)
    assert found is not None
    assert found.model.registered.all()
    fit = fit_similarity(torch.from_numpy(found.model.points), torch.from_numpy(points)).numpy()
    assert np.abs(found.model.points @ fit[:3, :3].T + fit[:3, 3] - points).max() < 0.05
    moved = centres(found.model) @ fit[:3, :3].T + fit[:3, 3]
    assert np.abs(moved - centres(true_model(points, poses))).max() < 0.03
    assert np.nanmean(residuals(found.model, tracks)) < 0.15


def test_a_given_pair_is_taken_whatever_its_parallax():
    tracks = seen(cloud(), orbit())
    found = map_body(tracks, LENS, pair=(3, 4))
    assert found is not None
    assert found.pair == (3, 4)
    assert found.model.registered.all()


def test_wrong_tracks_are_left_out():
    points, poses = cloud(), orbit()
    tracks = seen(points, poses)
    wrong = tracks.pixels.copy()
    wrong[:30, 4:] += [9.0, -7.0]
    found = map_body(Tracks(wrong, tracks.references), LENS)
    assert found is not None
    used = found.model.used
    assert used[30:].mean() > 0.95
    assert not (used[:30, :4].any(axis=1) & used[:30, 4:].any(axis=1)).any()


def test_the_same_seed_gives_the_same_result():
    tracks = seen(cloud(), orbit(), noise=0.2)
    first, second = (map_body(tracks, LENS, seed=3) for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first.model.poses, second.model.poses)
    assert np.array_equal(first.model.points, second.model.points, equal_nan=True)


def test_a_focal_length_is_found():
    tracks = seen(cloud(200), orbit(12, step=0.1, distance=2.6), noise=0.05)
    found = guess_lens(tracks, Lens.centred(400.0, 160, 120), None, seed=0)
    assert found.fx == pytest.approx(150.0, rel=0.03)


def test_the_pair_with_most_parallax_comes_first():
    tracks = seen(cloud(), orbit(step=0.01))
    pairs = rank_pairs(tracks, LENS)
    assert (pairs[0].first, pairs[0].second) == (0, NUM_FRAMES - 1)
    turning = orbit()
    turning[:, :3, 3] = 0.0  # the camera turns on the spot, 4 before the points
    away = cloud() + np.array([0.0, 0.0, 4.0])
    assert max(pair.motion for pair in rank_pairs(seen(away, turning), LENS)) < 1e-6


def test_in_long_clips_fewer_pairs_give_the_same_first():
    poses = orbit(100, step=0.0004)  # tracks go through all: the first and last frame lie farthest
    tracks = seen(cloud(30), poses)
    pairs = rank_pairs(tracks, LENS)
    assert len(pairs) == sum(100 - gap for gap in frame_gaps(100))
    assert len(pairs) < 100 * 99 / 2 / 3
    widest = pairs[0].second - pairs[0].first
    assert widest >= 99 / 1.2


def test_the_check_for_parallax_ends_with_the_first_pair_that_shows_it(monkeypatch):
    tracks, measured = seen(cloud(), orbit()), []
    measure = health.measure_pairs

    def counted(*given):
        for pair in measure(*given):
            measured.append(pair)
            yield pair

    monkeypatch.setattr(health, "measure_pairs", counted)
    require_tracks("duck", tracks, np.ones(NUM_FRAMES, bool), LENS)
    assert len(measured) == 1


def test_a_pose_is_refined_from_a_rough_start():
    points, poses = cloud(), orbit()
    tracks = seen(points, poses)
    found, count = pose_from(LENS, tracks.pixels[:, 3], points, poses[2], error=1.0)
    assert count == 120
    assert np.abs(found - poses[3]).max() < 1e-4
    assert pose_from(LENS, tracks.pixels[:5, 3], points[:5], poses[2], error=1.0) == (None, 0)


def test_the_box_of_a_turned_cuboid():
    """Corners of 3 x 2 x 1, turned and moved: the box has these sides and this centre."""
    corners = np.array([[x, y, z] for x in (-1.5, 1.5) for y in (-1, 1) for z in (-0.5, 0.5)])
    turn = axis_angle_to_quaternion(torch.tensor([0.3, -0.5, 0.9], dtype=torch.float64))
    rotation = quaternion_to_matrix(turn).numpy()
    axes, centre, extent = oriented_box(corners @ rotation.T + [1.0, 2.0, 3.0])
    assert extent == pytest.approx([3.0, 2.0, 1.0])
    assert centre == pytest.approx([1.0, 2.0, 3.0])
    assert np.abs(axes @ rotation) == pytest.approx(np.eye(3), abs=1e-6)
    assert np.linalg.det(axes) == pytest.approx(1.0)


def test_the_box_of_a_flat_patch():
    patch = np.array([[x, y, 0.0] for x in range(5) for y in range(3)], float)
    assert oriented_box(patch)[2] == pytest.approx([4.0, 2.0, 0.0])


def test_a_body_in_its_units():
    """The scales that keep the depths between 1 and 8 (with margins of 5 %) have the mean 1."""
    points, poses = cloud(), orbit()
    body = rigid_body("duck", true_model(points, poses), seen(points, poses))
    assert body.scale_range is not None
    assert sum(body.scale_range) == pytest.approx(2.0)
    low, high = body.scale_range
    assert low * float(body.points.depths.min()) == pytest.approx(1.05, rel=2e-3)
    assert high * float(body.points.depths.max()) == pytest.approx(0.95 * 8, rel=2e-3)
    assert body.frames == tuple(range(NUM_FRAMES))
    # perfect points all have the mean error, and its weight
    assert body.points.errors.max() < 1e-6
    background = rigid_body("background", true_model(points, poses), seen(points, poses))
    assert background.scale_range is None
    assert float(background.points.depths.max()) == pytest.approx(0.95 * 8, rel=2e-3)


def test_key_points_lie_in_the_bounds_and_where_they_are_seen():
    points, poses = cloud(), orbit()
    body = rigid_body("duck", true_model(points, poses), seen(points, poses))
    assert body.bounds is not None
    assert torch.equal(body.bounds[0], -body.bounds[1])
    for frame in (0, NUM_FRAMES - 1):
        mine = body.points.frames == frame
        rays = torch.from_numpy(LENS.rays(body.points.pixels[mine].numpy())).float()
        pose = body.object_from_camera[frame]
        placed = (rays * body.points.depths[mine, None]) @ pose[:3, :3].T + pose[:3, 3]
        assert (placed.abs() <= body.bounds[1] * 1.001).all()
    assert float(body.bounds[1].max()) / float(body.points.depths.median()) < 0.5


def test_weights_follow_the_error():
    points, poses = cloud(), orbit()
    tracks = seen(points, poses)
    tracks.pixels[0] += 1.0
    body = rigid_body("duck", true_model(points, poses), tracks)
    assert float(body.points.weights.max()) == pytest.approx(2.0, abs=1e-3)
    assert float(body.points.weights.min()) < 1e-3  # far beyond the mean error


def test_regions_are_narrower_and_never_shared():
    masks = np.zeros((1, 2, 20, 30), bool)
    masks[0, 0, 4:12, 4:14] = True
    masks[0, 1, 4:12, 10:24] = True  # four columns belong to both
    regions = body_regions(masks)
    assert regions.shape == (1, 3, 20, 30)
    assert regions[0, 1].sum() == 6 * 4
    assert not (regions.sum(axis=1) > 1).any()
    assert regions[0, 0, 0, 0]
    assert not regions[0, 0, 3, 5]


def refusal(tracks: Tracks, visible: int = NUM_FRAMES) -> str:
    shown = np.arange(tracks.num_frames) < visible
    with pytest.raises(InputError) as caught:
        require_tracks("duck", tracks, shown, LENS)
    return str(caught.value)


def test_what_cannot_be_reconstructed_is_refused_by_name():
    tracks = seen(cloud(), orbit())
    require_tracks("duck", tracks, np.ones(NUM_FRAMES, bool), LENS)
    assert "'duck' failed: it is visible in 1 frame; expected 3 or more" in refusal(tracks, 1)
    assert "shows 7 points that can be followed" in refusal(tracks.pick(np.arange(7)))
    still = seen(cloud(), np.repeat(orbit()[:1], NUM_FRAMES, axis=0))
    assert "shows no parallax" in refusal(still)


def test_a_poor_result_is_refused():
    points, poses = cloud(), orbit()
    tracks = seen(points, poses)
    found = map_body(tracks, LENS)
    assert found is not None
    check_health(measure_health("duck", found, tracks, np.ones(NUM_FRAMES, bool)))
    far = Tracks(tracks.pixels + 5.0, tracks.references)
    with pytest.raises(InputError, match=r"reprojection error of \d"):
        check_health(measure_health("duck", found, far, np.ones(NUM_FRAMES, bool)))


def test_in_cameras_by_hand():
    poses = orbit(1)
    local = in_cameras(true_model(np.array([[0.5, 0.0, 1.0]]), poses))
    assert local[0, 0].tolist() == [0.5, 0.0, 5.0]


def test_pairs_of_unknown_bodies_are_refused():
    from fourfold.estimators.structure_from_motion.reconstruct import _checked_pairs

    assert _checked_pairs({"duck": (5, 2)}, ("background", "duck"), 8) == {"duck": (2, 5)}
    with pytest.raises(UsageError, match="initial pair for 'goose'"):
        _checked_pairs({"goose": (0, 1)}, ("background", "duck"), 8)
    with pytest.raises(UsageError, match="frames 0 and 9"):
        _checked_pairs({"duck": (0, 9)}, ("background", "duck"), 8)
