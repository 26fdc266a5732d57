"""The vector type under the kernels, lane by lane against NumPy."""
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false
# pyright: reportAttributeAccessIssue=false

import numpy as np
from numba import njit, uintp

from fourfold.kernels import simd


@njit
def _arithmetic(a, b, out):
    x, y = simd.load(a, uintp(0)), simd.load(b, uintp(0))
    chosen = simd.where((x < y) & ~(y > 0.5) | (x >= 2), x * 2 + y, -x / y)
    simd.store(out, uintp(0), chosen)
    simd.store(out, uintp(16), simd.sqrt(simd.maximum(x, simd.maximum(y, -y))))
    return simd.bits(x <= y)


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
        simd.store(out, k, simd.exp2(simd.load(a, k)))


def test_exp2_is_good_to_a_few_units_in_the_last_place():
    x = np.linspace(-126, 126, 1 << 16).astype(np.float32)
    x[:8192] = np.linspace(-9, 0, 8192)
    out = np.zeros_like(x)
    _exp2(x, out)
    exact = np.exp2(x.astype(np.float64))
    assert np.abs(out / exact - 1).max() < 3e-7


@njit
def _sums(a, out):
    v = (simd.load(a, uintp(0)), simd.load(a, uintp(16)), simd.load(a, uintp(32)))
    simd.store(out, uintp(0), simd.sums(v))


def test_sums_puts_each_vectors_sum_in_its_lane():
    a = np.arange(48).astype(np.float32)
    out = np.zeros(16, np.float32)
    _sums(a, out)
    # 0 + ... + 15 = 120, and 16 * 16 more for each next vector
    assert out.tolist() == [120, 376, 632] + [0] * 13


@njit
def _lane_sum(a):
    return simd.lane_sum(simd.load(a, uintp(0)))


def test_lane_sum_adds_every_lane_once():
    assert _lane_sum(np.exp2(np.arange(16)).astype(np.float32)) == 65535


@njit
def _strided(a, out):
    simd.scatter(out, uintp(2), uintp(3), simd.gather(a, uintp(1), uintp(2)))


def test_gather_and_scatter_stride():
    a = np.arange(32).astype(np.float32)
    out = np.zeros(48, np.float32)
    _strided(a, out)
    assert out.reshape(16, 3)[:, 2].tolist() == list(range(1, 32, 2))
    assert out.reshape(16, 3)[:, :2].max() == 0


@njit
def _rows(a, out):
    x, y, z = simd.load_rows3(a, uintp(1))
    simd.store_rows(out, uintp(0), (x, y, z, x))


def test_rows_come_as_columns_and_end_in_zeros():
    a = np.arange(9).astype(np.float32)  # rows (0 1 2) (3 4 5) (6 7 8)
    out = np.full(64, -1, np.float32)
    _rows(a, out)
    assert out.reshape(16, 4)[:3].tolist() == [[3, 4, 5, 3], [6, 7, 8, 6], [0, 0, 0, 0]]
    assert abs(out[8:]).max() == 0


@njit
def _take(counter):
    return simd.claim(counter), simd.claim(counter)


def test_claim_counts_up():
    counter = np.zeros(1, np.int64)
    assert _take(counter) == (0, 1)
    assert counter[0] == 2


@njit
def _take_many(counter):
    return simd.claim_many(counter, uintp(3)), simd.claim_many(counter, uintp(2))


def test_claim_many_takes_a_stretch():
    counter = np.full(1, 5, np.int64)
    assert _take_many(counter) == (5, 8)
    assert counter[0] == 10


@njit
def _part(a, out):
    simd.store_until(out, uintp(2), uintp(7), simd.load_until(a, uintp(1), uintp(4)))


def test_parts_of_vectors_leave_the_rest_alone():
    out = np.full(20, -1, np.float32)
    _part(np.arange(4, dtype=np.float32), out)
    assert out.tolist() == [-1, -1, 1, 2, 3, 0, 0] + [-1] * 13
