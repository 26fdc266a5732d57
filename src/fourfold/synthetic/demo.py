"""The embedded example: the scene `juggler`, small enough to ship.

`python -m fourfold.synthetic.demo FOLDER` renders it again.
"""

import sys
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from fourfold.synthetic.synthesize import synthesize
from fourfold.synthetic.writing import Storage

# All of it, truth included, stays below 2 MB.
_STORAGE = Storage(jpeg_quality=90, novel_every=4, depth_every=4)


def render_demo(
    out: str | PathLike[str], progress: Callable[[int, int], None] | None = None
) -> Path:
    """Render the example that is embedded in the package: 288x180, 20 frames.

    Raises:
        MissingDependencyError: Mitsuba is not installed.
        OutputError: it cannot be written; what was there stays.
    """
    return synthesize(
        "juggler",
        out,
        width=288,
        height=180,
        frames=20,
        samples=24,
        seed=0,
        storage=_STORAGE,
        progress=progress,
    )


if __name__ == "__main__":
    render_demo(sys.argv[1], lambda done, total: print(f"frame {done} of {total}", flush=True))
