"""Cases for `standalone.cpp`, the engine without Python: what to run, and what must come of it.

It knows the order of arrays in the file; expected values are torch's and the reference's.
"""

from collections.abc import Iterator

import torch
from tests.engine.native.test_operations import SHAPES, tile
from tests.engine.program import cells, runs
from tests.engine.program.runs import LENGTHS, Run

from elman.engine.program.operations import OPERATIONS

LARGE = {"HIDDEN": 70, "INPUT": 33, "BATCH": 21}
OPERATION, PRODUCT, LAYER = range(3)


def write(path, monkeypatch):
    """All cases into one file: of each array the number of its numbers (int64), then the numbers (float64)."""
    with path.open("wb") as file:
        for values in _all(monkeypatch):
            array = torch.as_tensor(values, dtype=torch.float64).detach().flatten()
            file.write(torch.tensor([len(array)]).numpy().tobytes() + array.contiguous().numpy().tobytes())


def _all(monkeypatch) -> Iterator:
    for name in OPERATIONS:
        for shape in SHAPES:
            yield from _operation(name, *shape)
    for rows, k, columns in [(1, 1, 1), (3, 16, 17), (7, 50, 33), (8, 257, 100), (13, 3, 130), (31, 20, 64)]:
        for transposed, pairs in ((False, False), (True, False), (True, True)):
            a, b = torch.randn(rows, k, dtype=torch.float64), torch.randn(k, columns, dtype=torch.float64)
            yield from ([PRODUCT], [rows, k, columns, transposed, pairs], a, b.T if transposed else b)
            yield _rounded(a) @ _rounded(b) if pairs else a @ b
    for name in cells.ALL:
        for reverse in (False, True):
            yield from _layer(Run(name, lengths=LENGTHS, reset=True, reverse=reverse))
        yield from _layer(Run(name, lengths=LENGTHS, reset=True), pairs=3e-5)
    yield from _layer(Run("lstm", projection=3))
    for module in (cells, runs):
        for name in LARGE.keys() & vars(module).keys():
            monkeypatch.setattr(module, name, LARGE[name])
    for name in ("lstm", "gru"):
        yield from _layer(Run(name), pairs=1e-3)  # where one is rounded the other way, as float32 is not float64
        yield from _layer(Run(name))


def _arrays(values) -> Iterator:
    values = list(values)
    yield [len(values)]
    yield from values


def _operation(name, rows, columns) -> Iterator:
    args, immediates, out, expected = tile(name, torch.float64, rows, columns)
    k0, k1 = (*immediates, 0.0, 0.0)[:2]
    yield from ([OPERATION], [OPERATIONS[name].code, k0, k1, rows, columns])
    yield from _arrays([out, *args])
    yield expected


def _rounded(value):
    return value.bfloat16().double()


def _expected(run, compiled, pairs):
    """Output, final state and gradients; the emulator's, where both sides of products are rounded."""
    if not pairs:
        return run.output, run.final, run.expected()
    emulator = run.emulator(compiled, rounded=_rounded)
    return *run.forward(emulator), run.backward(emulator)


def _layer(run, *, pairs=0.0) -> Iterator:
    """One layer: rows sorted by length, arrays of real steps only, as the runtime takes them.

    `pairs`: how far results may be where products are of bfloat16; 0 where they are not.
    """
    steps, batch, inputs = run.inputs.shape
    lengths = torch.full((batch,), steps) if run.lengths is None else run.lengths
    order = lengths.argsort(descending=True, stable=True)
    real = torch.arange(steps)[:, None] < lengths[order]

    def packed(tensor):
        return tensor[:, order][real]

    def by_row(tensors):
        return _arrays(tensor[order] for tensor in tensors)

    compiled = run.compile()
    output, final, (d_inputs, *rest) = _expected(run, compiled, pairs)
    yield from ([LAYER], [steps, batch, inputs, run.reverse, pairs], lengths[order])
    yield [] if run.fresh is None else run.fresh[:, order]
    for program in (compiled.training, compiled.inference, compiled.backward):
        yield from (program.ints, program.reals)
    yield from _arrays(getattr(run.weights, name) for name in compiled.parameters)
    yield from by_row(run.extras[name] for name in compiled.extras)
    yield packed(run.inputs)
    yield from by_row(run.state)
    yield packed(run.d_output)
    yield from by_row(run.d_final)
    yield packed(output)
    yield from by_row(final)
    yield packed(d_inputs)
    yield from by_row(rest[: len(run.state)])
    yield from _arrays(rest[len(run.state) :])
