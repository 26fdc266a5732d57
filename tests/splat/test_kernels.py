"""The compiled kernels: the registers they use, and when they are compiled anew."""
# pyright: reportAttributeAccessIssue=false

import platform
import re
from pathlib import Path

import numba
import pytest
from llvmlite import binding
from numba import njit

from fourfold.kernels import simd
from fourfold.splat import _blending, _projection, _tiling


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 registers")
@pytest.mark.parametrize("name", ["_blend_tile", "_blend_tile_backward"])
def test_kernels_use_the_widest_registers(name):
    """A kernel that lost its vectors would be many times slower and give the same numbers."""
    features = binding.get_host_cpu_features()
    if not features.get("avx"):
        pytest.skip("no AVX")
    row, ids, words = numba.float32[::1], numba.uint32[::1], numba.uint64[::1]
    number, index, place = numba.int64, numba.uint32, numba.uint64
    lists, outputs = ([ids, ids, words], [row, row]) if "backward" in name else ([ids, words], [])
    arguments = [row, row, number, *lists, index, index, row, place, place, number, number]
    arguments += outputs
    kernel = njit(error_model="numpy")(getattr(_blending, name).py_func)
    kernel.compile(tuple(arguments))
    assembly = next(iter(kernel.inspect_asm().values()))
    fused = re.findall(r"vfn?madd\w+ps\s.*([zy]mm)", assembly)
    needed = 16 if features.get("fma") else 0
    assert len(fused) >= needed
    assert len(re.findall(r"v(?:add|sub|mul)ps\s.*[zy]mm", assembly)) >= 5


def test_a_kernel_on_disk_is_as_old_as_the_newest_source():
    sources = *Path(_tiling.__file__).parent.glob("_[a-z]*.py"), Path(simd.__file__)
    newest = max(path.stat().st_mtime for path in sources)
    for kernel in (_projection.project, _tiling.mark_blocks, _blending.blend):
        assert kernel._cache._cache_file._source_stamp[0] == newest
