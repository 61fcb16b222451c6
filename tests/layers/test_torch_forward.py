"""The layers compute what torch.nn's compute, bit for bit where torch's kernels run, values and gradients."""

import pytest
import torch
from tests.layers.pairs import CELL_LAYERS, LAYERS, flat, pair
from tests.tolerance import assert_close, assert_equal
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from elman.engine import backend

STEPS, BATCH, INPUT, HIDDEN = 5, 3, 4, 6

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")


def make_input(form, *, batch_first=False, dtype=None):
    torch.manual_seed(1)
    if form == "unbatched":
        return torch.randn(STEPS, INPUT, dtype=dtype, requires_grad=True)
    data = torch.randn(*((BATCH, STEPS) if batch_first else (STEPS, BATCH)), INPUT, dtype=dtype, requires_grad=True)
    if form == "packed":
        return pack_padded_sequence(data, [5, 4, 2], batch_first)
    if form == "packed in any order":
        return pack_padded_sequence(data, [2, 5, 4], batch_first, enforce_sorted=False)
    return data


def make_state(layer, *, batched, dtype):
    depth, output = layer.num_layers * (1 + layer.bidirectional), layer.proj_size or layer.hidden_size
    torch.manual_seed(2)
    rows = (BATCH,) if batched else ()
    h, c = (torch.randn(depth, *rows, size, dtype=dtype, requires_grad=True) for size in (output, HIDDEN))
    return (h, c) if layer.mode == "LSTM" else h


def differentiate(layer, given, hx):
    """Everything that comes out of a call under a fixed seed, and the gradients of all of it."""
    torch.manual_seed(3)
    out = layer(given, hx)
    values = [tensor for tensor in flat(out) if tensor.is_floating_point()]
    leaves = [*layer.parameters(), *(tensor for tensor in flat((given, hx)) if tensor.requires_grad)]
    loss = sum((value * torch.linspace(-1, 1, value.numel()).view(value.shape)).sum() for value in values)
    return out, torch.autograd.grad(loss, leaves)


@pytest.mark.parametrize("form", ["padded", "unbatched", "packed", "packed in any order"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "both directions"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_equals_torchs(name, layers, bidirectional, batch_first, form):
    # float32 is where oneDNN runs LSTM; its set-up takes 0.1 s for each new shape, so not everywhere.
    dtype = torch.float32 if layers == 2 else torch.float64
    given = make_input(form, batch_first=batch_first, dtype=dtype)
    for bias, dropout, given_state, training in [
        (True, 0.0, False, True),
        (False, 0.0, True, False),
        (True, 0.5, True, True),
    ]:
        options = {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional, "dtype": dtype}
        ours, theirs = pair(name, INPUT, HIDDEN, layers, dropout=dropout if layers > 1 else 0.0, **options)
        hx = make_state(theirs, batched=form != "unbatched", dtype=dtype) if given_state else None
        expected = differentiate(theirs.train(training), given, hx)
        with backend("torch"):
            actual = differentiate(ours.train(training), given, hx)
        assert_equal(flat(actual), flat(expected))
        assert [tensor.stride() for tensor in flat(actual[0])] == [tensor.stride() for tensor in flat(expected[0])]
        if ours.dropout == 0:  # which torch draws for its own kernels alone
            with backend("reference"):
                assert_close(flat(differentiate(ours, given, hx)), flat(expected))


@pytest.mark.parametrize("name", LAYERS)
def test_a_packed_sequence_comes_back_in_the_callers_order(name):
    ours, _ = pair(name, INPUT, HIDDEN)
    given = make_input("packed in any order")
    output, _ = ours(given)
    assert isinstance(output, PackedSequence)
    assert output.sorted_indices is given.sorted_indices
    assert output.unsorted_indices is given.unsorted_indices
    assert output.batch_sizes is given.batch_sizes


@pytest.mark.parametrize("name", LAYERS)
def test_float64_and_autocast_equal_torchs(name):
    ours, theirs = pair(name, INPUT, HIDDEN, 2, bidirectional=True)
    given = make_input("padded")
    with backend("torch"), torch.autocast("cpu", torch.bfloat16):
        assert_equal(flat(ours(given)), flat(theirs(given)))
    with backend("torch"):
        assert_equal(flat(ours.double()(given.double())), flat(theirs.double()(given.double())))


@pytest.mark.parametrize("given_state", [False, True], ids=["no state", "state"])
@pytest.mark.parametrize("batched", [False, True], ids=["unbatched", "batched"])
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("name", CELL_LAYERS)
def test_a_cell_equals_torchs(name, bias, batched, given_state):
    ours, theirs = pair(name, INPUT, HIDDEN, table=CELL_LAYERS, bias=bias)
    rows = (BATCH,) if batched else ()
    given = torch.randn(*rows, INPUT, requires_grad=True)
    state = [torch.randn(*rows, HIDDEN, requires_grad=True) for _ in range(1 + (name == "lstm"))]
    hx = (tuple(state) if name == "lstm" else state[0]) if given_state else None
    expected = differentiate(theirs, given, hx)
    with backend("torch"):
        actual = differentiate(ours, given, hx)
    assert_equal(flat(actual), flat(expected))
    assert type(actual[0]) is type(expected[0])
    with backend("reference"):
        assert_close(flat(differentiate(ours, given, hx)), flat(expected))
