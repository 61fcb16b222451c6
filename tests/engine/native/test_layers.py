"""The native backend equals the reference: whole calls, awkward sizes, both dtypes, every instruction set."""

from dataclasses import replace

import pytest
import torch
from tests.engine import calls
from tests.engine.calls import ALL, differentiate, leaves, make_call, part
from tests.tolerance import assert_close, assert_equal

import elman
from elman.cells import Cell
from elman.engine.native import Native
from elman.engine.reference import Reference

NATIVE, REFERENCE = Native(), Reference()
LENGTHS = torch.tensor([3, 6, 0, 1])
RESET = torch.rand(6, 4, generator=torch.Generator().manual_seed(3)) < 0.3
OPTIONS = {
    "plain": {},
    "both directions": {"directions": 2},
    "without bias": {"bias": False},
    "lengths": {"directions": 2, "lengths": LENGTHS},
    "resets": {"directions": 2, "reset": RESET},
    "lengths and resets": {"directions": 2, "lengths": LENGTHS, "reset": RESET},
    "one row": {"batch": 1},
    "one step": {"steps": 1, "directions": 2},
    "many rows": {"batch": 40},
}
SIZES = [
    (1, 1, 1, 3),
    (3, 2, 5, 4),
    (50, 7, 2, 4),
    (100, 64, 13, 3),
    (250, 33, 8, 3),
    (257, 100, 17, 2),
    (64, 64, 40, 3),
]
NAMES = tuple(ALL)


def assert_near(found, expected):
    """Within 1e-5 of the largest value of each tensor, in float32; exactly as elsewhere in float64."""
    if isinstance(expected, torch.Tensor) and expected.dtype == torch.float32:
        scale = expected.abs().max().clamp(min=1e-3) if expected.numel() else torch.tensor(1.0)
        torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=2e-5)
    elif isinstance(expected, torch.Tensor):
        assert_close(found, expected)
    else:
        for one, other in zip(found, expected, strict=True):
            assert_near(one, other)


def assert_same(call):
    assert NATIVE.refuses(call) is None
    assert_near(differentiate(call, NATIVE.run), differentiate(call, REFERENCE.run))
    with torch.no_grad():
        assert_near(NATIVE.run(call), REFERENCE.run(call))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_reference(name, options, dtype):
    assert_same(make_call(name, dtype=dtype, **OPTIONS[options]))


@pytest.mark.parametrize("batch", [1, 20])
@pytest.mark.parametrize("name", NAMES)
def test_frozen_weights(name, batch):
    """Only the input and the state are differentiated by; a lone row's input may be multiplied beforehand."""
    call = make_call(name, directions=2, batch=batch, lengths=torch.arange(batch) % 6 + 1)
    for weight in call.flat_weights:
        weight.requires_grad_(False)
    assert_same(call)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("name", NAMES)
def test_steps_taken_together(name, batch, monkeypatch):
    """A few rows' steps are taken 32 rows at a time, here three times or more: the same bits as one by one."""
    monkeypatch.setattr(calls, "HIDDEN", 70)
    steps = 100 // batch
    call = make_call(name, batch=batch, steps=steps, dtype=torch.float32)
    state, outputs = call.state, []
    with torch.no_grad():
        whole, final = NATIVE.run(call)
        for step in range(steps):
            output, state = NATIVE.run(part(call, slice(step, step + 1), state=state))
            outputs.append(output)
    assert_equal(whole, torch.cat(outputs))
    assert_equal(final, state)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("rows", [1, 3, 9])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_steps_taken_together(name, rows, monkeypatch):
    """In both directions, with lengths by which few rows are left in the end, and with a reset in the middle."""
    monkeypatch.setattr(calls, "HIDDEN", 20)
    steps = 40 if rows < 9 else 13
    reset = torch.zeros(steps, rows, dtype=torch.bool)
    reset[5] = True
    for options in ({}, {"lengths": torch.arange(rows, 0, -1) * steps // rows}, {"reset": reset}):
        assert_same(make_call(name, directions=2, batch=rows, steps=steps, **options))


def test_projection():
    assert_same(make_call("lstm", projection=3, directions=2, lengths=LENGTHS))


def test_packed_data():
    padded = make_call("gru", directions=2, batch=3)
    sizes = torch.tensor([3, 3, 2, 1])
    data = torch.randn(9, calls.INPUT, dtype=torch.float64, requires_grad=True)
    assert_same(replace(padded, input=data, batch_sizes=sizes))


@pytest.mark.parametrize("known", [{}, {"lengths": LENGTHS}], ids=["full", "lengths"])
def test_one_input_for_all_steps_and_rows(known):
    call = make_call("gru", directions=2, **known)
    assert_same(replace(call, input=call.input.detach()[:1, :1].expand_as(call.input)))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "gru-reset-before", "lru", "all-at-once"])
def test_awkward_sizes(name, size, instruction_set, monkeypatch):
    hidden, inputs, batch, steps = size
    if hidden == 1 and name == "all-at-once":
        pytest.skip("the norm of a single number is rounding alone")
    monkeypatch.setattr(calls, "HIDDEN", hidden)
    monkeypatch.setattr(calls, "INPUT", inputs)
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(0, steps + 1, (batch,), generator=generator)
    reset = torch.rand(steps, batch, generator=generator) < 0.2
    for dtype in (torch.float64, torch.float32):
        assert_same(make_call(name, directions=2, batch=batch, steps=steps, dtype=dtype))
        assert_same(make_call(name, directions=2, batch=batch, steps=steps, dtype=dtype, lengths=lengths, reset=reset))


@pytest.mark.parametrize("batch", range(1, 41))
def test_every_number_of_rows(batch, monkeypatch):
    monkeypatch.setattr(calls, "HIDDEN", 70)
    assert_same(make_call("lstm", batch=batch, steps=3, dtype=torch.float32))


@pytest.mark.parametrize("name", NAMES)
def test_backward_works_twice(name):
    call = make_call(name, directions=2, lengths=LENGTHS)
    output, _ = NATIVE.run(call)
    first = torch.autograd.grad(output.sum(), leaves(call), retain_graph=True, materialize_grads=True)
    assert_equal(torch.autograd.grad(output.sum(), leaves(call), materialize_grads=True), first)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gradient_penalty(name, frozen):
    """The gradient that arrives was computed from the very output, and so from the input that is asked for again."""

    def twice(run):
        call = make_call(name, directions=2, lengths=LENGTHS)
        for weight in call.flat_weights:
            weight.requires_grad_(weight.requires_grad and not frozen)
        first = torch.autograd.grad(run(call)[0].square().sum(), call.input, create_graph=True)[0]
        return torch.autograd.grad(first.square().sum(), leaves(call), materialize_grads=True)

    assert_near(twice(NATIVE.run), twice(REFERENCE.run))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_a_row_does_not_depend_on_its_neighbours(name, threads, instruction_set, monkeypatch):
    """Bit for bit, however many rows and threads there are, and so however the work is cut."""
    monkeypatch.setattr(calls, "HIDDEN", 100)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    call = make_call(name, batch=23, steps=4, dtype=torch.float32)
    with torch.no_grad():
        together, _ = NATIVE.run(call)
        for rows in ([4], [7, 22, 3], list(range(8)), list(range(11)), list(range(16))):
            assert_equal(NATIVE.run(part(call, rows=rows))[0], together[:, rows])


@pytest.mark.usefixtures("threads")
def test_a_row_does_not_depend_on_its_neighbours_where_weights_are_cut_into_slices():
    """Weights that no second-level cache holds are multiplied with in shorter slices if threads share columns."""
    layer, x = elman.LSTM(640, 640), torch.randn(3, 40, 640)
    with torch.no_grad():
        together = layer(x)[0]
        for rows in (4, 20):
            assert_equal(layer(x[:, :rows].contiguous())[0], together[:, :rows])


def test_results_are_the_same_every_time():
    call = make_call("gru", batch=16, steps=20, directions=2)
    first = differentiate(call, NATIVE.run)
    for _ in range(5):
        assert_equal(differentiate(call, NATIVE.run), first)


def test_only_what_is_asked_for_gets_a_gradient():
    call = make_call("lstm")
    fixed = replace(
        call,
        input=call.input.detach(),
        weights=tuple(call.cell.bundle(t if t is None else t.detach() for t in w) for w in call.weights),
    )
    output, _ = NATIVE.run(fixed)
    (found,) = torch.autograd.grad(output.sum(), [fixed.state[0]])
    expected, _ = REFERENCE.run(fixed)
    assert_close(found, torch.autograd.grad(expected.sum(), [fixed.state[0]])[0])


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_weight_alone_gets_its_gradient(name):
    call = make_call(name, directions=2)
    every = leaves(call)
    for chosen in every:
        for leaf in every:
            leaf.requires_grad_(leaf is chosen)
        assert_close(*(torch.autograd.grad(run(call)[0].sin().sum(), [chosen]) for run in (NATIVE.run, REFERENCE.run)))


def test_a_nan_is_seen():
    call = make_call("lstm")
    with torch.no_grad():
        call.input[2, 1, 0] = torch.nan
        output, _ = NATIVE.run(call)
    assert not output[:2].isnan().any()
    assert output[2:, 1].isnan().all()
    assert not output[:, 0].isnan().any()


@pytest.mark.parametrize("options", ["plain", "both directions", "lengths", "one row", "one step"])
def test_gradients_of_a_sum_have_one_row_for_all(options):
    call = make_call("gru", **OPTIONS[options])
    found = torch.autograd.grad(NATIVE.run(call)[0].sum(), leaves(call), materialize_grads=True)
    expected = torch.autograd.grad(REFERENCE.run(call)[0].sum(), leaves(call), materialize_grads=True)
    assert_close(found, expected)


@pytest.mark.parametrize("options", ["plain", "lengths"])
def test_gradients_that_are_the_same_at_every_step_differ_between_rows(options):
    call = make_call("gru", **OPTIONS[options])
    call = replace(call, input=call.input.detach()[:1].expand_as(call.input).requires_grad_())
    output, expected = NATIVE.run(call)[0], REFERENCE.run(call)[0]
    weights = torch.randn_like(output[0])  # its gradient is a tensor whose time steps lie at one place
    found = torch.autograd.grad((output.sum(0) * weights).sum(), leaves(call), materialize_grads=True)
    assert_close(found, torch.autograd.grad((expected.sum(0) * weights).sum(), leaves(call), materialize_grads=True))


@pytest.mark.parametrize("batch", [1, 3])
def test_an_input_whose_memory_is_gone_is_refused(batch):
    layer, x = elman.GRU(5, 16), torch.randn(6, batch, 5)
    output, _ = layer(x)
    x.untyped_storage().resize_(0)  # which counts no version
    with pytest.raises(ValueError, match="The input, of which gradients of weights are made, is missing"):
        output.sum().backward()


class TwiceMultiplied(Cell):
    """Two gradients of products, and so two blocks of them, add to that of one matrix."""

    gates = ("g",)
    states = ("h",)

    def step(self, projected, state, weights):
        return (torch.tanh(projected + weights.multiply(torch.tanh(weights.recurrent(state[0])))),)


@pytest.mark.parametrize("size", [(10, 99), (20, 51)], ids=["threads share blocks", "threads share steps"])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_one_matrix_by_two_threads(size, bias, monkeypatch):
    """Of a matrix of an odd half, too; `parameter_gradients.cpp` says from which sizes on threads share what."""
    steps, hidden = size
    monkeypatch.setitem(ALL, "twice", TwiceMultiplied())
    monkeypatch.setattr(calls, "HIDDEN", hidden)
    monkeypatch.setattr(calls, "INPUT", 2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for name in ("twice", "rnn"):
            assert_same(make_call(name, batch=10 if name == "twice" else 20, steps=steps, bias=bias))
    finally:
        torch.set_num_threads(before)
