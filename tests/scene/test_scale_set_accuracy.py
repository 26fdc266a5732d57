"""Occlusion accuracy: worked out by hand, by a plain twin, by brute force and by look-ups."""

import math

import numpy as np
import pytest
import torch

from fourfold.scene import ContestCollector, Contests, brute_force_accuracy
from fourfold.scene.scale_set import lookups
from tests.scene.scale_frames import NAN, Frame, random_frames, rows, two_balls

RANGE = (0.4, 1.6)


def collect(frames: list[Frame], ranges: tuple[float, float] = RANGE) -> Contests:
    bodies = len(frames[0][0])
    names = ["background", *"abcdefgh"[: bodies - 1]]
    collector = ContestCollector(names, [ranges] * (bodies - 1))
    for frame in frames:
        collector.add(*frame)
    return collector.finish()


def combinations(count: int, objects: int, seed: int = 0) -> torch.Tensor:
    places = torch.rand(count, objects, generator=torch.Generator().manual_seed(seed))
    return RANGE[0] + (RANGE[1] - RANGE[0]) * places


def plain_accuracy(frames: list[Frame], scales: list[float]) -> float:
    """The definition, pixel by pixel and pair by pair."""
    bodies = len(scales) + 1
    factors = [1.0, *scales]
    right: dict[tuple[int, int], list[bool]] = {}
    for depths, labels in frames:
        for column, seen in zip(
            depths.flatten(1).T.tolist(), labels.flatten().tolist(), strict=True
        ):
            if seen < 0 or math.isnan(column[seen]):
                continue
            there = [k for k in range(bodies) if not math.isnan(column[k])]
            nearest = min(there, key=lambda k: factors[k] * column[k])
            for other in there:
                if other != seen:
                    right.setdefault((seen, other), []).append(nearest == seen)
    shares = [np.mean(found) for found in right.values() if len(found) >= 20]
    return float(np.mean(shares)) if shares else 1.0


def by_brute_force(frames: list[Frame], scales: torch.Tensor) -> torch.Tensor:
    return brute_force_accuracy([d for d, _ in frames], [seen for _, seen in frames], scales)


def test_two_balls_by_hand() -> None:
    frames = [two_balls()]
    scales = torch.tensor([[1.0, 1.0], [0.6, 1.4], [1.5, 0.6], [1.6, 0.4]])
    # pairs: a before the wall (two kinds of pixel), a before b, b before a, b before the wall
    expected = torch.tensor([1.0, (1 + 1 + 0 + 0) / 4, (0.5 + 0 + 1 + 1) / 4, 0.625])
    assert torch.allclose(by_brute_force(frames, scales).float(), expected)
    found = collect(frames)
    assert found.num_pairs == 4
    assert torch.allclose(found.accuracy(scales), expected, atol=1e-6)


def test_all_ways_agree_with_the_definition() -> None:
    frames = random_frames(bodies=4, frames=3)
    scales = combinations(12, 3)
    expected = torch.tensor([plain_accuracy(frames, row.tolist()) for row in scales])
    assert expected.std() > 0.05
    assert torch.allclose(by_brute_force(frames, scales).float(), expected, atol=1e-6)


@pytest.mark.parametrize("bodies", [2, 3, 4, 6, 9])
def test_look_ups_agree_with_brute_force(bodies: int) -> None:
    frames = random_frames(bodies, frames=8, noise=0.0)
    found, scales = collect(frames), combinations(2000, bodies - 1)
    off = (found.accuracy(scales) - by_brute_force(frames, scales)).abs()
    assert float(off.mean()) < 1e-6
    assert float(off.max()) < 1e-3  # pixels whose depths tie to the last bit of float32
    assert found.error_bound == 0.0  # so few pixels need no tables
    assert int(found.always_wrong.sum()) == 0


def test_tables_stay_within_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = random_frames(bodies=4, frames=12, seed=3, noise=0.0)
    exact = collect(frames)
    assert len(exact.lookups.joints) == 0
    assert exact.error_bound == 0.0
    monkeypatch.setattr(lookups, "PAIR_STEPS", 64)
    monkeypatch.setattr(lookups, "LISTED_PIXELS", 0)
    monkeypatch.setattr(lookups, "SAMPLED_PIXELS", 200)
    coarse = collect(frames)
    assert len(coarse.lookups.joints) > 3
    assert len(coarse.lookups.weights) <= 210
    scales = combinations(3000, 3)
    off = (coarse.accuracy(scales) - exact.accuracy(scales)).abs()
    assert float(off.max()) <= coarse.error_bound
    assert 0.0 < float(off.mean()) < 0.1 * coarse.error_bound


def test_a_limit_changes_only_what_is_below_it() -> None:
    found, scales = collect(random_frames(4, 6, noise=0.0)), combinations(3000, 3)
    accuracy = found.accuracy(scales)
    limited = found.accuracy(scales, at_least=0.8)
    above = accuracy >= 0.8
    assert 0.01 < float(above.float().mean()) < 0.9
    assert torch.equal(limited[above], accuracy[above])
    assert bool((limited[~above] < 0.8).all())


def test_pixels_that_no_scale_makes_right_are_left_out_and_counted() -> None:
    # a seen at depth 9 before a wall at 2: s_a would have to be below 2/9
    frame = rows((4, 2), (2, 9), seen=[1, 1], repeat=30)
    found = collect([frame])
    assert found.always_wrong.tolist() == [0, 30]
    assert found.counts.tolist() == [[0, 0], [30, 0]]
    assert found.accuracy(torch.tensor([[1.0], [1.5]])).tolist() == [1.0, 1.0]


def test_unknown_labels_and_missing_layers_are_not_contested() -> None:
    found = collect([rows((4, 2), (4, 2), (4, NAN), seen=[-1, 1, 1], repeat=25)])
    assert int(found.counts.sum()) == 25


def test_pairs_with_few_pixels_do_not_count() -> None:
    frame = rows((4, 3), seen=[1], repeat=19)
    scales = torch.tensor([[1.5]])  # the wall is nearer: wrong, if it counted
    assert by_brute_force([frame], scales).item() == 1.0
    assert collect([frame]).accuracy(scales).item() == 1.0
    assert by_brute_force([rows((4, 3), seen=[1])], scales).item() == 0.0


def test_no_object_and_no_contest() -> None:
    alone = ContestCollector(["background"], [])
    alone.add(torch.ones(1, 4, 4), torch.zeros(4, 4, dtype=torch.long))
    assert alone.finish().accuracy(torch.zeros(3, 0)).tolist() == [1.0] * 3
    apart = collect([rows((4, NAN), (NAN, 2), seen=[0, 1])])
    assert apart.accuracy(torch.tensor([[0.5]])).item() == 1.0


def test_threads_and_order_do_not_matter() -> None:
    found, scales = collect(random_frames(bodies=4, frames=4)), combinations(2000, 3)
    threads = torch.get_num_threads()
    together = found.accuracy(scales)
    try:
        torch.set_num_threads(1)
        assert torch.equal(found.accuracy(scales), together)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found.accuracy(scales.flip(0)).flip(0), together)


def test_bad_input_is_refused() -> None:
    depths, labels = two_balls()
    found = collect([(depths, labels)])
    with pytest.raises(ValueError, match=r"2 of a is outside of 0\.4 to 1\.6"):
        found.accuracy(torch.tensor([[2.0, 1.0]]))
    with pytest.raises(ValueError, match="not positive"):
        found.accuracy(torch.tensor([[0.0, 1.0]]))
    with pytest.raises(ValueError, match=r"not \(N, 2\)"):
        found.accuracy(torch.ones(4, 3))
    collector = ContestCollector(["background", "a", "b"], [RANGE, RANGE])
    with pytest.raises(ValueError, match="do not fit"):
        collector.add(depths, labels[1:])
    with pytest.raises(ValueError, match="depth is not a positive"):
        collector.add(-depths, labels)
    with pytest.raises(ValueError, match="a label is 3"):
        collector.add(depths, labels + 1)
    with pytest.raises(ValueError, match="2 layers, but 3 bodies"):
        collector.add(depths[:2], labels * 0)
    with pytest.raises(ValueError, match="not a range"):
        ContestCollector(["background", "a"], [(1.0, 0.5)])
    with pytest.raises(ValueError, match="1 scale ranges"):
        ContestCollector(["background", "a", "b"], [RANGE])
