"""The verb sample, and rendering at the scales it draws."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fourfold as ff
from fourfold.cli import main
from fourfold.errors import InputError, UsageError
from fourfold.scene import ContestCollector, ScaleSet
from fourfold.training import Run
from fourfold.verbs.sample import read_samples
from fourfold.verbs.scale_choice import choose_scales
from fourfold.verbs.tiles import tile
from tests.scene.scale_frames import rows
from tests.tiny import HEIGHT, WIDTH, tiny_run, tiny_scene


def ball_before_wall() -> ScaleSet:
    """The ball at 4 hides the wall at 8, and may be three times as far by its range: below 2."""
    collector = ContestCollector(("background", "ball"), [(0.5, 3.0)])
    collector.add(*rows((8, 4), seen=[1]))
    return ScaleSet(("background", "ball"), ((0.5, 3.0),), collector.finish())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = tiny_run(tmp_path / "run")
    replace(tiny_scene(), scale_set=ball_before_wall()).save(made.scene_folder)
    return made


def _pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file)).astype(int)


def test_samples_are_written_and_read(run: Run) -> None:
    result = ff.sample(run, count=50, seed=3, picture=True)
    assert [file.name for file in result.files] == ["samples.json", "samples.csv", "samples.png"]
    scales = result.samples.scales
    assert scales.shape == (50, 1)
    assert float(scales.max()) < 2.0
    assert result.samples.share == pytest.approx(1.5 / 2.5, abs=0.02)
    assert any("ball hides the background: its scale is below 2." in fact for fact in result.facts)
    found = read_samples(run.path / "samples.json")
    assert torch.allclose(found.scales, scales, atol=1e-6)
    assert found.names == ("ball",)
    with open(run.path / "samples.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert table[7]["id"] == "7"
    assert float(table[7]["ball"]) == pytest.approx(float(scales[7, 0]))
    assert {row["valid"] for row in table} == {"1"}


def test_the_runs_seed_is_the_default(run: Run) -> None:
    one, other = ff.sample(run, count=5).samples, ff.sample(run.path, count=5, seed=0).samples
    assert torch.equal(one.scales, other.scales)
    assert not torch.equal(one.scales, ff.sample(run, count=5, seed=1).samples.scales)


def test_one_file_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    result = ff.sample(run, count=2, out=tmp_path / "some.csv")
    assert result.files == [tmp_path / "some.csv"]
    assert not (run.path / "samples.json").exists()
    with pytest.raises(UsageError, match=r"some\.txt.*expected \.json or \.csv"):
        ff.sample(run, count=2, out=tmp_path / "some.txt")


def test_nothing_valid_is_said_and_marked(run: Run, capsys: pytest.CaptureFixture) -> None:
    pinned = replace(tiny_scene(), scale_set=ball_before_wall().pin("ball", 2.5))
    pinned.save(run.scene_folder)
    assert main(["sample", str(run.path), "-n", "4"]) == 0
    said = capsys.readouterr()
    assert "warning: No combination of scales scores above 0.99" in said.err
    assert json.loads((run.path / "samples.json").read_text())["valid"] == [False] * 4


def test_samples_of_no_objects_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "samples.json"
    empty = {"objects": [], "scales": [[], []], "scores": [1.0, 1.0], "valid": [True, True]}
    head = {"format": "fourfold-samples", "version": 1, "share": 1.0, "note": ""}
    path.write_text(json.dumps(head | empty))
    assert read_samples(path).scales.shape == (2, 0)


def test_a_scene_without_a_scale_set(tmp_path: Path) -> None:
    plain = tiny_run(tmp_path / "plain")
    with pytest.raises(UsageError, match=r"no set of valid scales.*method osn"):
        ff.sample(plain)
    with pytest.raises(UsageError, match="no set of valid scales"):
        ff.render(plain, scales="3", progress=False)


def test_a_mode_that_is_not_there(run: Run) -> None:
    with pytest.raises(UsageError, match="needs its network"):
        ff.sample(run, mode="network")
    assert len(ff.sample(run, count=3, mode="polytope").samples) == 3


def test_a_sample_is_rendered_by_its_number(run: Run) -> None:
    drawn = ff.sample(run, count=3).samples
    (folder,) = ff.render(
        run, path="input", scales="2", outputs="depth", format="png", progress=False
    )
    assert folder.name == "input_depth_sample2"
    scene = tiny_scene()
    chosen = choose_scales("2", scene, run)
    assert chosen.choices[0].scales["ball"] == pytest.approx(float(drawn.scales[2, 0]), abs=1e-6)
    with pytest.raises(UsageError, match="holds 3 samples; expected at least 4"):
        ff.render(run, scales="3", progress=False)


def test_without_a_file_samples_are_those_that_would_be_drawn(run: Run) -> None:
    scene = ff.Scene.load(run.scene_folder)
    before = choose_scales("17", scene, run).choices[0].scales
    drawn = ff.sample(run).samples
    assert before["ball"] == pytest.approx(float(drawn.scales[17, 0]))


def test_given_scales_move_the_ball_away(run: Run) -> None:
    camera = tiny_scene().camera_at(0.0)
    (folder,) = ff.render(
        run, path="input", scales="ball=1.5", time="0", format="png", progress=False
    )
    assert folder.name == "input_rgb_scales"
    expected = tiny_scene().render(camera, 0.0, scales={"ball": 1.5})["rgb"].clamp(0, 1)
    assert np.abs(_pixels(folder / "00000.png") - (expected * 255).numpy()).max() <= 1


def test_one_is_as_filmed(run: Run) -> None:
    (folder,) = ff.render(run, path="input", scales="one", format="png", progress=False)
    assert folder.name == "input_rgb"


def test_random_scales_have_a_seed(run: Run) -> None:
    scene = ff.Scene.load(run.scene_folder)
    one, same, other = (choose_scales("random", scene, run, seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert one.suffix == "_random"


def test_a_grid_shows_samples_side_by_side(run: Run) -> None:
    (folder,) = ff.render(
        run, path="input", scales="grid2x2", time="0", format="png", progress=False
    )
    assert folder.name == "input_rgb_grid2x2"
    image = _pixels(folder / "00000.png")
    assert image.shape == (2 * HEIGHT + 4, 2 * WIDTH + 4, 3)
    middles = [
        (HEIGHT // 2 + dy, WIDTH // 2 + dx) for dy in (0, HEIGHT + 4) for dx in (0, WIDTH + 4)
    ]
    assert all(image[middle][0] > 150 for middle in middles)  # the red ball in each


def test_tiles_fill_rows_from_the_left() -> None:
    pictures = [torch.full((20, 30, 3), shade) for shade in (0.2, 0.4, 0.6)]
    sheet = tile(pictures, ["", "", ""], columns=2)
    assert sheet.shape == (44, 64, 3)
    corners = [sheet[15, 15, 0], sheet[15, 49, 0], sheet[39, 15, 0], sheet[39, 49, 0]]
    assert torch.allclose(torch.stack(corners), torch.tensor([0.2, 0.4, 0.6, 1.0]), atol=0.01)
    labelled = tile(pictures, ["#1", "#2", "#3"], columns=2)
    assert float(labelled.max()) > float(sheet[:20, :30].max())


@pytest.mark.parametrize(
    ("scales", "what"),
    [
        ("some", "--scales 'some'; expected a number"),
        ("grid9x9", "a grid of 9x9"),
        ("cube=1", "--scales 'cube=1'; expected NAME=NUMBER"),
        ("ball=0", "--scales 'ball=0'"),
        ("ball=far", "--scales 'ball=far'"),
    ],
)
def test_scales_that_make_no_sense_are_refused(run: Run, scales: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        ff.render(run, scales=scales, progress=False)


def test_damaged_samples_are_named(run: Run) -> None:
    ff.sample(run, count=2)
    path = run.path / "samples.json"
    path.write_text(path.read_text()[:-30])
    with pytest.raises(InputError, match=r"samples\.json: cannot read.*Run: fourfold sample"):
        ff.render(run, scales="1", progress=False)


def test_samples_of_another_scene_are_refused(run: Run) -> None:
    ff.sample(run, count=2)
    path = run.path / "samples.json"
    path.write_text(path.read_text().replace('"ball"', '"cube"'))
    with pytest.raises(UsageError, match="holds scales of cube; expected those of this scene"):
        ff.render(run, scales="1", progress=False)
