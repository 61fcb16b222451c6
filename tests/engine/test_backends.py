"""What every backend promises, each promise tested on every cell and every backend that accepts the call."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.calls import ALL, BATCH, INPUT, STEPS, differentiate, leaves, make_call, one_by_one, part
from tests.tolerance import assert_close, assert_equal

from elman.engine import BACKENDS
from elman.engine.reference import scan
from elman.engine.vendor import KERNELS

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")

NO_RESET = {"torch"}
"""The backends that refuse resets. Remove a name when that changes: a test below notices."""

LENGTHS = torch.tensor([3, 0, 6, 1])
LENGTHS_MAY_BE_IN_ANY_ORDER = [LENGTHS, LENGTHS.flip(0), torch.tensor([6, 6, 6, 2])]


KNOWN_TO_TORCH = [name for name, cell in ALL.items() if any(cell == known for known in KERNELS)]
PAIRS = [
    *((name, "native") for name in ALL),
    *((name, "torch") for name in KNOWN_TO_TORCH),
    *((name, "reference") for name in (*KNOWN_TO_TORCH, "all-at-once")),  # its loop does not know the cell
]


TWICE = (*KNOWN_TO_TORCH, "slstm", "lru", "all-at-once")
"""The cells whose second derivatives are checked by the reference; the native engine's are for all of them."""


@pytest.fixture(scope="session", params=PAIRS, ids="-".join)
def pair(request):
    """A cell's name, some of them as options make them, and the name of a backend that runs it."""
    return request.param


@pytest.fixture(scope="session")
def name(pair):
    """The name of a cell."""
    return pair[0]


@pytest.fixture(scope="session")
def backend(pair):
    """A backend."""
    return BACKENDS[pair[1]]


@pytest.fixture(scope="session", params=[1, 2], ids=["one direction", "both directions"])
def directions(request):
    return request.param


@st.composite
def unequal_batches(draw):
    """Lengths and resets of a small batch."""
    steps, batch = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    lengths = draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    reset = draw(st.lists(st.lists(st.booleans(), min_size=batch, max_size=batch), min_size=steps, max_size=steps))
    return torch.tensor(lengths), torch.tensor(reset)


@settings(max_examples=12, derandomize=True)
@given(extent=unequal_batches())
def test_rows_and_segments_are_computed_as_if_alone(name, backend, directions, extent):
    lengths, reset = extent
    call = make_call(name, directions, steps=len(reset), batch=len(lengths), lengths=lengths)
    if backend.name not in NO_RESET:
        call = replace(call, reset=reset)
    expected = differentiate(call, lambda call: one_by_one(call, backend.run))
    assert_close(differentiate(call, backend.run), expected)


def test_only_the_named_backends_refuse_resets(name, backend):
    call = make_call(name, reset=torch.zeros(STEPS, BATCH, dtype=torch.bool))
    assert (backend.refuses(call) is not None) == (backend.name in NO_RESET)


@pytest.mark.parametrize("lengths", LENGTHS_MAY_BE_IN_ANY_ORDER, ids=str)
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30])
def test_what_the_padding_holds_reaches_neither_values_nor_gradients(name, backend, directions, lengths, garbage):
    call = make_call(name, directions, lengths=lengths)
    padding = torch.arange(STEPS)[:, None] >= lengths
    dirty = call.input.detach().masked_fill(padding[..., None], garbage).requires_grad_()
    output, state, gradients = differentiate(replace(call, input=dirty), backend.run)
    assert_equal((output, state, gradients), differentiate(call, backend.run))
    assert not output[padding].any()
    assert not gradients[0][padding].any()


def test_a_row_without_steps_ends_in_its_initial_state(name, backend, directions):
    call = make_call(name, directions, lengths=LENGTHS)
    output, state = backend.run(call)
    assert not output[:, 1].any()
    for final, initial in zip(state, call.state, strict=True):
        assert_equal(final[:, 1], initial[:, 1])


def test_a_batch_without_any_step_is_still_differentiable(name, backend, directions):
    call = make_call(name, directions, lengths=torch.zeros(BATCH, dtype=torch.int64))
    output, state = backend.run(call)
    assert output.shape == (STEPS, BATCH, directions * 5)
    assert not output.any()
    assert_equal(state, call.state)
    output.sum().backward()
    assert all(leaf.grad is not None and not leaf.grad.any() for leaf in leaves(call))


def flipped(call, weights):
    """Weights with masks in the other order of time."""
    each_step = {mask.name: getattr(weights, mask.name).flip(0) for mask in call.cell.masks if mask.each_step}
    return weights._replace(**each_step)


def test_the_reverse_direction_is_the_forward_one_read_backwards(name, backend):
    call = make_call(name, 2)
    output, state = backend.run(call)
    reverse = replace(
        call,
        weights=(flipped(call, call.weights[1]),),
        input=call.input.flip(0),
        state=tuple(tensor[1:] for tensor in call.state),
    )
    mirrored, final = backend.run(reverse)
    assert_close(output[..., 5:], mirrored.flip(0))
    assert_close(tuple(tensor[1:] for tensor in state), final)


@pytest.mark.parametrize("at", range(1, STEPS))
def test_split_anywhere_with_the_state_carried_it_is_the_whole(name, backend, at):
    call = make_call(name)

    def in_two(call):
        first, carried = backend.run(part(call, slice(0, at)))
        second, state = backend.run(part(call, slice(at, None), state=carried))
        return torch.cat([first, second]), state

    assert_close(differentiate(call, in_two), differentiate(call, backend.run))


def test_no_output_depends_on_a_later_input(name, backend):
    call = make_call(name)
    output, _ = backend.run(call)
    (gradient,) = torch.autograd.grad(output[2].sum(), call.input)
    assert gradient[: 2 + 1].flatten(1).any(1).all()
    assert not gradient[3:].any()
    later = torch.cat([call.input[:3], torch.randn_like(call.input[3:])])
    assert_equal(backend.run(replace(call, input=later))[0][:3], output[:3])


def test_a_row_does_not_depend_on_its_neighbours(name, backend, directions):
    call = make_call(name, directions, lengths=LENGTHS)
    others = call.input.detach().clone()
    others[:, 1:] = float("nan")
    output, state = backend.run(call)
    beside_others, state_beside_others = backend.run(replace(call, input=others))
    assert_equal(beside_others[:, 0], output[:, 0])
    assert_equal([tensor[:, 0] for tensor in state_beside_others], [tensor[:, 0] for tensor in state])


def test_a_sequence_without_time_is_refused_as_torch_refuses_it(name, backend):
    for lengths in (None, torch.zeros(BATCH, dtype=torch.int64)):
        call = make_call(name, steps=0, lengths=lengths)
        with pytest.raises(RuntimeError, match="Expected sequence length to be larger than 0 in RNN"):
            backend.run(call)


def test_a_batch_without_rows_gives_one_without_rows(name, backend):
    call = make_call(name, 2, batch=0)
    output, state = backend.run(call)
    assert output.shape == (STEPS, 0, 10)
    assert all(tensor.shape == (2, 0, 5) for tensor in state)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("extent", ["padded", "lengths", "packed"])
@pytest.mark.parametrize("kind", KNOWN_TO_TORCH)
def test_torch_equals_the_reference(kind, directions, bias, extent):
    """Values and gradients."""
    assert_close(*both(with_extent(make_call(kind, directions, bias=bias), extent)))


@pytest.mark.parametrize("extent", ["padded", "lengths", "packed"])
@pytest.mark.parametrize("projection", [0, 2])
def test_torch_equals_the_reference_for_each_kernel_of_lstm(directions, extent, projection):
    """In float32 it is oneDNN's; with a projection it is ATen's."""
    call = make_call("lstm", directions, projection=projection, dtype=torch.float32)
    assert_close(*both(with_extent(call, extent)))


def with_extent(call, extent):
    if extent == "lengths":
        return replace(call, lengths=torch.tensor([2, 0, 5, 5]))
    if extent == "packed":
        batch_sizes = torch.tensor([4, 4, 2, 2, 1])
        data = torch.randn(int(batch_sizes.sum()), INPUT, dtype=call.input.dtype, requires_grad=True)
        return replace(call, input=data, batch_sizes=batch_sizes)
    return call


def both(call):
    return [differentiate(call, BACKENDS[backend].run) for backend in ("torch", "reference")]


@pytest.mark.parametrize(("kind", "projection"), [*((name, 0) for name in TWICE), ("lstm", 2)])
def test_the_reference_differentiates_twice(kind, directions, projection):
    call = make_call(kind, directions, steps=3, batch=2, projection=projection, lengths=torch.tensor([2, 3]))
    call = replace(call, reset=torch.tensor([[False, False], [True, False], [False, True]]))

    def function(input, *rest):
        state, flat = rest[: len(call.state)], iter(rest[len(call.state) :])
        weights = tuple(
            call.cell.bundle(t if t is None or not t.requires_grad else next(flat) for t in w) for w in call.weights
        )
        output, final = BACKENDS["reference"].run(replace(call, input=input, state=state, weights=weights))
        return output, *final

    assert torch.autograd.gradcheck(function, leaves(call), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, leaves(call), fast_mode=True)


def assert_close_in_bfloat16(output, expected):
    """Sums are rounded as large as their terms are: within 3 % of the largest output, or of one."""
    error, size = (output.float() - expected).detach().abs().max(), expected.detach().abs().max()
    assert error <= 0.03 * max(1.0, float(size))


@pytest.mark.parametrize("kind", ALL)
def test_the_reference_runs_in_bfloat16(kind, directions):
    call = make_call(kind, directions, dtype=torch.float32, lengths=LENGTHS)

    def low(value):
        return value.detach().to(torch.bfloat16)

    small = replace(
        call,
        input=low(call.input),
        state=tuple(low(tensor) for tensor in call.state),
        weights=tuple(call.cell.bundle(None if t is None else low(t) for t in w) for w in call.weights),
    )
    output, _ = BACKENDS["reference"].run(small)
    assert output.dtype == torch.bfloat16
    assert_close_in_bfloat16(output, BACKENDS["reference"].run(call)[0])


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["padded", "lengths"])
def test_autocast_runs_and_differentiates(name, backend, lengths):
    call = make_call(name, 2, dtype=torch.float32, lengths=lengths)
    with torch.autocast("cpu", torch.bfloat16):
        output, state = backend.run(call)
    assert_close_in_bfloat16(output, backend.run(call)[0])
    (output.float().sum() + sum(tensor.float().sum() for tensor in state)).backward()
    assert call.input.grad.isfinite().all()


def test_scan_takes_a_cell_over_time_in_either_direction():
    """The reference's own loop, spelt out by hand."""
    call = make_call("gru")
    weights, state = call.weights[0], tuple(tensor[0] for tensor in call.state)
    for reverse in (False, True):
        h, expected = state, [None] * STEPS
        for t in reversed(range(STEPS)) if reverse else range(STEPS):
            h = call.cell.step(weights.project(call.input[t]), h, weights)
            expected[t] = h[0]
        output, final = scan(call.cell, weights, call.input, state, reverse=reverse)
        assert_close((output, final), (torch.stack(expected), h))
