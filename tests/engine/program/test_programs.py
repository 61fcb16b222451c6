"""The encoded programs, run by the emulator, equal the reference: every cell, value and gradient."""

import pytest
import torch
from tests.engine.program.cells import ALL
from tests.engine.program.runs import LENGTHS, Run
from tests.tolerance import assert_close, assert_equal

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
