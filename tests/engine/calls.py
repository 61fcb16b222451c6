"""Calls to test the engine with: small, random, and the slow and obvious way to compute them."""

from dataclasses import replace
from itertools import pairwise

import torch

from elman.cells import CELLS, Weights
from elman.engine import Call

STEPS, BATCH, INPUT, HIDDEN = 6, 4, 3, 5


def make_weights(cell, layers=1, directions=1, *, bias=True, projection=0, dtype=torch.float64, requires_grad=False):
    """Random weights of a stack, as `Call` takes them."""
    rows, output = len(cell.gates) * HIDDEN, projection or HIDDEN

    def random(*shape):
        return (torch.randn(*shape, dtype=torch.float64) / shape[-1] ** 0.5).to(dtype).requires_grad_(requires_grad)

    def one(size):
        return Weights(
            random(rows, size),
            random(rows, output),
            random(rows) if bias else None,
            random(rows) if bias else None,
            random(projection, HIDDEN) if projection else None,
        )

    sizes = [INPUT] + [output * directions] * (layers - 1)
    return tuple(tuple(one(size) for _ in range(directions)) for size in sizes)


def make_call(name="lstm", layers=1, directions=1, *, steps=STEPS, batch=BATCH, projection=0, seed=0, **options):
    """A call of random weights, input and state, all of which take part in differentiation."""
    torch.manual_seed(seed)
    cell, dtype = CELLS[name], options.pop("dtype", torch.float64)
    weights = make_weights(
        cell, layers, directions, bias=options.pop("bias", True), projection=projection, dtype=dtype, requires_grad=True
    )
    inputs = torch.randn(steps, batch, INPUT, dtype=dtype, requires_grad=True)
    state = tuple(
        torch.randn(layers * directions, batch, size, dtype=dtype, requires_grad=True)
        for size in cell.state_sizes(HIDDEN, projection)
    )
    return Call(cell, weights, inputs, state, **options)


def leaves(call):
    """The tensors that a call can be differentiated by."""
    return [call.input, *call.state, *call.flat_weights]


def differentiate(call, run):
    """Output, final state, and the gradients of a fixed random weighting of both by all leaves."""
    output, state = run(call)
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (value * torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value.dtype)).sum()
        for value in (output, *state)
    )
    gradients = torch.autograd.grad(loss, leaves(call), materialize_grads=True)
    return output.detach(), [tensor.detach() for tensor in state], gradients


def one_by_one(call, run):
    """The meaning of `lengths` and `reset`, spelt out: each segment of each row runs alone, without either.

    The forward directions begin with the given state in the row's first segment unless it is reset, and end in its
    last; the reverse directions begin with it in the last, and end in the first.
    """
    steps, batch = call.input.shape[:2]
    lengths = [steps] * batch if call.lengths is None else call.lengths.tolist()
    outputs, finals = [], []
    for row, length in enumerate(lengths):
        starts = [] if call.reset is None else call.reset[:length, row].nonzero().flatten().tolist()
        output, final = _one_row(call, run, row, length, starts)
        outputs.append(torch.cat([output, output.new_zeros(steps - length, output.shape[-1])]))
        finals.append(final)
    state = tuple(torch.cat(tensors, 1) for tensors in zip(*finals, strict=True))
    return torch.stack(outputs, 1), state


def _one_row(call, run, row, length, starts):
    given = tuple(tensor[:, row : row + 1] for tensor in call.state)
    forward = torch.tensor([k % call.directions == 0 for k in range(len(given[0]))])[:, None, None]
    width = sum(weights.hh.shape[1] for weights in call.weights[-1])
    outputs, final = [call.input.new_zeros(0, width)], given
    for begin, end in pairwise(sorted({0, *starts, length})):
        first, last = begin == 0, end == length
        kept_forward, kept_reverse = first and 0 not in starts, last
        initial = tuple(torch.where(forward, tensor * kept_forward, tensor * kept_reverse) for tensor in given)
        segment = replace(call, input=call.input[begin:end, row : row + 1], state=initial, lengths=None, reset=None)
        output, ended = run(segment)
        outputs.append(output[:, 0])
        final = tuple(
            torch.where(forward, new if last else old, new if first else old)
            for new, old in zip(ended, final, strict=True)
        )
    return torch.cat(outputs), final
