"""Every operation of a program does on a tile what the compiler's table says."""

import pytest
import torch
from tests.engine.native.conftest import native

from elman.engine.program.operations import ACCUMULATIONS, OPERATIONS, REDUCTIONS

ROW_OPERANDS = {
    "spread": (0,),
    "row_add": (1,),
    "row_mul": (1,),
    "row_fma": (1,),
    "row_norm": (1, 2),
    "row_norm_grad": (2, 3, 4),
    "row_deviation": (1,),
}
IMMEDIATES = {"affine": (1.5, -0.25), "clamp": (-0.5, 0.75), "fill": (0.375,), "inside": (-0.5, 0.75)}
POSITIVE = {"log1p", "log", "sqrt", "rsqrt", "reciprocal", "div"}
TOLERANCE = {torch.float32: (2e-6, 2e-6), torch.float64: (1e-13, 1e-13)}


SHAPES = [(1, 1), (3, 7), (12, 64), (5, 50), (2, 33), (12, 48)]


def tile(name, dtype, rows, columns):
    """Operands of an operation on a tile, its immediates, what its output holds before, and what it must hold then."""
    operation = OPERATIONS[name]
    generator = torch.Generator().manual_seed(operation.code)
    args = [torch.randn(rows, columns, generator=generator, dtype=dtype) for _ in range(operation.arity)]
    for i in ROW_OPERANDS.get(name, ()):
        args[i] = torch.randn(rows, 1, generator=generator, dtype=dtype)
    if name in POSITIVE:
        args = [arg.abs() + 0.1 for arg in args]
    if name in {"select", "above", "equal", "greater", "greater_equal"}:
        args[0] = torch.where(args[0] > 0.5, args[-1], args[0] * (args[0] > 0))
    reduced = {1: columns} if name in ACCUMULATIONS else {0: rows} if name in REDUCTIONS else None
    shape = (rows, columns) if reduced is None else tuple(reduced.values())
    out = (
        torch.full(shape, REDUCTIONS.get(name, 0.0), dtype=dtype)
        if reduced
        else torch.full(shape, torch.nan, dtype=dtype)
    )
    immediates = IMMEDIATES.get(name, ())
    expected = operation.evaluate(*(arg.double() for arg in args), *immediates)
    return args, immediates, out, torch.broadcast_to(expected, out.shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_on_tiles_of_every_width(name, dtype, instruction_set):
    numbers = native.float32 if dtype == torch.float32 else native.float64
    for rows, columns in SHAPES:
        args, immediates, out, expected = tile(name, dtype, rows, columns)
        k0, k1 = (*immediates, 0.0, 0.0)[:2]
        operands = [out.data_ptr(), *(arg.data_ptr() for arg in args)]
        numbers.apply(OPERATIONS[name].code, operands, k0, k1, rows, columns)
        rtol, atol = TOLERANCE[dtype]
        torch.testing.assert_close(out.double(), expected, rtol=rtol, atol=atol * max(rows, columns) ** 0.5)


@pytest.mark.parametrize(
    "name",
    ["relu", "nearest", "expm1", "log1p", "atan", "maximum", "minimum", "clamp", "add", "tanh", "sigmoid", "exp"],
)
def test_nan_passes_on(name, instruction_set):
    operation = OPERATIONS[name]
    for at in range(operation.arity):
        args = [torch.ones(40) for _ in range(operation.arity)]
        args[at][:] = torch.nan
        out = torch.zeros(40)
        native.float32.apply(operation.code, [out.data_ptr(), *(a.data_ptr() for a in args)], -1, 1, 1, 40)
        assert out.isnan().all()


def test_the_largest_of_a_row_with_nan_is_nan(instruction_set):
    for column in (0, 5, 39):
        row, out = torch.ones(40), torch.full((1,), -torch.inf)
        row[column] = torch.nan
        native.float32.apply(OPERATIONS["row_largest"].code, [out.data_ptr(), row.data_ptr()], 0, 0, 1, 40)
        assert out.isnan().all()
