"""The scale set as a whole: its modes, samples, pins, sentences and files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fourfold.errors import InputError, UsageError
from fourfold.scene import ContestCollector, ScaleNetwork, ScaleSet, Scene
from fourfold.scene.saving import STRUCTURE_FILE, TENSORS_FILE
from tests.scene.scale_frames import NAN, Frame, rows
from tests.tiny import tiny_scene

NAMES = ("background", "a", "b")
RANGES = ((0.5, 2.0), (0.5, 2.0))


def scale_set(*frames: Frame, **changes: object) -> ScaleSet:
    collector = ContestCollector(NAMES, RANGES)
    for frame in frames:
        collector.add(*frame)
    return replace(ScaleSet(NAMES, RANGES, collector.finish()), **changes)  # type: ignore[arg-type]


def ordered() -> ScaleSet:
    """Valid where s_a < 1.5 and s_b < 0.8 s_a: half-spaces known by hand.

    a at 2 before the wall at 3; b at 2.5 before a at 2.
    """
    return scale_set(rows((3, 2, NAN), (NAN, 2, 2.5), seen=[1, 2]))


def true_share() -> float:
    """The share of the box that `ordered` calls valid: 0.5 <= s_b < 0.8 s_a, s_a < 1.5."""
    return (0.4 * (1.5**2 - 0.625**2) - 0.5 * (1.5 - 0.625)) / 1.5**2


@pytest.mark.parametrize("mode", ["computed", "polytope"])
def test_the_set_is_what_its_occlusions_say(mode: str) -> None:
    chosen = replace(ordered(), mode=mode)
    scales = torch.tensor([[1.0, 0.7], [1.4, 1.1], [1.6, 0.7], [1.0, 0.9], [1.0, 0.4]])
    assert chosen.contains(scales).tolist() == [True, True, False, False, False]
    drawn = chosen.sample(3000)
    assert bool(chosen.contains(drawn.scales).all())
    assert bool(drawn.valid.all())
    assert drawn.share == pytest.approx(true_share(), rel=0.05)
    # the mean of s_a over the triangle with corners at .625 and 1.5, thicker to the right
    assert float(drawn.scales[:, 0].mean()) == pytest.approx(0.625 + 2 / 3 * 0.875, abs=0.02)


def test_scores_by_mode() -> None:
    scales = torch.tensor([[1.0, 0.7], [1.0, 1.6]])
    assert ordered().score(scales).tolist() == [1.0, 0.5]
    polytope = ordered().using("polytope").score(scales)
    assert torch.allclose(polytope, torch.tensor([1.0, 0.5]))  # 1.6 is twice 0.8


def test_samples_with_a_margin_score_higher_and_tell_the_share_of_the_whole_set() -> None:
    chosen = ordered()
    plain, inner = chosen.sample(500), chosen.sample(500, margin=0.5)
    level = chosen.threshold + 0.5 * (1 - chosen.threshold)
    assert bool((inner.scores > level).all())
    assert inner.share == plain.share
    # where nothing is above the margin, the whole set is drawn from
    assert torch.equal(chosen.sample(20, margin=1.0).scales, chosen.sample(20).scales)


def test_the_first_samples_are_spread() -> None:
    drawn = ordered().sample(1000)
    few = torch.cdist(drawn.scales[:8], drawn.scales[:8]) + 9 * torch.eye(8)
    usual = torch.cdist(drawn.scales[500:508], drawn.scales[500:508]) + 9 * torch.eye(8)
    assert float(few.min()) > 3 * float(usual.min())


def test_samples_depend_on_the_generator_alone() -> None:
    def draw(seed: int) -> torch.Tensor:
        return ordered().sample(5, torch.Generator().manual_seed(seed)).scales

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert torch.equal(ordered().sample(5).scales, ordered().sample(5).scales)


def test_a_sample_by_name() -> None:
    drawn = ordered().sample(2)
    assert drawn.mapping(1) == dict(zip("ab", drawn.scales[1].tolist(), strict=True))
    assert len(ordered().sample(0)) == 0
    with pytest.raises(UsageError, match="-1 samples"):
        ordered().sample(-1)


def test_nothing_valid_gives_the_best_and_says_so() -> None:
    # a before b means s_a < 0.9 s_b, b before a means s_b < 0.8 s_a
    torn = scale_set(rows((NAN, 2, 1.8), (NAN, 2, 2.5), seen=[1, 2], repeat=50))
    drawn = torn.sample(20)
    assert len(drawn) == 20
    assert not bool(drawn.valid.any())
    assert drawn.scores.tolist() == [0.5] * 20
    assert drawn.share == 0.0
    assert "No combination of scales scores above 0.99: the best scores 0.5" in drawn.note
    assert "product 0.72" in drawn.note
    assert torn.intervals() == {}
    assert torn.describe()[0] == drawn.note
    assert torn.using("polytope").sample(3).valid.tolist() == [False] * 3


def test_a_pin_fixes_a_scale() -> None:
    pinned = ordered().pin("a", 1.0)
    drawn = pinned.sample(200)
    assert drawn.scales[:, 0].tolist() == [1.0] * 200
    assert float(drawn.scales[:, 1].max()) < 0.8
    assert pinned.contains(torch.tensor([[1.0, 0.7], [1.1, 0.7]])).tolist() == [True, False]
    low, high = pinned.using("polytope").intervals()["b"]
    assert (low, high) == pytest.approx((0.5, 0.8), rel=1e-5)
    both = pinned.pin("b", 0.6).sample(3)
    assert torch.allclose(both.scales, torch.tensor([1.0, 0.6]).expand(3, 2))
    assert bool(both.valid.all())


@pytest.mark.parametrize("scales", [(1.28, 0.89), (0.97, 0.53), (1.37, 1.01), (0.71, 0.55)])
def test_pins_need_no_luck_in_rounding(scales: tuple[float, float]) -> None:
    """Logarithms of such scales do not add up to the last bit."""
    pinned = ordered().pin("a", scales[0]).pin("b", scales[1])
    assert bool(pinned.sample(3).valid.all())
    assert pinned.typical() == pytest.approx(dict(zip("ab", scales, strict=True)))


def test_a_pin_that_occlusion_forbids_leaves_nothing_valid() -> None:
    drawn = ordered().pin("a", 1.8).sample(5)
    assert not bool(drawn.valid.any())
    assert "the best scores 0.5" in drawn.note


def test_pins_are_checked() -> None:
    with pytest.raises(UsageError, match="no object 'c' has a scale; expected one of a, b"):
        ordered().pin("c", 1.0)
    with pytest.raises(UsageError, match=r"3 of a is outside of its range; expected 0\.5 to 2"):
        ordered().pin("a", 3.0)


def test_intervals_and_sentences() -> None:
    found = ordered()
    intervals = found.intervals()
    assert intervals["a"] == pytest.approx((0.625, 1.5), abs=0.03)
    assert intervals["b"] == pytest.approx((0.5, 1.2), abs=0.03)
    text = "\n".join(found.describe())
    assert "a hides the background: its scale is below 1.5." in text
    assert "b hides a: its scale is below 0.8 times that of a." in text
    assert "No occlusion orders background and b." in text
    assert "100.0% of the computed set lie in the polytope set." in text


def test_objects_that_never_meet_leave_the_whole_box() -> None:
    free = scale_set(rows((3, NAN, NAN), seen=[0]))
    drawn = free.sample(500)
    assert drawn.share == 1.0
    assert float(drawn.scales.min()) < 0.55
    assert float(drawn.scales.max()) > 1.95
    assert any("background and a, background and b, a and b" in line for line in free.describe())


def test_no_object_at_all() -> None:
    collector = ContestCollector(["background"], [])
    alone = ScaleSet(("background",), (), collector.finish())
    drawn = alone.sample(3)
    assert drawn.scales.shape == (3, 0)
    assert drawn.valid.tolist() == [True] * 3
    assert drawn.mapping(0) == {}
    assert alone.intervals() == {}
    assert alone.contains(torch.zeros(2, 0)).tolist() == [True, True]
    assert "nothing is left open" in alone.describe()[0]


def network(cut: float) -> ScaleNetwork:
    """Build a network that scores above 0.5 where the place of a is below `cut`."""
    made = ScaleNetwork(2, width=2, hidden_layers=1, sharpness=50.0, shift=0.0)
    weights = {
        "layers.0.weight": torch.tensor([[-1.0, 0.0], [1.0, 0.0]]),
        "layers.0.bias": torch.tensor([cut, -cut]),
        "layers.2.weight": torch.tensor([[1.0, -1.0]]),
    }
    made.load_state_dict(weights)
    return made


def test_the_networks_set() -> None:
    learned = replace(ordered(), mode="network", network=network(0.25))
    scales = torch.tensor([[0.8, 1.9], [0.9, 1.9]])  # places of a: 0.2 and 0.267
    expected = torch.sigmoid(50.0 * torch.tensor([0.05, -0.1 / 6]))
    assert torch.allclose(learned.score(scales), expected, atol=1e-4)
    assert learned.contains(scales).tolist() == [True, False]
    assert float(learned.sample(300).scales[:, 0].max()) < 0.875
    assert any("of the network set lie in the computed set" in line for line in learned.describe())


def test_an_untrained_network_calls_about_everything_valid() -> None:
    torch.manual_seed(0)
    made = ScaleNetwork(3)
    assert sum(p.numel() for p in made.parameters()) == 12_800
    scores = made(torch.rand(1000, 3)).detach()
    assert float((scores > 0.5).float().mean()) > 0.99
    assert float(scores.mean()) == pytest.approx(0.73, abs=0.05)


def test_places_and_scales() -> None:
    found = ordered()
    places = torch.tensor([[0.0, 1.0], [0.5, 0.25]])
    scales = found.scales_at(places)
    assert scales.tolist() == [[0.5, 2.0], [1.25, 0.875]]
    assert torch.allclose(found.places(scales), places)


def test_parts_that_do_not_fit_are_refused() -> None:
    found = ordered()
    for changes, what in [
        ({"mode": "guessed"}, "no mode 'guessed'"),
        ({"mode": "network"}, "needs its network"),
        ({"contests": None}, "needs its contests"),
        ({"tolerance": 1.0}, "not in"),
        ({"ranges": RANGES[:1]}, "1 scale ranges"),
        ({"names": ("background", "a", "c")}, "other bodies"),
        ({"ranges": ((0.5, 2.0), (0.4, 2.0))}, "reaches beyond"),
        ({"ranges": ((0.5, 2.0), (NAN, 2.0))}, "a scale range from nan to 2"),
        ({"pinned": {"c": 1.0}}, "no object 'c'"),
        ({"network": ScaleNetwork(3)}, "another number"),
    ]:
        with pytest.raises(ValueError, match=what):
            replace(found, **changes)  # type: ignore[arg-type]


def scene_with(found: ScaleSet) -> Scene:
    scene = tiny_scene()
    ball = scene.objects[1]
    objects = [scene.objects[0], replace(ball, name="a"), replace(ball, name="b")]
    return replace(scene, objects=objects, scale_set=found)


def test_it_is_saved_with_the_scene(tmp_path: Path) -> None:
    found = replace(ordered(), network=network(0.3), tolerance=0.97).pin("b", 0.75)
    scene_with(found).save(tmp_path / "scene")
    loaded = Scene.load(tmp_path / "scene").scale_set
    assert loaded is not None
    assert (loaded.names, loaded.ranges, loaded.mode) == (found.names, found.ranges, "computed")
    assert (loaded.tolerance, dict(loaded.pinned)) == (0.97, {"b": 0.75})
    assert torch.equal(loaded.sample(50).scales, found.sample(50).scales)
    scales = found.scales_at(torch.rand(100, 2, generator=torch.Generator().manual_seed(0)))
    for mode in ("computed", "polytope", "network"):
        assert torch.equal(loaded.using(mode).score(scales), found.using(mode).score(scales))


def test_a_scene_of_before_scale_sets_loads(tmp_path: Path) -> None:
    tiny_scene().save(tmp_path / "scene")
    path = tmp_path / "scene" / STRUCTURE_FILE
    structure = json.loads(path.read_text())
    assert structure.pop("scale_set") is None
    path.write_text(json.dumps(structure))
    assert Scene.load(tmp_path / "scene").scale_set is None


def test_a_damaged_scale_set_is_an_input_error(tmp_path: Path) -> None:
    scene_with(ordered()).save(tmp_path / "scene")
    path = tmp_path / "scene" / STRUCTURE_FILE
    structure = json.loads(path.read_text())
    structure["scale_set"]["names"].append("c")
    path.write_text(json.dumps(structure))
    with pytest.raises(InputError, match="the scene is damaged"):
        Scene.load(tmp_path / "scene")


@pytest.mark.parametrize(
    ("table", "damage"),
    [
        ("pairs", lambda table: table.fill_(3)),
        ("pair_guides", lambda table: table.add_(1_000_000)),
        ("pair_values", lambda table: table[:-1]),
        ("pair_steps", lambda table: table.double()),
        ("joint_warps", lambda table: table.new_ones(1, 5)),
        ("groups", lambda table: table.add_(1)),
        ("others", lambda table: table.sub_(1)),
        ("thresholds", lambda table: table[:-1]),
        ("weights", lambda table: table[:1]),
    ],
)
def test_tables_that_would_be_read_beyond_their_end_are_refused(tmp_path, table, damage) -> None:
    # three layers in 20 pixels: pairs, and pixels that are listed
    found = scale_set(rows((3, 2, NAN), (3, 2, 2.5), seen=[1, 2]))
    assert found.contests is not None
    assert len(found.contests.lookups.groups) == 1
    scene_with(found).save(tmp_path / "scene")
    path = tmp_path / "scene" / TENSORS_FILE
    tensors = load_file(path)
    name = f"scale_set.contests.{table}"
    tensors[name] = damage(tensors[name].clone()).contiguous()
    save_file(tensors, path)
    with pytest.raises(InputError, match=r"damaged: the table \w+ of the scale set"):
        Scene.load(tmp_path / "scene")


def test_scales_of_strangers_are_refused() -> None:
    with pytest.raises(ValueError, match="scales of a, b, which the scene lacks"):
        replace(tiny_scene(), scale_set=ordered())
