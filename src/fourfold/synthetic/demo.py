"""The embedded examples: scenes small enough to ship.

`python -m fourfold.synthetic.demo SCENE FOLDER` renders one again.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from fourfold.errors import UsageError
from fourfold.synthetic.synthesize import synthesize
from fourfold.synthetic.writing import Storage


@dataclass(frozen=True)
class _Example:
    width: int
    height: int
    frames: int
    samples: int
    storage: Storage


# Each of them, truth included, stays below 2 MB.
_EXAMPLES = {
    "juggler": _Example(288, 180, 20, 24, Storage(jpeg_quality=90, novel_every=4, depth_every=4)),
    "tabletop": _Example(128, 96, 18, 64, Storage(jpeg_quality=92, compact=True, points_across=32)),
    "valley": _Example(
        640, 360, 1, 36, Storage(jpeg_quality=88, novel_every=2, depth_every=8, compact=True)
    ),
    "arena": _Example(192, 144, 12, 24, Storage(jpeg_quality=88, compact=True)),
}


def render_demo(
    scene: str,
    out: str | PathLike[str],
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render an example that is embedded in the package: "juggler", "tabletop", "valley" or
    "arena".

    Raises:
        UsageError: there is no such example.
        MissingDependencyError: Mitsuba is not installed.
        OutputError: it cannot be written; what was there stays.
    """
    if scene not in _EXAMPLES:
        raise UsageError(f"no example {scene!r}", expected=f"one of {', '.join(_EXAMPLES)}")
    example = _EXAMPLES[scene]
    return synthesize(
        scene,
        out,
        width=example.width,
        height=example.height,
        frames=example.frames,
        samples=example.samples,
        seed=0,
        storage=example.storage,
        progress=progress,
    )


if __name__ == "__main__":
    render_demo(
        sys.argv[1], sys.argv[2], lambda done, total: print(f"{done} of {total}", flush=True)
    )
