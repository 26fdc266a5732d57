"""Runs: made, resumed, refused, overwritten; and what they keep."""

import json
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import SafetensorError

from fourfold.errors import InputError, OutputError, UsageError
from fourfold.training import Run, checkpoints


@dataclass(frozen=True)
class Move:
    steps: int = 10


@dataclass(frozen=True)
class Config:
    seed: int = 0
    move: Move = field(default_factory=Move)


def open_run(out: Path, config: Config | None = None, **changes) -> Run:
    settings: dict[str, Any] = {
        "method": "toy",
        "capture_path": "clip",
        "capture_fingerprint": "abc",
    }
    return Run.open(out, config=config or Config(), **(settings | changes))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def save(run: Run, step: int, stage: str = "move") -> None:
    run.save_checkpoint(stage, step, {"x": torch.tensor([float(step)])}, {"note": step})


def test_a_new_run_holds_its_settings(tmp_path):
    out = tmp_path / "deep" / "run"
    with open_run(out, Config(seed=3)) as run:
        assert run.latest_checkpoint() is None
    loaded = Run.load(out)
    assert loaded.method == "toy"
    assert loaded.config(Config) == Config(seed=3)
    assert loaded.capture_path == Path("clip").resolve()
    assert loaded.capture_fingerprint == "abc"


def test_the_same_settings_resume(tmp_path):
    with open_run(tmp_path / "run") as run:
        save(run, 5)
    with open_run(tmp_path / "run") as run:
        checkpoint = run.latest_checkpoint()
    assert checkpoint is not None
    assert (checkpoint.stage, checkpoint.step) == ("move", 5)
    assert checkpoint.tensors["x"].tolist() == [5.0]
    assert checkpoint.state == {"note": 5}


def test_settings_of_a_later_stage_may_be_chosen_late(tmp_path):
    late = Config(move=Move(steps=20))
    with open_run(tmp_path / "run") as run:
        run.change_config(late)
        assert run.config(Config) == late
    loaded = Run.load(tmp_path / "run")
    assert loaded.config(Config) == late
    assert loaded.capture_fingerprint == "abc"
    with open_run(tmp_path / "run", late) as run:
        assert run.plain_config["move"] == {"steps": 20}
    with pytest.raises(UsageError, match=r"move.steps is 20 there and 10 here"):
        open_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": Config(move=Move(steps=20))}, "move.steps is 10 there and 20 here"),
        ({"method": "other"}, "method is 'toy' there and 'other' here"),
        ({"capture_path": "clap"}, "capture.path is"),
        ({"capture_fingerprint": "abd"}, "the capture's files have changed since"),
    ],
)
def test_other_settings_are_refused_by_name_and_nothing_is_touched(tmp_path, changes, message):
    with open_run(tmp_path / "run") as run:
        save(run, 5)
        run.log("move", 1, loss=1.0)
    before = contents(tmp_path / "run")
    with pytest.raises(UsageError) as caught:
        open_run(tmp_path / "run", **changes)
    assert message in str(caught.value)
    assert "--overwrite" in str(caught.value)
    assert contents(tmp_path / "run") == before


def test_notes_are_said_and_kept_once(tmp_path, capsys):
    with open_run(tmp_path / "run") as run:
        assert run.notes == []
        run.note("one eye is blind")
    with open_run(tmp_path / "run") as run:
        run.note("both are")
        run.note("one eye is blind")
    assert capsys.readouterr().err.splitlines()[0] == "note: one eye is blind"
    assert Run.load(tmp_path / "run").notes == ["one eye is blind", "both are"]
    with open_run(tmp_path / "run", overwrite=True) as run:
        assert run.notes == []


def test_what_a_setting_names_must_be_what_it_was(tmp_path):
    open_run(tmp_path / "run", inputs={"depth": "abc"}).close()
    open_run(tmp_path / "run", inputs={"depth": "abc"}).close()
    with pytest.raises(UsageError, match=r"the files of --depth have changed since.*--overwrite"):
        open_run(tmp_path / "run", inputs={"depth": "abd"})
    open_run(tmp_path / "run", inputs={"depth": "abd"}, overwrite=True).close()


def test_a_setting_that_the_run_does_not_know_yet_stands_at_its_default(tmp_path):
    @dataclass(frozen=True)
    class Newer(Config):
        extra: int = 7

    open_run(tmp_path / "run").close()
    Run.open(
        tmp_path / "run",
        method="toy",
        config=Newer(),
        capture_path="clip",
        capture_fingerprint="abc",
    ).close()


def test_overwriting_begins_anew_and_leaves_what_is_not_the_runs(tmp_path):
    with open_run(tmp_path / "run") as run:
        save(run, 5)
        run.log("move", 1, loss=1.0)
        run.preview("a", torch.zeros(4, 4, 3))
        run.write_metrics({"psnr": 1.0})
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with open_run(tmp_path / "run", Config(seed=1), overwrite=True) as run:
        assert run.latest_checkpoint() is None
        assert run.log_entries() == []
        assert run.metrics() == {}
        assert run.previews == []
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert Run.load(tmp_path / "run").config(Config).seed == 1


@pytest.mark.parametrize(
    ("changes", "stay"),
    [
        ({"config": Config(seed=1)}, True),
        ({"capture_fingerprint": "abd"}, False),
        ({"method": "other"}, False),
    ],
)
def test_decoded_frames_outlive_an_overwritten_run_of_their_capture(tmp_path, changes, stay):
    with open_run(tmp_path / "run") as run:
        run.frames_folder.mkdir()
        (run.frames_folder / "000.npy").write_bytes(b"pixels")
    open_run(tmp_path / "run", **changes, overwrite=True).close()
    assert (tmp_path / "run" / "frames").exists() == stay


def test_overwriting_a_run_of_another_version_takes_its_frames_along(tmp_path):
    with open_run(tmp_path / "run") as run:
        run.frames_folder.mkdir()
    settings = tmp_path / "run" / "config.yml"
    settings.write_text(settings.read_text().replace("version: 1\n", "version: 99\n"))
    open_run(tmp_path / "run", overwrite=True).close()
    assert not (tmp_path / "run" / "frames").exists()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["photo.jpg", "config.yml"])
def test_a_folder_that_is_not_a_run_is_never_touched(tmp_path, overwrite, name):
    (tmp_path / name).write_text("data: precious\n")
    with pytest.raises(UsageError, match="neither empty nor a run"):
        open_run(tmp_path, overwrite=overwrite)
    assert contents(tmp_path) == {name: b"data: precious\n"}


def test_a_file_in_the_place_of_a_run_is_refused(tmp_path):
    (tmp_path / "run").write_text("data")
    with pytest.raises(UsageError, match="is a file"):
        open_run(tmp_path / "run", overwrite=True)


def test_what_a_kill_left_of_the_settings_is_no_obstacle(tmp_path):
    (tmp_path / ".config.yml.new").write_text("form")
    open_run(tmp_path).close()
    assert Run.load(tmp_path).method == "toy"


def test_loading_what_is_not_a_run_says_so(tmp_path):
    with pytest.raises(InputError, match="is not a run"):
        Run.load(tmp_path)
    (tmp_path / "config.yml").write_text("method: x\n")
    with pytest.raises(InputError, match="is not a run's settings"):
        Run.load(tmp_path)
    (tmp_path / "config.yml").write_text("format: fourfold-run\nversion: 99\n")
    with pytest.raises(InputError, match="run version 99"):
        Run.load(tmp_path)


def test_an_unknown_key_in_the_settings_is_named(tmp_path):
    open_run(tmp_path / "run").close()
    path = tmp_path / "run" / "config.yml"
    path.write_text(path.read_text() + "  sede: 3\n")
    with pytest.raises(InputError, match="unknown setting 'sede'"):
        Run.load(tmp_path / "run").config(Config)


def test_two_checkpoints_are_kept_and_the_order_is_that_of_saving(tmp_path):
    with open_run(tmp_path / "run") as run:
        for stage, step in (("lift", 900), ("move", 0), ("move", 1000)):
            save(run, step, stage)
        names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
        assert names == ["000002-move-000000", "000003-move-001000"]
        checkpoint = run.latest_checkpoint()
    assert checkpoint is not None
    assert checkpoint.step == 1000


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "flipped"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, caplog, file, damage):
    with open_run(tmp_path / "run") as run:
        save(run, 5)
        run.log("move", 6, loss=1.0)
        save(run, 10)
    path = tmp_path / "run" / "checkpoints" / "000002-move-000010" / file
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with caplog.at_level(logging.WARNING), open_run(tmp_path / "run") as run:
        checkpoint = run.latest_checkpoint()
        assert checkpoint is not None
        assert checkpoint.step == 5
        assert run.log_entries() == []
        # The damaged one must not push out the good one that is left.
        save(run, 10)
        assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 2
    assert len(caplog.records) == 1
    assert "The checkpoint before it is taken" in caplog.text


def test_a_checkpoint_of_a_newer_version_is_kept_and_named(tmp_path):
    with open_run(tmp_path / "run") as run:
        save(run, 5)
    path = tmp_path / "run" / "checkpoints" / "000001-move-000005" / "state.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(InputError, match="checkpoint version 2; expected 1"):
        open_run(tmp_path / "run")
    assert path.exists()


def test_a_full_disk_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    def full(*_args):
        raise SafetensorError("Error while serializing: I/O error: No space left (os error 28)")

    with open_run(tmp_path / "run") as run:
        save(run, 5)
        monkeypatch.setattr(checkpoints, "save_file", full)
        with pytest.raises(OutputError, match="no space left"):
            save(run, 10)
        checkpoint = run.latest_checkpoint()
        assert checkpoint is not None
        assert checkpoint.step == 5
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == [
        "000001-move-000005"
    ]


def test_tensors_that_share_memory_or_need_gradients_are_saved(tmp_path):
    base = torch.arange(6.0, requires_grad=True)
    with open_run(tmp_path / "run") as run:
        run.save_checkpoint("move", 1, {"a": base, "b": base[::2], "c": base.reshape(2, 3).T})
        checkpoint = run.latest_checkpoint()
    assert checkpoint is not None
    assert checkpoint.tensors["b"].tolist() == [0, 2, 4]
    assert checkpoint.tensors["c"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_the_log_goes_back_to_the_checkpoint(tmp_path):
    with open_run(tmp_path / "run") as run:
        run.log("move", 1, loss=torch.tensor(0.5, requires_grad=True))
        save(run, 1)
        run.log("move", 2, loss=0.25)
    with (tmp_path / "run" / "log.jsonl").open("a") as file:
        file.write('{"stage": "mo')
    with open_run(tmp_path / "run") as run:
        assert [(entry["step"], entry["loss"]) for entry in run.log_entries()] == [(1, 0.5)]
        run.log("move", 2, loss=math.nan)
        assert [entry["loss"] for entry in run.log_entries()] == [0.5, None]


def test_an_unfinished_line_is_not_an_entry(tmp_path):
    with open_run(tmp_path / "run") as run:
        run.log("move", 1, loss=0.5)
    with (tmp_path / "run" / "log.jsonl").open("a") as file:
        file.write('{"stage": "mo')
    assert len(Run.load(tmp_path / "run").log_entries()) == 1


def test_events_tell_what_the_log_tells(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    with open_run(tmp_path / "run") as run:
        run.log("move", 1, loss=0.5)
        save(run, 1)
        run.log("move", 2, loss=0.25)
    with open_run(tmp_path / "run") as run:
        run.log("move", 2, loss=0.125, bad=math.inf)
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    scalars = [
        (event.step, value.tag, value.tensor.float_val[0] or value.simple_value)
        for event in reader.EventFileLoader(str(events)).Load()
        for value in event.summary.value
    ]
    assert scalars == [(1, "move/loss", 0.5), (2, "move/loss", 0.125)]


def test_costs_go_on_from_the_checkpoint(tmp_path):
    with open_run(tmp_path / "run") as run:
        with run.stopwatch.lap("move"):
            pass
        spent = run.stopwatch.seconds
        save(run, 5)
        with run.stopwatch.lap("move"):
            sum(range(100_000))
    assert Run.load(tmp_path / "run").costs()["seconds"] == pytest.approx(spent, abs=1e-3)
    with open_run(tmp_path / "run") as run:
        assert run.stopwatch.seconds == pytest.approx(spent, abs=1e-3)
        assert run.costs()["peak_memory_mb"] > 10


def test_metrics_are_strict_json(tmp_path):
    with open_run(tmp_path / "run") as run:
        run.write_metrics({"psnr": torch.tensor(30.5), "x": math.inf, "n": 3, "y": math.nan})
        assert run.metrics() == {"psnr": 30.5, "x": None, "n": 3, "y": None}
    text = (tmp_path / "run" / "metrics.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert list(json.loads(text)) == ["psnr", "x", "n", "y"]


def test_a_preview_is_a_picture(tmp_path):
    with open_run(tmp_path / "run") as run:
        path = run.preview("move-00010", torch.tensor([0.0, 1.0, 0.0]).expand(16, 24, 3))
        assert run.previews == [path]
    with Image.open(path) as picture:
        assert picture.size == (24, 16)
