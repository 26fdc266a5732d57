"""Tracks: sub-pixel matches with known answers, hidden and repeating patterns, guided matching."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold.estimators.structure_from_motion import Lens, Tracks, map_body, track_body
from fourfold.estimators.structure_from_motion._matching import match_windows, search_shift
from fourfold.estimators.structure_from_motion.clip_flow import (
    ClipFlow,
    Step,
    background_flow,
    clip_flow,
    continued,
)
from fourfold.estimators.structure_from_motion.guided import retrack
from fourfold.estimators.structure_from_motion.mapping import finish
from fourfold.estimators.structure_from_motion.object_motion import object_flow
from fourfold.estimators.structure_from_motion.tracks import within
from fourfold.geometry import (
    Camera,
    axis_angle_to_quaternion,
    project_points,
    quaternion_to_matrix,
    rigid_matrix,
    unproject_pixels,
)
from tests.estimators.scenes import look, room, texture

WIDTH, HEIGHT, NUM_FRAMES = 112, 80, 7


def cameras() -> list[Camera]:
    """Move a camera sideways while it turns."""
    start = Camera.from_fov(WIDTH, HEIGHT)
    path = []
    for t in range(NUM_FRAMES):
        turn = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.0, 0.02 * t, 0.0])))
        place = torch.tensor([-0.15 * t, 0.0, 0.03 * t])
        path.append(start.moved(rigid_matrix(turn, -turn @ place)))
    return path


@pytest.fixture(scope="module")
def walk() -> tuple[ClipFlow, list[Camera], list[torch.Tensor]]:
    """Film a room: the clip with its flow, cameras and depths."""
    path = cameras()
    shots = [room(camera) for camera in path]
    clip = clip_flow([image for image, _ in shots])
    return clip, path, [depth for _, depth in shots]


def errors(tracks: Tracks, path: list[Camera], depths: list[torch.Tensor]) -> np.ndarray:
    """Measure how far tracks are from where their first pixel really goes, px; NaN unseen."""
    found = np.full(tracks.pixels.shape[:2], np.nan)
    for point, reference in enumerate(tracks.references):
        pixel = torch.from_numpy(tracks.pixels[point, reference]).float()
        column, row = pixel.int().tolist()
        place = unproject_pixels(path[reference], pixel, depths[reference][row, column])
        for frame in np.nonzero(tracks.visible[point])[0]:
            true, _ = project_points(path[frame], place)
            found[point, frame] = np.linalg.norm(true.numpy() - tracks.pixels[point, frame])
    return found


def shifted(picture: torch.Tensor, dx: float, dy: float, size: tuple[int, int]) -> np.ndarray:
    matrix = torch.tensor([[1.0, 0, dx - 20], [0, 1.0, dy - 20], [0, 0, 1.0]])
    return look(picture, matrix, *size).numpy()


def test_windows_are_found_to_a_fraction_of_a_pixel():
    """The picture moves by (0.7, -0.4), and grows brighter by a tenth."""
    picture = texture(120, 120, finest=5)
    source, target = shifted(picture, 0, 0, (64, 64)), shifted(picture, 0.7, -0.4, (64, 64))
    ones = np.ones((64, 64), np.float32)
    points = np.array([[x, y] for x in range(12, 52, 8) for y in range(12, 52, 8)], np.float64)
    found = match_windows(source, ones, 0.9 * target + 0.1, ones, points, 5)
    missed = np.abs(found[:, :2] - [0.7, -0.4])
    assert missed.max() < 0.1
    assert missed.mean() < 0.04
    assert found[:, 2].min() > 0.99


def test_windows_without_texture_or_off_the_body_are_not_found():
    picture = texture(120, 120)
    image = shifted(picture, 0, 0, (64, 64))
    ones, none = np.ones((64, 64), np.float32), np.zeros((64, 64), np.float32)
    middle, corner = np.array([[32.0, 32.0]]), np.array([[2.0, 32.0]])
    assert match_windows(image, ones, image, none, middle, 5)[0, 2] == -2
    assert match_windows(image, ones, image, ones, corner, 5)[0, 2] == -2
    flat = np.full_like(image, 0.5)
    assert match_windows(flat, ones, flat, ones, middle, 5)[0, 2] == -2
    stripes = np.zeros_like(image)
    stripes[:, ::8] = 1.0  # slides along itself: the place is open
    assert match_windows(stripes, ones, stripes, ones, middle, 5)[0, 3] == 0


def test_a_window_at_a_border_sees_only_its_body():
    """The body's right half rests; what is left of it moves by 2 px and must not matter."""
    picture = texture(120, 120, seed=3)
    source = shifted(picture, 0, 0, (64, 64))
    target = source.copy()
    target[:, :30] = shifted(picture, 2, 0, (64, 64))[:, :30]
    mask = np.zeros((64, 64), np.float32)
    mask[:, 30:] = 1
    found = match_windows(source, mask, target, mask, np.array([[32.0, 32.0]]), 5)
    assert np.abs(found[0, :2]).max() < 1e-3


def test_a_whole_object_is_not_taken_for_its_neighbour():
    """Bricks repeat every 4 px; one chimney tells that the wall moved by 5 and not by 1."""
    wall = np.zeros((40, 60, 3), np.float32)
    wall[::4] = wall[:, ::4] = 0.8
    wall[10:14, 20:24] = [1.0, 0.2, 0.2]
    moved = np.roll(wall, 5, axis=1)
    mask = np.zeros((40, 60), bool)
    mask[5:30, 10:40] = True
    there = np.roll(mask, 5, axis=1)
    found = search_shift(wall, mask, moved, there, np.zeros(2), 8, 200.0)
    assert found.tolist() == pytest.approx([5.0, 0.0, 1.0])
    nothing = search_shift(wall, mask, moved, np.zeros_like(mask), np.zeros(2), 8, 200.0)
    assert nothing[2] == -2


def test_flow_is_continued_from_the_nearest_known_pixel():
    flow = np.arange(4, dtype=np.float16).reshape(1, 4, 1).repeat(2, axis=-1)
    known = np.array([[False, True, False, False]])
    assert continued(flow, known)[0, :, 0].tolist() == [1, 1, 1, 1]
    assert continued(flow, np.zeros((1, 4), bool)) is flow


def test_an_object_behind_another_is_followed():
    """A patch moves right by 3 px; a bar that rests before it hides a third of it."""
    ground, skin = texture(80, 112, seed=1), texture(40, 40, seed=2)
    images, masks = [], []
    for t in range(4):
        image, mask = ground.clone(), torch.zeros(80, 112, dtype=torch.bool)
        left = 30 + 3 * t
        image[20:60, left : left + 40] = skin
        mask[20:60, left : left + 40] = True
        image[:, 48:60] = ground[:, 20:32]
        mask[:, 48:60] = False
        images.append(image)
        masks.append(mask.numpy())
    clip = ClipFlow(
        np.stack([(image * 255).byte().numpy() for image in images]),
        tuple(Step(np.zeros((80, 112, 2), np.float16), np.ones((80, 112), bool)) for _ in range(3)),
        tuple(Step(np.zeros((80, 112, 2), np.float16), np.ones((80, 112), bool)) for _ in range(3)),
    )
    found = object_flow(clip, np.stack(masks))
    for t in range(3):
        step = found.step(t, t + 1)
        assert step.valid.sum() > 0.4 * masks[t].sum()
        assert np.median(np.abs(step.flow[step.valid].astype(float) - [3.0, 0.0])) < 0.1
        back = found.step(t + 1, t)
        assert np.median(np.abs(back.flow[back.valid].astype(float) - [-3.0, 0.0])) < 0.1


def test_an_object_that_is_away_has_no_flow():
    images = np.zeros((2, 40, 40, 3), np.uint8)
    masks = np.zeros((2, 40, 40), bool)
    masks[0, 10:30, 10:30] = True
    still = Step(np.zeros((40, 40, 2), np.float16), np.ones((40, 40), bool))
    assert not object_flow(ClipFlow(images, (still,), (still,)), masks).forward[0].valid.any()


def test_tracks_stay_on_their_points(walk):
    """Measured: half the matches are within 0.04 px, 0.5 % beyond 1 px."""
    clip, path, depths = walk
    regions = np.ones((NUM_FRAMES, HEIGHT, WIDTH), bool)
    regions[:, :, :20] = False
    tracks = track_body(background_flow(clip, regions), regions, max_tracks=420)
    assert 250 < len(tracks) <= 420
    assert (tracks.visible.sum(axis=1) >= 3).all()
    missed = errors(tracks, path, depths)
    assert np.nanmedian(missed) < 0.08
    assert np.nanmean(missed > 1.0) < 0.03
    assert np.nanmin(tracks.pixels[..., 0]) >= 19.5


def test_pixels_outside_the_image_are_not_seen():
    pixels = np.array([[0.0, 3.0], [5.0, 3.0], [4.9, 3.9], [2.0, -0.1]])
    assert np.isfinite(within(pixels, (4, 5))[:, 0]).tolist() == [True, False, True, False]


def test_a_body_that_is_nowhere_has_no_tracks(walk):
    clip, _, _ = walk
    nowhere = np.zeros((NUM_FRAMES, HEIGHT, WIDTH), bool)
    assert len(track_body(background_flow(clip, nowhere), nowhere)) == 0


def test_guided_tracking_mends_a_pose(walk):
    """One frame's pose is spoilt: it is found again, and so are the frame's windows."""
    pytest.importorskip("pycolmap")
    clip, path, depths = walk
    regions = np.ones((NUM_FRAMES, HEIGHT, WIDTH), bool)
    tracks = track_body(background_flow(clip, regions), regions, max_tracks=420)
    focal = path[0].focal[0]
    mapping = map_body(tracks, Lens.centred(focal, WIDTH, HEIGHT))
    assert mapping is not None
    spoilt = mapping.model.poses.copy()
    spoilt[5] = spoilt[1]
    again, model = retrack(clip, regions, tracks, replace(mapping.model, poses=spoilt))
    done = finish(replace(mapping, model=model), again)
    assert done.model.registered.all()
    assert done.cost < 0.05
    assert again.visible[:, 5].sum() > 0.9 * tracks.visible[:, 5].sum()
    missed = errors(again, path, depths)
    assert np.nanmedian(missed) < 0.08
