"""Compile kernels, and keep them on disk until one of their sources changes.

Numba's cache looks at the file a function stands in, not at those of the functions it calls, which
are compiled into it. Here every kernel is as old as the newest source of the room.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

_SOURCES = [path.stat() for path in Path(__file__).parent.glob("_[a-z]*.py")]
_STAMP = max((s.st_mtime for s in _SOURCES), default=0.0), sum(s.st_size for s in _SOURCES)


def kernel(function: Callable) -> Any:
    """Compile a function without Python's lock; division by zero gives infinity, as in NumPy."""
    compiled = njit(cache=True, nogil=True, error_model="numpy")(function)
    cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if cache_file is not None:
        cache_file._source_stamp = _STAMP  # Numba has no public way
    return compiled
