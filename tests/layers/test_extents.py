"""What torch.nn does not have: lengths of padded rows, resets within a sequence, and `scan`."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.layers.pairs import LAYERS, flat, pair
from tests.tolerance import assert_close, assert_equal
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman.engine import BACKENDS, backend
from elman.layers import GRU, LSTM, RNN

STEPS, BATCH, INPUT, HIDDEN = 5, 3, 4, 6
LENGTHS = [2, 5, 4]

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")


@pytest.fixture(autouse=True, params=BACKENDS)
def forced(request):
    """Hold for every backend."""
    with backend(request.param):
        yield request.param


@pytest.fixture
def resets(forced):
    """A backend that accepts resets."""
    with backend("reference" if forced == "torch" else forced):
        yield


def padded(*, batch_first=False):
    torch.manual_seed(1)
    value = torch.randn(STEPS, BATCH, INPUT)
    return value.transpose(0, 1) if batch_first else value


@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
@pytest.mark.parametrize("name", LAYERS)
def test_lengths_compute_what_packing_computes(name, batch_first):
    ours, theirs = pair(name, INPUT, HIDDEN, 2, bidirectional=True, batch_first=batch_first)
    value = padded(batch_first=batch_first)
    packed, state = theirs(pack_padded_sequence(value, LENGTHS, batch_first, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first)
    assert_close(flat(ours(value, lengths=LENGTHS)), flat((expected, state)))


@settings(max_examples=10, derandomize=True)
@given(lengths=st.lists(st.integers(0, STEPS), min_size=1, max_size=4))
def test_each_row_is_computed_as_if_alone_and_full(lengths):
    for name, (layer, _, options) in LAYERS.items():
        ours = layer(INPUT, HIDDEN, bidirectional=True, dtype=torch.float64, **options)
        value = torch.randn(STEPS, len(lengths), INPUT, dtype=torch.float64)
        output, state = ours(value, lengths=lengths)
        for row, length in enumerate(lengths):
            assert not output[length:, row].any(), name
            ends = [tensor[:, row] for tensor in flat(state)]
            if length:
                alone, end = ours(value[:length, row])
                assert_close([output[:length, row], *ends], [alone, *flat(end)])
            else:
                assert not torch.cat(ends, -1).any()


@pytest.mark.parametrize(
    "lengths",
    [
        tuple(LENGTHS),
        torch.tensor(LENGTHS),
        torch.tensor(LENGTHS, dtype=torch.uint8),
        torch.tensor(LENGTHS, dtype=torch.int32),
        torch.tensor([LENGTHS, LENGTHS]).t()[:, 0],
        [torch.tensor(length) for length in LENGTHS],
    ],
    ids=["tuple", "int64", "uint8", "int32", "strided", "list of tensors"],
)
def test_lengths_may_be_given_in_any_form(lengths):
    layer = LSTM(INPUT, HIDDEN)
    assert_equal(flat(layer(padded(), lengths=lengths)), flat(layer(padded(), lengths=LENGTHS)))


@pytest.mark.parametrize("length", [3, torch.tensor(3), torch.tensor([3]), [3]], ids=["int", "0-d", "1-d", "list"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
def test_one_sequence_has_one_length(length, batch_first):
    layer = GRU(INPUT, HIDDEN, bidirectional=True, batch_first=batch_first)
    sequence = padded()[:, 0]
    output, state = layer(sequence, lengths=length)
    expected, end = layer(sequence[:3])
    assert_close((output[:3], state), (expected, end))
    assert output.shape == (STEPS, 2 * HIDDEN)
    assert not output[3:].any()


def test_full_lengths_compute_the_same_bits_as_none():
    layer = LSTM(INPUT, HIDDEN, 2)
    assert_equal(flat(layer(padded(), lengths=[STEPS] * BATCH)), flat(layer(padded())))


BAD_LENGTHS = [
    ([2, 5], r"one integer for each row of the batch, shape \(3,\), got shape \(2,\)"),
    (4, r"shape \(3,\), got shape \(\)"),
    (torch.ones(3, 1, dtype=torch.int64), r"shape \(3,\), got shape \(3, 1\)"),
    ([2, 6, 4], "between 0 and the input's number of time steps, 5, got 6 for row 1"),
    ([2, 5, -1], "got -1 for row 2"),
    (torch.tensor([2.0, 5.0, 4.0]), r"must be integers, got torch.float32. Convert them"),
    ([True, False, True], "must be integers, got torch.bool"),
    ({2, 5, 4}, "must be integers in a list or a tensor, got a set"),
    ([2, 5, None], "must be integers in a list or a tensor, got a list"),
]


@pytest.mark.parametrize(("lengths", "message"), BAD_LENGTHS, ids=str)
def test_bad_lengths_are_refused_with_the_rule(lengths, message):
    with pytest.raises(ValueError, match=message):
        RNN(INPUT, HIDDEN)(padded(), lengths=lengths)


BAD_RESETS = [
    (torch.zeros(STEPS, BATCH), "must be a bool tensor, got torch.float32. Convert it, for instance: reset.bool"),
    ([[True] * BATCH] * STEPS, "must be a bool tensor, got list"),
    (torch.zeros(BATCH, STEPS, dtype=torch.bool), r"shape without features, \(5, 3\), got \(3, 5\)"),
]


@pytest.mark.parametrize(("reset", "message"), BAD_RESETS, ids=["float", "list", "shape"])
def test_a_bad_reset_is_refused_with_the_rule(reset, message):
    with pytest.raises(ValueError, match=message):
        RNN(INPUT, HIDDEN)(padded(), reset=reset)


@pytest.mark.parametrize("extra", [{"lengths": LENGTHS}, {"reset": torch.zeros(STEPS, BATCH, dtype=torch.bool)}])
def test_a_packed_sequence_takes_neither(extra):
    packed = pack_padded_sequence(padded(), LENGTHS, enforce_sorted=False)
    with pytest.raises(ValueError, match="a PackedSequence carries its own lengths"):
        RNN(INPUT, HIDDEN)(packed, **extra)


@pytest.mark.usefixtures("resets")
@pytest.mark.parametrize("name", LAYERS)
def test_a_reset_starts_the_sequence_anew(name):
    ours, _ = pair(name, INPUT, HIDDEN, 2, bidirectional=True)
    reset = torch.zeros(STEPS, BATCH, dtype=torch.bool)
    reset[2] = True
    output, state = ours(padded(), reset=reset)
    before, _ = ours(padded()[:2])
    after, _ = ours(padded()[2:])
    assert_close(output, torch.cat([before, after]))
    forward = [tensor[::2] for tensor in flat(state)]
    assert_close(forward, [tensor[::2] for tensor in flat(ours(padded()[2:])[1])])


@pytest.mark.usefixtures("resets")
def test_a_reset_at_the_first_step_discards_the_given_state():
    layer, hx = GRU(INPUT, HIDDEN), torch.randn(1, BATCH, HIDDEN)
    reset = torch.zeros(STEPS, BATCH, dtype=torch.bool)
    reset[0, 1] = True
    output, _ = layer(padded(), hx, reset=reset)
    assert_equal(output[:, 1], layer(padded())[0][:, 1])
    assert_equal(output[:, [0, 2]], layer(padded(), hx)[0][:, [0, 2]])


@pytest.mark.usefixtures("resets")
def test_a_reset_follows_the_inputs_own_dimensions():
    value, reset = padded(), torch.rand(STEPS, BATCH) < 0.4
    layer = LSTM(INPUT, HIDDEN, bidirectional=True)
    output, state = layer(value, reset=reset, lengths=LENGTHS)
    layer.batch_first = True
    batched, same = layer(value.transpose(0, 1), reset=reset.t(), lengths=LENGTHS)
    assert_equal(flat((batched.transpose(0, 1), same)), flat((output, state)))
    alone, _ = layer(value[:, 0], reset=reset[:, 0], lengths=LENGTHS[0])
    assert_close(alone, output[:, 0])


@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
@pytest.mark.parametrize("name", LAYERS)
def test_scan_is_forward_with_time_first_and_a_tuple_for_the_state(name, batch_first):
    ours, _ = pair(name, INPUT, HIDDEN, 2, bidirectional=True, batch_first=batch_first)
    value = padded()
    output, state = ours.scan(value, lengths=LENGTHS)
    expected, end = ours(padded(batch_first=batch_first), lengths=LENGTHS)
    assert isinstance(state, tuple)
    assert_equal(flat((output, state)), flat((expected.transpose(0, 1) if batch_first else expected, end)))
    again, _ = ours.scan(value, state)
    assert output.shape == (STEPS, BATCH, ours.output_size)
    assert not torch.equal(again, ours.scan(value)[0])


@pytest.mark.usefixtures("resets")
def test_scan_takes_resets():
    layer, reset = GRU(INPUT, HIDDEN, batch_first=True), torch.rand(STEPS, BATCH) < 0.4
    output, _ = layer.scan(padded(), reset=reset)
    assert_equal(output, layer(padded(batch_first=True), reset=reset.t())[0].transpose(0, 1))


def test_scan_checks_input_and_state():
    layer = LSTM(INPUT, HIDDEN)
    with pytest.raises(RuntimeError, match="input must have 3 dimensions, got 2"):
        layer.scan(padded()[:, 0])
    with pytest.raises(RuntimeError, match=r"Expected state size \(1, 3, 6\), got \[1, 2, 6\]"):
        layer.scan(padded(), (torch.zeros(1, 3, 6), torch.zeros(1, 2, 6)))
    with pytest.raises(RuntimeError, match=r"a state of lstm is a tuple of 2 tensors \(h, c\), got 1"):
        layer.scan(padded(), (torch.zeros(1, 3, 6),))


def test_a_carried_state_continues_a_stream():
    layer, value = LSTM(INPUT, HIDDEN, 2), padded()
    whole, end = layer.scan(value)
    state, parts = None, []
    for step in value.split(1):
        output, state = layer.scan(step, state)
        parts.append(output)
    assert_close((torch.cat(parts), state), (whole, end))


def test_packed_sequences_are_still_packed_sequences():
    packed = pack_padded_sequence(padded(), LENGTHS, enforce_sorted=False)
    assert isinstance(GRU(INPUT, HIDDEN)(packed)[0], PackedSequence)


def test_no_rows_have_no_lengths(forced):
    assert GRU(INPUT, HIDDEN)(torch.zeros(STEPS, 0, INPUT), lengths=[])[0].shape == (STEPS, 0, HIDDEN)


@pytest.mark.parametrize("name", ["lengths", "reset"])
def test_backward_does_not_see_what_a_caller_writes_over_them(name, resets):
    """A loop fills the same buffers for every batch, and may do so before the gradients are taken."""
    layer = GRU(INPUT, HIDDEN)
    given = {"lengths": torch.tensor(LENGTHS), "reset": torch.rand(STEPS, BATCH) < 0.4}[name]
    expected = torch.autograd.grad(layer(padded(), **{name: given})[0].square().sum(), list(layer.parameters()))
    loss = layer(padded(), **{name: given})[0].square().sum()
    given.fill_(1)
    assert_equal(torch.autograd.grad(loss, list(layer.parameters())), expected)
