"""One directory with everything about one training."""

import io
import json
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from jaxtyping import Float
from PIL import Image
from torch import Tensor

import fourfold
from fourfold.errors import InputError, UsageError
from fourfold.files import write_atomic, writing
from fourfold.training.checkpoints import (
    Checkpoint,
    add_checkpoint,
    checkpoint_folders,
    newest_checkpoint,
    read_record,
    tidy_checkpoints,
)
from fourfold.training.logbook import Logbook, finite_or_none
from fourfold.training.nested import Nested
from fourfold.training.resources import PeakMemory, Stopwatch
from fourfold.training.settings import (
    first_difference,
    from_plain,
    read_yaml,
    to_plain,
    write_yaml,
)

Config = TypeVar("Config")

_FORMAT = "fourfold-run"
_VERSION = 1
_SETTINGS = "config.yml"
_NOTES = "notes.json"
# What a training writes, in the order in which an overwritten run is cleared: checkpoints first,
# so that a run that was cleared only in part is never resumed. Anything else stays.
_CONTENTS = (
    "checkpoints",
    "log.jsonl",
    "tensorboard",
    "scene",
    "scene-lifted",
    _NOTES,
    "metrics.json",
    "report.html",
    "contact_sheet.png",
    "samples.json",
    "samples.csv",
    "samples.png",
    "previews",
)
# The capture's frames, decoded: as good for the run that follows, if it is of the same capture.
_FRAMES = "frames"


@dataclass
class Run:
    """A training's directory: settings, checkpoints, log, previews, metrics, report and scene.

    Own. Made by `Run.open` (to train) or `Run.load` (to look at). `plain_config` is the method's
    dataclass as config.yml holds it; `stopwatch` and `memory` go on from the newest checkpoint.
    """

    path: Path
    method: str
    capture_path: Path
    capture_fingerprint: str
    plain_config: dict[str, Any]
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    memory: PeakMemory = field(default_factory=PeakMemory)

    def __post_init__(self) -> None:
        self._logbook = Logbook(self.path / "log.jsonl", self.path / "tensorboard")

    @staticmethod
    def open(
        out: str | Path,
        *,
        method: str,
        config: Any,
        capture_path: str | Path,
        capture_fingerprint: str,
        inputs: Mapping[str, str] | None = None,
        overwrite: bool = False,
    ) -> "Run":
        """Create a run, or resume the one that is there when its settings are the same.

        Args:
            out: the run's directory; made when it is not there.
            method: name of the method.
            config: dataclass of plain values (nested as it may be), stored in config.yml.
            capture_path: what is trained on.
            capture_fingerprint: tells one state of the capture from another.
            inputs: fingerprints of what a setting names beside the capture, by the setting.
            overwrite: clear the run that is there and begin anew; decoded frames stay if they
                are of the same capture.

        Raises:
            UsageError: `out` holds a run with other settings, or something that is not a run.
            OutputError: it cannot be written.
        """
        folder = Path(out)
        capture = {"path": str(Path(capture_path).resolve()), "fingerprint": capture_fingerprint}
        chosen = {"method": method, "capture": capture, "config": to_plain(config)}
        chosen |= {"inputs": dict(inputs)} if inputs else {}
        exists = _is_run(folder)
        if exists and not overwrite:
            _check_same_settings(folder, chosen, type(config))
        else:
            if exists:
                _clear(folder, keep_frames=_is_of(folder, method, capture_fingerprint))
            origin = {"format": _FORMAT, "version": _VERSION, "fourfold": fourfold.__version__}
            write_atomic(folder / _SETTINGS, write_yaml(origin | chosen))
        run = Run.load(folder)
        run._rewind()
        run.memory.start()
        return run

    @staticmethod
    def load(out: str | Path) -> "Run":
        """Open an existing run to read from it.

        Raises:
            InputError: it is not a run, or its settings are damaged.
        """
        folder = Path(out)
        settings = _read_settings(folder)
        run = Run(
            path=folder,
            method=settings["method"],
            capture_path=Path(settings["capture"]["path"]),
            capture_fingerprint=settings["capture"]["fingerprint"],
            plain_config=settings["config"],
        )
        for checkpoint in reversed(checkpoint_folders(run._checkpoints)):
            with suppress(InputError):
                record = read_record(checkpoint)
                run._take_costs(record["laps"], record["peak_memory_mb"])
                break
        return run

    def change_config(self, config: Any) -> None:
        """Store other settings: for those of a stage that has not begun.

        Raises:
            OutputError: it cannot be written.
        """
        settings = _read_settings(self.path) | {"config": to_plain(config)}
        write_atomic(self.path / _SETTINGS, write_yaml(settings))
        self.plain_config = settings["config"]

    @property
    def scene_folder(self) -> Path:
        """Where the trained scene is saved."""
        return self.path / "scene"

    @property
    def frames_folder(self) -> Path:
        """Where a method keeps the capture's frames, decoded."""
        return self.path / _FRAMES

    @property
    def previews(self) -> list[Path]:
        """The pictures written so far, by name."""
        return sorted((self.path / "previews").glob("*.jpg"))

    @property
    def report_path(self) -> Path:
        """Where the report is written."""
        return self.path / "report.html"

    def config(self, kind: type[Config]) -> Config:
        """Read the run's settings back into the method's dataclass.

        Raises:
            InputError: config.yml holds an unknown key or a value of a wrong type.
        """
        return from_plain(kind, self.plain_config, path=self.path / _SETTINGS)

    def log(self, stage: str, step: int, **values: float | Tensor) -> None:
        """Add the values at a step of a stage to the log."""
        floats = {name: _to_float(value) for name, value in values.items()}
        self._logbook.append(stage, step, self.stopwatch.seconds, floats)

    def log_entries(self) -> list[dict[str, Any]]:
        """Read the log, oldest entry first: dictionaries of stage, step, seconds and values."""
        return self._logbook.entries()

    def preview(self, name: str, image: Float[Tensor, "H W 3"]) -> Path:
        """Write an image in [0, 1] as previews/<name>.jpg and return its path."""
        pixels = (image.detach().cpu().clamp(0, 1) * 255).round().byte().numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
        return write_atomic(self.path / "previews" / f"{name}.jpg", buffer.getvalue())

    def save_checkpoint(
        self, stage: str, step: int, tensors: Nested, state: Mapping[str, Any] | None = None
    ) -> None:
        """Save where the training stands, atomically, and keep the last two such states.

        Args:
            stage: the stage that is running, a plain word.
            step: how many of its steps are done.
            tensors: nested dictionaries and lists of tensors.
            state: whatever else is needed, as JSON.

        Raises:
            OutputError: it cannot be written; the checkpoints before it stay.
        """
        checkpoint = Checkpoint(
            stage,
            step,
            tensors,
            state or {},
            log_position=self._logbook.position(),
            laps=self.stopwatch.laps,
            peak_memory_mb=finite_or_none(self.memory.megabytes),
        )
        add_checkpoint(self._checkpoints, checkpoint)

    def latest_checkpoint(self) -> Checkpoint | None:
        """Read the newest whole checkpoint, None when there is none.

        One that is damaged is passed over with a warning, and the one before it is taken.
        """
        found = newest_checkpoint(self._checkpoints)
        return None if found is None else found[1]

    def note(self, text: str) -> None:
        """Tell the user what there is to know about the result, and keep it for the report, once.

        Raises:
            OutputError: it cannot be written.
        """
        print(f"note: {text}", file=sys.stderr)
        notes = self.notes
        if text not in notes:
            write_atomic(self.path / _NOTES, json.dumps([*notes, text], indent=2) + "\n")

    @property
    def notes(self) -> list[str]:
        """What the trainings of this run had to say, oldest first."""
        path = self.path / _NOTES
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Write metrics.json: flat keys; what is not a finite number is written as null."""
        plain = {
            name: finite_or_none(_to_float(value) if isinstance(value, Tensor) else value)
            for name, value in metrics.items()
        }
        write_atomic(self.path / "metrics.json", json.dumps(plain, indent=2) + "\n")

    def metrics(self) -> dict[str, Any]:
        """Read metrics.json; empty when there is none yet.

        Raises:
            InputError: it is not JSON.
        """
        path = self.path / "metrics.json"
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError as error:
            raise InputError("not valid JSON", path=path, mend="Run: fourfold eval") from error

    def costs(self) -> dict[str, float]:
        """Tell what the training cost so far, under the keys of metrics.json."""
        return {"seconds": self.stopwatch.seconds, "peak_memory_mb": self.memory.megabytes}

    def close(self) -> None:
        """Stop watching the memory and bring the log onto the disk."""
        self.memory.stop()
        self._logbook.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def _rewind(self) -> None:
        """Go back to the newest whole checkpoint: forget what was logged and spent after it."""
        found = newest_checkpoint(self._checkpoints)
        tidy_checkpoints(self._checkpoints, None if found is None else found[0])
        if found is None:
            self._logbook.rewind(0)
            self._take_costs({}, None)
        else:
            self._logbook.rewind(found[1].log_position)
            self._take_costs(found[1].laps, found[1].peak_memory_mb)

    def _take_costs(self, laps: Mapping[str, float], peak_memory_mb: float | None) -> None:
        self.stopwatch = Stopwatch(laps)
        self.memory = PeakMemory(peak_memory_mb or 0.0)


def _is_run(folder: Path) -> bool:
    """Tell a run from a place for one, and refuse what is neither."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise UsageError("is a file", path=folder, mend="Choose another --out")
    with writing(folder):
        # A kill while a run was being created may have left a half-written settings file.
        names = {entry.name for entry in folder.iterdir()} - {f".{_SETTINGS}.new"}
    if not names:
        return False
    with suppress(InputError):
        settings = read_yaml(folder / _SETTINGS)
        if isinstance(settings, dict) and settings.get("format") == _FORMAT:
            return True
    raise UsageError(
        "is neither empty nor a run, and is left as it is",
        path=folder,
        mend="Choose another --out",
    )


def _read_settings(folder: Path) -> dict[str, Any]:
    path = folder / _SETTINGS
    if not path.is_file():
        raise InputError(
            "is not a run",
            path=folder,
            expected=f"a folder with {_SETTINGS}",
            mend="Give the folder that --out named in training",
        )
    settings = read_yaml(path)
    if not isinstance(settings, dict) or settings.get("format") != _FORMAT:
        raise InputError("is not a run's settings", path=path, expected=f"format: {_FORMAT}")
    if settings.get("version") != _VERSION:
        raise InputError(
            f"is of run version {settings.get('version')}", path=path, expected=str(_VERSION)
        )
    capture = settings.get("capture")
    if not isinstance(capture, dict) or not {"path", "fingerprint"} <= capture.keys():
        raise InputError("lacks the capture's path or fingerprint", path=path)
    if not isinstance(settings.get("config"), dict) or "method" not in settings:
        raise InputError("lacks the method or its config", path=path)
    return settings


def _check_same_settings(folder: Path, chosen: Mapping[str, Any], kind: type) -> None:
    """Refuse to resume a run under other settings than it was begun with."""
    settings = _read_settings(folder)
    stored = {name: settings.get(name, {}) for name in chosen}
    if stored["method"] == chosen["method"]:
        # Through the dataclass, so that a setting newer than the run stands at its default.
        config = from_plain(kind, stored["config"], path=folder / _SETTINGS)
        stored["config"] = to_plain(config)
    difference = first_difference(stored, chosen)
    if difference is None:
        return
    name, old, new = difference
    name = name.removeprefix("config.")
    what = f"{name} is {old!r} there and {new!r} here"
    if name == "capture.fingerprint":
        what = "the capture's files have changed since (its fingerprint differs)"
    if name.startswith("inputs."):
        setting = name.removeprefix("inputs.")
        what = f"the files of --{setting} have changed since (their fingerprint differs)"
    raise UsageError(
        f"holds a run with other settings: {what}",
        path=folder,
        mend="Choose another --out, or --overwrite to begin anew",
    )


def _is_of(folder: Path, method: str, capture_fingerprint: str) -> bool:
    """Say whether the run that is there is of this method and capture."""
    with suppress(InputError):
        settings = _read_settings(folder)
        there = settings["method"], settings["capture"]["fingerprint"]
        return there == (method, capture_fingerprint)
    return False


def _clear(folder: Path, keep_frames: bool) -> None:
    """Remove what a training wrote, and nothing else."""
    for name in _CONTENTS if keep_frames else (*_CONTENTS, _FRAMES):
        path = folder / name
        with writing(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _to_float(value: float | Tensor) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)
