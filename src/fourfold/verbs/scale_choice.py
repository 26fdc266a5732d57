"""Which scales to render: typical ones, a sample, some of them side by side, or given ones."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fourfold.errors import UsageError

if TYPE_CHECKING:
    from fourfold.scene import Samples, ScaleSet, Scene
    from fourfold.training import Run

# Samples beside each other in a grid, where nobody says how many.
_GRID = (3, 3)
# More tiles would be too small to see.
_MOST_TILES = 8


@dataclass(frozen=True)
class Choice:
    """Scales by object name, and what a picture of them is called."""

    scales: Mapping[str, float]
    label: str


@dataclass(frozen=True)
class Choices:
    """One choice, or several side by side; `suffix` names the file, `note` is for the user."""

    choices: tuple[Choice, ...]
    columns: int = 1
    suffix: str = ""
    note: str = ""


def choose_scales(text: str | None, scene: Scene, run: Run, seed: int | None = None) -> Choices:
    """Read what `--scales` asks for.

    Args:
        text: None: a typical valid combination. "one": all scales 1. A number: that sample, of
            `samples.json` in the run or else as `fourfold sample` draws them. "random": a new
            draw. "grid" or "grid2x2": samples side by side. "NAME=S,NAME=S": these, the others 1.
        seed: of a random draw; a new one each time by default.

    Raises:
        UsageError: none of these, no such object or sample, or the scene has no scale set.
        InputError: `samples.json` cannot be read.
    """
    if text is None and scene.scale_set is not None:
        return _typical(scene.scale_set)
    if text is None or text == "one":
        return Choices((Choice({}, "scale 1"),))
    if "=" in text:
        from fourfold.training import parse_named_numbers

        scales = parse_named_numbers(text, "--scales", scene.object_names)
        return Choices((Choice(scales, _label("", scales)),), suffix="_scales")
    if text.isdecimal():
        return _numbered(int(text), _samples(scene, run, int(text) + 1))
    if text == "random":
        return _random(scene, run, seed)
    grid = re.fullmatch(r"grid(?:([1-9])x([1-9]))?", text)
    if grid is None:
        raise UsageError(
            f"--scales {text!r}",
            expected="a number, NAME=SCALE,…, random, grid, grid2x2 or one",
        )
    columns, rows = (int(grid[1]), int(grid[2])) if grid[1] else _GRID
    if max(columns, rows) > _MOST_TILES:
        raise UsageError(f"a grid of {columns}x{rows}", expected=f"up to {_MOST_TILES} each way")
    return _grid(_samples(scene, run, columns * rows), columns, rows)


def _samples(scene: Scene, run: Run, count: int) -> Samples:
    """Read the run's samples, or draw them as the verb sample does when there are none."""
    from fourfold.verbs.sample import (
        COUNT,
        SAMPLES_FILE,
        draw,
        find_scale_set,
        read_samples,
        run_seed,
    )

    path = run.path / SAMPLES_FILE
    if not path.exists():
        return draw(find_scale_set(scene, run), max(count, COUNT), run_seed(run))
    found = read_samples(path)
    strangers = set(found.names) - set(scene.object_names)
    if strangers or len(found) < count:
        what = f"scales of {', '.join(sorted(strangers))}" if strangers else f"{len(found)} samples"
        raise UsageError(
            f"holds {what}",
            path=path,
            expected="those of this scene" if strangers else f"at least {count}",
            mend=f"Run: fourfold sample {run.path} --count {max(count, COUNT)}",
        )
    return found


def _numbered(number: int, samples: Samples) -> Choices:
    chosen = _choice(number, samples)
    return Choices((chosen,), suffix=f"_sample{number}", note=samples.note)


def _typical(scale_set: ScaleSet) -> Choices:
    drawn = scale_set.typical_samples()
    return Choices((_choice(0, drawn, "typical"),), note=drawn.note)


def _random(scene: Scene, run: Run, seed: int | None) -> Choices:
    from fourfold.scene import SAFE_MARGIN
    from fourfold.training import generator
    from fourfold.verbs.sample import find_scale_set

    chosen = secrets.randbits(62) if seed is None else seed
    random = generator(chosen, "random scales")
    drawn = find_scale_set(scene, run).sample(1, random, SAFE_MARGIN)
    note = f"Seed of these scales: {chosen}. {drawn.note}".strip()
    return Choices((_choice(0, drawn, "random"),), suffix="_random", note=note)


def _grid(samples: Samples, columns: int, rows: int) -> Choices:
    chosen = tuple(_choice(number, samples) for number in range(columns * rows))
    return Choices(chosen, columns, f"_grid{columns}x{rows}", samples.note)


def _choice(number: int, samples: Samples, name: str | None = None) -> Choice:
    scales = samples.mapping(number)
    title = f"#{number}" if name is None else name
    if not bool(samples.valid[number]):
        title += " (not valid)"
    return Choice(scales, _label(title, scales))


def _label(title: str, scales: Mapping[str, float]) -> str:
    named = ", ".join(f"{name} = {scale:.2f}" for name, scale in scales.items())
    return f"{title}   {named}".strip()
