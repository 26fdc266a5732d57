"""Compile kernels, and keep them on disk until one of their sources changes.

Numba's cache looks at the file a function stands in, not at those of the functions it calls, which
are compiled into it. Here every kernel is as old as the newest source of its room, or the vectors.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def kernel_compiler(room: Path) -> Callable[[Callable], Any]:
    """Give the decorator that compiles the kernels of a room, the modules `_*.py` of a folder.

    Compiled functions release Python's lock; division by zero gives infinity, as in NumPy.
    """
    shared = Path(__file__).with_name("simd.py")  # compiled into the kernels of every room
    sources = [path.stat() for path in (*room.glob("_[a-z]*.py"), shared)]
    stamp = max(s.st_mtime for s in sources), sum(s.st_size for s in sources)

    def kernel(function: Callable) -> Any:
        compiled = njit(cache=True, nogil=True, error_model="numpy")(function)
        cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
        if cache_file is not None:
            cache_file._source_stamp = stamp  # Numba has no public way
        return compiled

    return kernel
