"""Sixteen-lane vectors for Numba kernels, written out instead of hoped for.

Numba's own vectoriser gives up on small things (a signed index is enough) and keeps lane
accumulators in memory. Here a vector of 16 floats is a Numba type of its own, held in registers:
one AVX-512 register, two AVX, four SSE or NEON ones, as LLVM sees fit for the machine. Arithmetic
is the ordinary operators; ``contract`` lets LLVM fuse ``a * b + c``.
"""

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, lower_cast, register_model

LANES = 16

_FLOAT, _INT, _BYTE = ir.FloatType(), ir.IntType(32), ir.IntType(8)
_FLOATS, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)
_FUSE = ("contract",)


class FloatsType(types.Type):
    """Sixteen float32 lanes."""

    def __init__(self) -> None:
        super().__init__(name="Float32x16")

    def can_convert_from(self, typingctx, other):
        return Conversion.safe if isinstance(other, (types.Float, types.Integer)) else None


class LanesType(types.Type):
    """Sixteen truth values, the result of a comparison."""

    def __init__(self) -> None:
        super().__init__(name="Bool16")


floats, lanes = FloatsType(), LanesType()


@register_model(FloatsType)
class _FloatsModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _FLOATS)


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _BITS)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [value] * LANES)


def _splat(builder: Any, scalar: Any) -> Any:
    lane0 = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), scalar, ir.Constant(_INT, 0))
    zeros = ir.Constant(_INTS, [0] * LANES)
    return builder.shuffle_vector(lane0, ir.Constant(_FLOATS, ir.Undefined), zeros)


@lower_cast(types.Float, FloatsType)
@lower_cast(types.Integer, FloatsType)
def _broadcast(context, builder, fromty, toty, value):
    return _splat(builder, context.cast(builder, value, fromty, types.float32))


def _binary(function, emit, argument, result):
    """Teach Numba one operator on vectors; numbers on either side are broadcast."""

    class Template(AbstractTemplate):
        def generic(self, args, kws):
            if any(arg == argument for arg in args):
                return result(*[argument] * len(args))
            return None

    infer_global(function)(Template)  # pyright: ignore[reportOptionalCall]
    arity = (type(argument),) * (1 if function in (operator.neg, operator.invert) else 2)

    @lower_builtin(function, *arity)
    def lower(context, builder, sig, args):
        return emit(builder, *args)


_binary(operator.add, lambda b, x, y: b.fadd(x, y, flags=_FUSE), floats, floats)
_binary(operator.sub, lambda b, x, y: b.fsub(x, y, flags=_FUSE), floats, floats)
_binary(operator.mul, lambda b, x, y: b.fmul(x, y, flags=_FUSE), floats, floats)
_binary(operator.truediv, lambda b, x, y: b.fdiv(x, y), floats, floats)
_binary(operator.neg, lambda b, x: b.fneg(x), floats, floats)
_binary(operator.and_, lambda b, x, y: b.and_(x, y), lanes, lanes)
_binary(operator.or_, lambda b, x, y: b.or_(x, y), lanes, lanes)
_binary(operator.invert, lambda b, x: b.not_(x), lanes, lanes)
for _function, _symbol in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
):
    _binary(_function, lambda b, x, y, s=_symbol: b.fcmp_ordered(s, x, y), floats, lanes)


def _data(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return a pointer to element ``index`` (in elements) of a contiguous array's data."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index], inbounds=True)


@intrinsic
def load(typingctx, array, index):
    """Load 16 consecutive floats of a contiguous float32 array."""

    def codegen(context, builder, sig, args):
        pointer = _data(context, builder, sig.args[0], args[0], args[1])
        return builder.load(builder.bitcast(pointer, _FLOATS.as_pointer()), align=4, typ=_FLOATS)

    return floats(array, types.uintp), codegen


@intrinsic
def store(typingctx, array, index, value):
    """Store 16 consecutive floats into a contiguous float32 array."""

    def codegen(context, builder, sig, args):
        pointer = _data(context, builder, sig.args[0], args[0], args[1])
        builder.store(args[2], builder.bitcast(pointer, _FLOATS.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.uintp, floats), codegen


@intrinsic
def load_until(typingctx, array, index, end):
    """Load 16 consecutive floats; those at ``end`` and beyond are not read, and zero."""

    def codegen(context, builder, sig, args):
        return _masked_load(context, builder, sig.args[0], *args)

    return floats(array, types.uintp, types.uintp), codegen


@intrinsic
def store_until(typingctx, array, index, end, value):
    """Store 16 consecutive floats, but for those at ``end`` and beyond."""

    def codegen(context, builder, sig, args):
        pointer, inside = _masked(context, builder, sig.args[0], *args[:3])
        kind = ir.FunctionType(ir.VoidType(), [_FLOATS, pointer.type, _INT, _BITS])
        function = cgutils.get_or_insert_function(
            builder.module, kind, "llvm.masked.store.v16f32.p0"
        )
        builder.call(function, [args[3], pointer, ir.Constant(_INT, 4), inside])
        return context.get_dummy_value()

    return types.void(array, types.uintp, types.uintp, floats), codegen


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for an element's cache line ahead of its use."""

    def codegen(context, builder, sig, args):
        pointer = builder.bitcast(_data(context, builder, sig.args[0], *args), _BYTE.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _INT, _INT, _INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # to read, to keep in every cache, data
        builder.call(function, [pointer] + [ir.Constant(_INT, value) for value in (0, 3, 1)])
        return context.get_dummy_value()

    return types.void(array, types.uintp), codegen


def _pick(builder: Any, sources: list, picks: list[tuple[int, int]]) -> Any:
    """Return the vector whose lanes are the picked (source, lane) of other vectors."""
    result = sources[picks[0][0]]
    for number, source in enumerate(sources):
        # a source at a time: its lanes move to their places, those already in place stay
        lanes_of = [
            LANES + lane if number == held else (place if number > 0 else 0)
            for place, (held, lane) in enumerate(picks)
        ]
        result = builder.shuffle_vector(result, source, ir.Constant(_INTS, lanes_of))
    return result


@intrinsic
def gather(typingctx, array, index, stride):
    """Load every ``stride``-th of the floats from ``index`` on, 16 of them."""

    def codegen(context, builder, sig, args):
        result = ir.Constant(_FLOATS, ir.Undefined)
        for lane in range(LANES):
            step = builder.mul(args[2], ir.Constant(args[2].type, lane))
            pointer = _data(context, builder, sig.args[0], args[0], builder.add(args[1], step))
            result = builder.insert_element(result, builder.load(pointer), ir.Constant(_INT, lane))
        return result

    return floats(array, types.uintp, types.uintp), codegen


def _load_rows(width: int):
    @intrinsic
    def load_rows(typingctx, array, first):
        """Return the columns of 16 rows, the first of which is given; zeros past the end."""

        def codegen(context, builder, sig, args):
            size = context.make_array(sig.args[0])(context, builder, args[0]).nitems
            start = builder.mul(args[1], ir.Constant(args[1].type, width))
            rows = []
            for number in range(width):
                index = builder.add(start, ir.Constant(start.type, number * LANES))
                rows.append(_masked_load(context, builder, sig.args[0], args[0], index, size))
            columns = [
                _pick(builder, rows, [divmod(lane * width + c, LANES) for lane in range(LANES)])
                for c in range(width)
            ]
            return context.make_tuple(builder, sig.return_type, columns)

        return types.UniTuple(floats, width)(array, types.uintp), codegen

    return load_rows


load_rows1, load_rows3, load_rows4 = _load_rows(1), _load_rows(3), _load_rows(4)


def _masked(
    context: Any, builder: Any, kind: Any, array: Any, index: Any, size: Any
) -> tuple[Any, Any]:
    """Return a pointer to 16 floats, and which of them come before ``size``."""
    wide = ir.VectorType(index.type, LANES)
    left = builder.insert_element(
        ir.Constant(wide, ir.Undefined), builder.sub(size, index), ir.Constant(_INT, 0)
    )
    left = builder.shuffle_vector(
        left, ir.Constant(wide, ir.Undefined), ir.Constant(_INTS, [0] * LANES)
    )
    inside = builder.icmp_signed("<", ir.Constant(wide, list(range(LANES))), left)
    data = _data(context, builder, kind, array, index)
    return builder.bitcast(data, _FLOATS.as_pointer()), inside


def _masked_load(context: Any, builder: Any, kind: Any, array: Any, index: Any, size: Any) -> Any:
    """Load 16 floats, zeros for those at ``size`` and beyond."""
    pointer, inside = _masked(context, builder, kind, array, index, size)
    signature = ir.FunctionType(_FLOATS, [pointer.type, _INT, _BITS, _FLOATS])
    name = "llvm.masked.load.v16f32.p0"
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    return builder.call(function, [pointer, ir.Constant(_INT, 4), inside, _constant(0.0)])


@intrinsic
def store_rows(typingctx, array, first, columns):
    """Store a tuple of columns as 16 rows, the first of which is given."""

    def codegen(context, builder, sig, args):
        vectors = cgutils.unpack_tuple(builder, args[2])
        width = len(vectors)
        start = builder.mul(args[1], ir.Constant(args[1].type, width))
        for number in range(width):
            flat = range(number * LANES, (number + 1) * LANES)
            row = _pick(builder, vectors, [(k % width, k // width) for k in flat])
            index = builder.add(start, ir.Constant(start.type, number * LANES))
            pointer = _data(context, builder, sig.args[0], args[0], index)
            builder.store(row, builder.bitcast(pointer, _FLOATS.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.uintp, columns), codegen


@intrinsic
def scatter(typingctx, array, index, stride, value):
    """Store 16 lanes as every ``stride``-th of the floats from ``index`` on."""

    def codegen(context, builder, sig, args):
        array_value, index_value, stride_value, vector = args
        for lane in range(LANES):
            step = builder.mul(stride_value, ir.Constant(stride_value.type, lane))
            place = builder.add(index_value, step)
            scalar = builder.extract_element(vector, ir.Constant(_INT, lane))
            builder.store(scalar, _data(context, builder, sig.args[0], array_value, place))
        return context.get_dummy_value()

    return types.void(array, types.uintp, types.uintp, floats), codegen


@intrinsic
def claim(typingctx, counter):
    """Take the next number from a shared int64 counter; no two threads get the same."""

    def codegen(context, builder, sig, args):
        index = ir.Constant(ir.IntType(64), 0)
        pointer = _data(context, builder, sig.args[0], args[0], index)
        return builder.atomic_rmw("add", pointer, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), codegen


@intrinsic
def claim_many(typingctx, counter, number):
    """Take the next so many numbers from a shared int64 counter; return the first of them."""

    def codegen(context, builder, sig, args):
        index = ir.Constant(ir.IntType(64), 0)
        pointer = _data(context, builder, sig.args[0], args[0], index)
        return builder.atomic_rmw("add", pointer, args[1], "monotonic")

    return types.uintp(counter, types.uintp), codegen


@intrinsic
def broadcast(typingctx, scalar):
    """Copy a number into all 16 lanes."""

    def codegen(context, builder, sig, args):
        return _splat(builder, args[0])

    return floats(types.float32), codegen


@intrinsic
def column_of_lane(typingctx):
    """Return lane % 4: lanes are the pixels of a 4x4 block, row by row."""

    def codegen(context, builder, sig, args):
        return ir.Constant(_FLOATS, [float(lane % 4) for lane in range(LANES)])

    return floats(), codegen


@intrinsic
def row_of_lane(typingctx):
    """Return lane // 4."""

    def codegen(context, builder, sig, args):
        return ir.Constant(_FLOATS, [float(lane // 4) for lane in range(LANES)])

    return floats(), codegen


@intrinsic
def where(typingctx, condition, yes, no):
    """Choose lane by lane."""

    def codegen(context, builder, sig, args):
        return builder.select(*args)

    return floats(lanes, floats, floats), codegen


def _choose(builder: Any, symbol: str, x: Any, y: Any) -> Any:
    return builder.select(builder.fcmp_ordered(symbol, x, y), x, y)


@intrinsic
def minimum(typingctx, x, y):
    """Return the smaller lanes; ``y`` where a lane is NaN."""

    def codegen(context, builder, sig, args):
        return _choose(builder, "<", *args)

    return floats(floats, floats), codegen


@intrinsic
def maximum(typingctx, x, y):
    """Return the larger lanes; ``y`` where a lane is NaN."""

    def codegen(context, builder, sig, args):
        return _choose(builder, ">", *args)

    return floats(floats, floats), codegen


def _unary_llvm(name: str):
    def codegen(context, builder, sig, args):
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_FLOATS, [_FLOATS]), f"llvm.{name}.v16f32"
        )
        return builder.call(function, args)

    return codegen


@intrinsic
def sqrt(typingctx, x):
    """Return the square root."""
    return floats(floats), _unary_llvm("sqrt")


@intrinsic
def floor(typingctx, x):
    """Round towards minus infinity."""
    return floats(floats), _unary_llvm("floor")


@intrinsic
def bits(typingctx, condition):
    """Return the 16 truth values as the low bits of a uint32, lane 0 lowest."""

    def codegen(context, builder, sig, args):
        return builder.zext(builder.bitcast(args[0], ir.IntType(16)), _INT)

    return types.uint32(lanes), codegen


@intrinsic
def lowest_bit(typingctx, word):
    """Return the position of the lowest set bit of a non-zero uint64."""

    def codegen(context, builder, sig, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), codegen


# 2^f on [-0.5, 0.5], minimax in relative error (own Remez fit): within 8e-8.
_EXP2 = (1.00000007, 0.69314697, 0.2402212, 0.05550713, 0.00967554, 0.00132765)
_ROUNDER = 12582912.0  # 1.5 * 2^23: adding it leaves round(x) in the low mantissa bits


@intrinsic
def exp2(typingctx, x):
    """Return 2^x within 5e-7 relative for x in [-126, 126]."""

    def codegen(context, builder, sig, args):
        shifted = builder.fadd(args[0], _constant(_ROUNDER))
        fraction = builder.fsub(args[0], builder.fsub(shifted, _constant(_ROUNDER)))
        result = _constant(_EXP2[-1])
        for coefficient in _EXP2[-2::-1]:
            product = builder.fmul(result, fraction, flags=_FUSE)
            result = builder.fadd(product, _constant(coefficient), flags=_FUSE)
        exponent = builder.shl(builder.bitcast(shifted, _INTS), ir.Constant(_INTS, [23] * LANES))
        return builder.bitcast(builder.add(builder.bitcast(result, _INTS), exponent), _FLOATS)

    return floats(floats), codegen


@intrinsic
def exponent_and_mantissa(typingctx, x):
    """Split a positive normal x into e (as float) and m in [2/3, 4/3): x = m 2^e."""

    def codegen(context, builder, sig, args):
        def ints(value):
            return ir.Constant(_INTS, [value] * LANES)

        two_thirds = ints(0x3F2AAAAB)
        word = builder.bitcast(args[0], _INTS)
        exponent = builder.ashr(builder.sub(word, two_thirds), ints(23))
        mantissa = builder.sub(word, builder.shl(exponent, ints(23)))
        pair = [builder.sitofp(exponent, _FLOATS), builder.bitcast(mantissa, _FLOATS)]
        return context.make_tuple(builder, sig.return_type, pair)

    return types.UniTuple(floats, 2)(floats), codegen


def _fold(builder: Any, x: Any, y: Any, width: int) -> Any:
    """Add the halves of every ``width`` lanes of x and y; x's sums come first."""
    half, low = width // 2, []
    for source in (0, LANES):
        low += [source + s + k for s in range(0, LANES, width) for k in range(half)]
    high = [index + half for index in low]
    parts = [builder.shuffle_vector(x, y, ir.Constant(_INTS, index)) for index in (low, high)]
    return builder.fadd(*parts)


@intrinsic
def sums(typingctx, vectors):
    """Return the lane sums of up to 16 vectors (a tuple), one per lane, the rest zero.

    A tree of 15 shuffled additions instead of 16 horizontal sums.
    """

    def codegen(context, builder, sig, args):
        items = cgutils.unpack_tuple(builder, args[0])
        items += [_constant(0.0)] * (LANES - len(items))
        width = LANES
        while len(items) > 1:
            items = [
                _fold(builder, items[k], items[k + len(items) // 2], width)
                for k in range(len(items) // 2)
            ]
            width //= 2
        order = _lane_order(LANES)
        undefined = ir.Constant(_FLOATS, ir.Undefined)
        return builder.shuffle_vector(items[0], undefined, ir.Constant(_INTS, order))

    return floats(vectors), codegen


def _lane_order(count: int) -> list[int]:
    """Return which lane of the folded tree holds the sum of which vector."""
    held = [[(k, lane) for lane in range(LANES)] for k in range(count)]
    width = LANES
    while len(held) > 1:
        half = width // 2
        picks = [s + k for s in range(0, LANES, width) for k in range(half)]
        held = [
            [held[k][p] for p in picks] + [held[k + len(held) // 2][p] for p in picks]
            for k in range(len(held) // 2)
        ]
        width = half
    vectors = [vector for vector, _ in held[0]]
    return [vectors.index(k) for k in range(count)]


@intrinsic
def lane_sum(typingctx, vector):
    """Add up the lanes of one vector, as a tree."""

    def codegen(context, builder, sig, args):
        signature = ir.FunctionType(_FLOAT, [_FLOAT, _FLOATS])
        name = "llvm.vector.reduce.fadd.v16f32"
        function = cgutils.get_or_insert_function(builder.module, signature, name)
        return builder.call(function, [ir.Constant(_FLOAT, 0.0), args[0]], fastmath=("reassoc",))

    return types.float32(vector), codegen
