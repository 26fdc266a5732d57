"""The vector type under the kernels, lane by lane against NumPy."""
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false
# pyright: reportAttributeAccessIssue=false

import platform
import re
from pathlib import Path

import numba
import numpy as np
import pytest
from llvmlite import binding
from numba import njit, uintp

from fourfold.splat import _blending, _projection, _simd, _tiling


@njit
def _arithmetic(a, b, out):
    x, y = _simd.load(a, uintp(0)), _simd.load(b, uintp(0))
    chosen = _simd.where((x < y) & ~(y > 0.5) | (x >= 2), x * 2 + y, -x / y)
    _simd.store(out, uintp(0), chosen)
    _simd.store(out, uintp(16), _simd.sqrt(_simd.maximum(x, _simd.maximum(y, -y))))
    return _simd.bits(x <= y)


def test_arithmetic_and_choice():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 16)).astype(np.float32)
    out = np.zeros(32, np.float32)
    word = _arithmetic(a, b, out)
    condition = ((a < b) & ~(b > 0.5)) | (a >= 2)
    np.testing.assert_allclose(out[:16], np.where(condition, 2 * a + b, -a / b), rtol=1e-6)
    np.testing.assert_allclose(out[16:], np.sqrt(np.maximum(a, np.abs(b))), rtol=1e-6)
    assert word == sum(1 << k for k in range(16) if a[k] <= b[k])


@njit
def _exp2(a, out):
    for k in range(uintp(0), uintp(a.shape[0]), uintp(16)):
        _simd.store(out, k, _simd.exp2(_simd.load(a, k)))


def test_exp2_is_good_to_a_few_units_in_the_last_place():
    x = np.linspace(-126, 126, 1 << 16).astype(np.float32)
    x[:8192] = np.linspace(-9, 0, 8192)
    out = np.zeros_like(x)
    _exp2(x, out)
    exact = np.exp2(x.astype(np.float64))
    assert np.abs(out / exact - 1).max() < 3e-7


@njit
def _sums(a, out):
    v = (_simd.load(a, uintp(0)), _simd.load(a, uintp(16)), _simd.load(a, uintp(32)))
    _simd.store(out, uintp(0), _simd.sums(v))


def test_sums_puts_each_vectors_sum_in_its_lane():
    a = np.arange(48).astype(np.float32)
    out = np.zeros(16, np.float32)
    _sums(a, out)
    # 0 + ... + 15 = 120, and 16 * 16 more for each next vector
    assert out.tolist() == [120, 376, 632] + [0] * 13


@njit
def _strided(a, out):
    _simd.scatter(out, uintp(2), uintp(3), _simd.gather(a, uintp(1), uintp(2)))


def test_gather_and_scatter_stride():
    a = np.arange(32).astype(np.float32)
    out = np.zeros(48, np.float32)
    _strided(a, out)
    assert out.reshape(16, 3)[:, 2].tolist() == list(range(1, 32, 2))
    assert out.reshape(16, 3)[:, :2].max() == 0


@njit
def _rows(a, out):
    x, y, z = _simd.load_rows3(a, uintp(1))
    _simd.store_rows(out, uintp(0), (x, y, z, x))


def test_rows_come_as_columns_and_end_in_zeros():
    a = np.arange(9).astype(np.float32)  # rows (0 1 2) (3 4 5) (6 7 8)
    out = np.full(64, -1, np.float32)
    _rows(a, out)
    assert out.reshape(16, 4)[:3].tolist() == [[3, 4, 5, 3], [6, 7, 8, 6], [0, 0, 0, 0]]
    assert abs(out[8:]).max() == 0


@njit
def _take(counter):
    return _simd.claim(counter), _simd.claim(counter)


def test_claim_counts_up():
    counter = np.zeros(1, np.int64)
    assert _take(counter) == (0, 1)
    assert counter[0] == 2


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
    sources = Path(_simd.__file__).parent.glob("_[a-z]*.py")
    newest = max(path.stat().st_mtime for path in sources)
    for kernel in (_projection.project, _tiling.mark_blocks, _blending.blend):
        assert kernel._cache._cache_file._source_stamp[0] == newest
