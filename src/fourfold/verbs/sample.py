"""The verb sample: valid combinations of object scales, drawn from a run's scale set."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fourfold.errors import InputError, UsageError

if TYPE_CHECKING:
    from fourfold.scene import Samples, ScaleSet, Scene
    from fourfold.training import Run

ScaleMode = Literal["computed", "polytope", "network"]

SAMPLES_FILE = "samples.json"
# As many as are drawn where nobody says how many; render finds a sample by its number among them.
COUNT = 1000
_FORMAT, _VERSION = "fourfold-samples", 1


@dataclass(frozen=True, eq=False)
class SampleResult:
    """What was drawn, what is known about the scales in sentences, and the files written."""

    samples: Samples
    facts: list[str]
    files: list[Path]


def sample(
    run: Run | str | Path,
    count: int = COUNT,
    *,
    out: str | Path | None = None,
    seed: int | None = None,
    mode: ScaleMode | None = None,
    picture: bool = False,
) -> SampleResult:
    """Draw valid combinations of object scales and write them into the run.

    The first few are spread out, however many are drawn. Where no combination is valid, the best
    ones are given, marked as not valid.

    Args:
        run: a run or its folder.
        count: how many.
        out: a `.json` or `.csv` file; `samples.json` and `samples.csv` in the run by default.
        seed: of the draws; the run's own by default.
        mode: which view of the scale set judges; the one of the training by default.
        picture: also draw the valid region with the samples, beside them.

    Raises:
        InputError: no run, or no scene in it.
        UsageError: its scene has no scale set, or not one of that mode; a wrong ending.
        OutputError: it cannot be written; what was there stays.
    """
    from fourfold.files import write_atomic
    from fourfold.verbs.scenes import load_run, load_scene

    run = load_run(run)
    scale_set = find_scale_set(load_scene(run), run, mode)
    targets = _targets(run, out)
    chosen = run_seed(run) if seed is None else seed
    drawn = draw(scale_set, count, chosen)
    files = [write_atomic(path, _encode(path.suffix, drawn, scale_set, chosen)) for path in targets]
    if picture:
        from fourfold.evaluation import scale_picture

        path = targets[0].with_suffix(".png")
        files.append(write_atomic(path, scale_picture(scale_set, drawn)))
    return SampleResult(drawn, scale_set.describe(), files)


def find_scale_set(scene: Scene, run: Run, mode: ScaleMode | None = None) -> ScaleSet:
    """Give a scene's scale set, judged by `mode`.

    Raises:
        UsageError: there is none, or it lacks what the mode needs.
    """
    if scene.scale_set is None:
        raise UsageError(
            "the scene has no set of valid scales",
            path=run.path,
            mend="Train with the method osn, which finds out about scales",
        )
    if mode is None:
        return scene.scale_set
    try:
        return scene.scale_set.using(mode)
    except ValueError as error:
        raise UsageError(str(error), path=run.path) from error


def draw(scale_set: ScaleSet, count: int, seed: int) -> Samples:
    """Draw combinations as the verb does, for a seed."""
    from fourfold.scene import SAFE_MARGIN
    from fourfold.training import generator

    return scale_set.sample(count, generator(seed, "sample"), SAFE_MARGIN)


def run_seed(run: Run) -> int:
    """Give the seed of a run's training."""
    return int(run.plain_config.get("seed", 0))


def read_samples(path: Path) -> Samples:
    """Read a `samples.json` that the verb wrote.

    Raises:
        InputError: it is not such a file.
    """
    import torch

    from fourfold.scene import Samples

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT or found["version"] != _VERSION:
            raise ValueError("another format")
        names = tuple(found["objects"])
        scales = torch.tensor(found["scales"], dtype=torch.float32).reshape(
            len(found["scores"]), len(names)
        )
        return Samples(
            names,
            scales,
            torch.tensor(found["scores"], dtype=torch.float32),
            torch.tensor(found["valid"], dtype=torch.bool),
            float(found["share"]),
            str(found["note"]),
        )
    except (ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
        raise InputError(
            f"cannot read the samples: {error}", path=path, mend="Run: fourfold sample"
        ) from error


def _targets(run: Run, out: str | Path | None) -> list[Path]:
    if out is None:
        return [run.path / SAMPLES_FILE, run.path / "samples.csv"]
    path = Path(out)
    if path.suffix not in (".json", ".csv"):
        raise UsageError("unknown kind of file for samples", path=path, expected=".json or .csv")
    return [path]


def _encode(suffix: str, drawn: Samples, scale_set: ScaleSet, seed: int) -> str:
    return _csv(drawn) if suffix == ".csv" else _json(drawn, scale_set, seed)


def _json(drawn: Samples, scale_set: ScaleSet, seed: int) -> str:
    about: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "mode": scale_set.mode,
        "threshold": scale_set.threshold,
        "seed": seed,
        "share": drawn.share,
        "note": drawn.note,
        "objects": list(drawn.names),
        "scales": [[round(scale, 7) for scale in row] for row in drawn.scales.tolist()],
        "scores": [round(score, 7) for score in drawn.scores.tolist()],
        "valid": drawn.valid.tolist(),
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _csv(drawn: Samples) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["id", "score", "valid", *drawn.names])
    rows = zip(drawn.scales.tolist(), drawn.scores.tolist(), drawn.valid.tolist(), strict=True)
    for number, (scales, score, valid) in enumerate(rows):
        shown = [f"{scale:.7g}" for scale in scales]
        writer.writerow([number, f"{score:.7g}", int(valid), *shown])
    return buffer.getvalue()
