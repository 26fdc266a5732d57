"""The state of a training on disk: nested tensors in safetensors, the rest in JSON."""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fourfold.errors import InputError
from fourfold.files import replace_folder, writing
from fourfold.training.nested import flatten, unflatten

_FORMAT = "fourfold-checkpoint"
_VERSION = 1
_TENSORS = "tensors.safetensors"
_STATE = "state.json"
_RECORD = ("stage", "step", "state", "log_position", "laps", "peak_memory_mb")
# The newest may be cut short by a power failure; then the one before it is taken.
_KEPT = 2

_log = logging.getLogger(__name__)


class DamagedCheckpointError(InputError):
    """Say that a checkpoint is not whole, so that the one before it should be taken."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stood: in which stage, after how many of its steps, with which state.

    `tensors` are nested dictionaries and lists (on the CPU when read), `state` is JSON. The rest
    is the run's own: how long its log was in bytes, and what the training had cost.
    """

    stage: str
    step: int
    tensors: Any
    state: Mapping[str, Any] = field(default_factory=dict)
    log_position: int = 0
    laps: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: float | None = None


def add_checkpoint(series: Path, checkpoint: Checkpoint) -> None:
    """Write the next checkpoint of a series (a folder of them) and keep the last two.

    Raises:
        OutputError: it cannot be written; the checkpoints before it stay.
    """
    existing = checkpoint_folders(series)
    serial = int(existing[-1].name.split("-")[0]) + 1 if existing else 1
    name = f"{serial:06d}-{checkpoint.stage}-{checkpoint.step:06d}"
    write_checkpoint(series / name, checkpoint)
    for old in existing[: 1 - _KEPT]:
        _remove(old)


def newest_checkpoint(series: Path) -> tuple[Path, Checkpoint] | None:
    """Read the newest whole checkpoint of a series; damaged ones are passed over with a warning.

    Raises:
        InputError: it is of another version.
    """
    for folder in reversed(checkpoint_folders(series)):
        try:
            return folder, read_checkpoint(folder)
        except DamagedCheckpointError as error:
            _log.warning("%s The checkpoint before it is taken.", error)
    return None


def tidy_checkpoints(series: Path, newest: Path | None) -> None:
    """Remove what a kill left: half-written folders, damaged ones after `newest`, old ones."""
    found = checkpoint_folders(series)
    whole = [] if newest is None else [folder for folder in found if folder <= newest]
    half_written = series.glob(".[0-9]*-*-*.*")
    for folder in {*found, *half_written} - set(whole[-_KEPT:]):
        _remove(folder)


def checkpoint_folders(series: Path) -> list[Path]:
    """List the checkpoints of a series, oldest first."""
    return sorted(series.glob("[0-9]*-*-*"))


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint folder in one atomic replacement.

    Raises:
        OutputError: it cannot be written; nothing half-written stays.
    """
    # Copies: safetensors takes neither views nor tensors that share their memory.
    flat = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in flatten(checkpoint.tensors).items()
    }
    record = {"format": _FORMAT, "version": _VERSION}
    record |= {name: getattr(checkpoint, name) for name in _RECORD}
    with replace_folder(folder) as staging:
        _save_tensors(flat, staging / _TENSORS)
        record["sha256"] = _digest(staging / _TENSORS)
        (staging / _STATE).write_text(json.dumps(record, indent=1), encoding="utf-8")


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        DamagedCheckpointError: a file is missing, cut short or changed.
        InputError: it is of another version.
    """
    record = read_record(folder)
    path = folder / _TENSORS
    if not path.is_file() or _digest(path) != record["sha256"]:
        raise DamagedCheckpointError("the tensors are damaged or missing", path=path)
    try:
        tensors = unflatten(load_file(path))
    except SafetensorError as error:
        raise DamagedCheckpointError(f"cannot be read: {error}", path=path) from error
    return Checkpoint(tensors=tensors, **{name: record[name] for name in _RECORD})


def read_record(folder: Path) -> dict[str, Any]:
    """Read all of a checkpoint but its tensors.

    Raises:
        DamagedCheckpointError: it is missing or damaged.
        InputError: it is of another version.
    """
    path = folder / _STATE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise DamagedCheckpointError("damaged or missing", path=path) from error
    except OSError as error:
        # Not damage, which would be a reason to drop it.
        raise InputError(f"cannot be read: {error.strerror}", path=path) from error
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise DamagedCheckpointError("not a checkpoint", path=path)
    if record.get("version") != _VERSION:
        raise InputError(
            f"checkpoint version {record.get('version')}", path=path, expected=str(_VERSION)
        )
    if missing := {*_RECORD, "sha256"} - record.keys():
        raise DamagedCheckpointError(f"lacks {', '.join(sorted(missing))}", path=path)
    return record


def _remove(folder: Path) -> None:
    with writing(folder):
        shutil.rmtree(folder)


def _save_tensors(flat: dict[str, Tensor], path: Path) -> None:
    try:
        save_file(flat, path)
    except SafetensorError as error:
        # safetensors wraps a full disk in an error of its own; `replace_folder` knows OSErrors.
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), str(error)) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
