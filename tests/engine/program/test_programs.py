"""The encoded programs, run by the emulator, equal the reference: every cell, value and gradient."""

import pytest
import torch
from tests.engine.program.cells import ALL
from tests.engine.program.runs import LENGTHS, Run
from tests.tolerance import assert_close, assert_equal

from elman.engine.program.compile import compile_cell
from elman.engine.program.emulate import Emulator

PROJECTED = ("lstm", "rnn", "peephole-lstm", "LayerNormLSTM")
CASES = [*((name, 0) for name in ALL), *((name, 5) for name in PROJECTED)]


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("irregular", [False, True], ids=["full", "lengths and resets"])
@pytest.mark.parametrize(("name", "projection"), CASES)
def test_programs_equal_the_reference(name, projection, irregular, reverse):
    run = Run(name, projection, lengths=LENGTHS if irregular else None, reset=irregular, reverse=reverse)
    emulator = run.emulator()
    assert_close(run.forward(emulator), (run.output, run.final))
    assert_close(run.backward(emulator, overlay=True), run.expected())
    assert_close(run.forward(emulator, keep=False), (run.output, run.final))


@pytest.mark.parametrize("name", ALL)
def test_backward_works_twice_if_gradients_get_memory_of_their_own(name):
    run = Run(name)
    emulator = run.emulator()
    run.forward(emulator)
    first = run.backward(emulator, overlay=False)
    assert_equal(run.backward(emulator, overlay=False), first)
    assert_equal(run.backward(emulator, overlay=True), first)


@pytest.mark.parametrize("name", ["lstm", "LayerNormLSTM", "gru-reset-before"])
def test_the_width_of_tiles_does_not_matter(name):
    run = Run(name)
    for tile in (1, 8, 64):
        emulator = run.emulator(tile=tile)
        assert_close(run.forward(emulator), (run.output, run.final))
        assert_close(run.backward(emulator), run.expected())


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "gru-reset-before", "LayerNormLSTM"])
def test_without_biases(name):
    run = Run(name, bias=False) if name != "mgu" else None
    emulator = run.emulator()
    assert_close(run.forward(emulator), (run.output, run.final))
    assert_close(run.backward(emulator), run.expected())


@pytest.mark.parametrize("name", ["lstm", "gru", "slstm"])
def test_gradients_may_arrive_at_every_state_and_be_told_for_every_state(name):
    """Against the reference with the states of every step as leaves of their own."""
    run = Run(name)
    count = len(run.state)
    emulator = run.emulator(run.compile(every_state=True, adjoints=True))
    run.forward(emulator)
    arriving = {k: torch.randn(5, 4, run.state[k].shape[1], dtype=torch.float64) for k in range(1, count)}
    found = emulator.backward(run.d_output, run.d_final, d_states=arriving)

    state, histories = run.state, [[] for _ in range(count)]
    for t in range(5):
        state = run.cell.step(run.weights.project(run.inputs[t]), state, run.weights)
        for history, tensor in zip(histories, state, strict=True):
            tensor.retain_grad()
            history.append(tensor)
    incoming = {0: run.d_output, **arriving}
    loss = sum((histories[k][t] * incoming[k][t]).sum() for k in range(count) for t in range(5))
    loss = loss + sum((tensor * d).sum() for tensor, d in zip(state, run.d_final, strict=True))
    loss.backward()
    assert_close(found.input, run.inputs.grad)
    for k in range(count):
        assert_close(found.adjoints[k], torch.stack([tensor.grad for tensor in histories[k]]))


def test_all_rows_may_be_empty():
    run = Run("lstm", lengths=torch.zeros(4, dtype=torch.int64))
    emulator = run.emulator()
    output, final = run.forward(emulator)
    assert_equal(output, torch.zeros_like(run.output))
    assert_equal(final, tuple(tensor.detach() for tensor in run.state))
    assert_equal(run.backward(emulator)[1:3], list(run.d_final))


@pytest.mark.parametrize("name", ["mingru", "sru", "lru", "lstm"])
def test_gates_may_be_given_instead_of_the_input(name):
    run = Run(name, lengths=LENGTHS, reset=True)
    weights = run.cell.bundle([None, run.weights.hh, None, *run.weights[3:]])
    projected = run.cell.project(run.inputs, run.weights).detach().requires_grad_()
    parts = projected.detach().chunk(len(run.cell.gates), -1)
    extras = {f"gate {gate}": part for gate, part in zip(run.cell.gates, parts, strict=True)}
    compiled = compile_cell(run.cell, weights, given=8)
    detached = run.cell.bundle([None if t is None else t.detach() for t in weights])
    emulator = Emulator(compiled, detached, tile=3, extras=extras)
    assert_close(run.forward(emulator), (run.output, run.final))
    found = emulator.backward(run.d_output, run.d_final)
    steps = [run.cell.bundle([w if k not in {0, 2} else None for k, w in enumerate(run.weights)])]
    state, outputs = run.state, []
    real = torch.arange(5)[:, None, None] < LENGTHS[:, None]
    for t in range(5):
        state = tuple(torch.where(run.fresh[t][:, None], torch.zeros_like(s), s) for s in state)
        after = run.cell.step(projected[t], state, steps[0])
        outputs.append(torch.where(real[t], after[0], 0))
        state = tuple(torch.where(real[t], new, old) for new, old in zip(after, state, strict=True))
    pairs = zip((torch.stack(outputs), *state), (run.d_output, *run.d_final), strict=True)
    sum((value * d).sum() for value, d in pairs).backward()
    gates = torch.cat([found.gates[f"gate {gate}"] for gate in run.cell.gates], -1)
    assert_close(gates.masked_fill(~real, 0), projected.grad)
