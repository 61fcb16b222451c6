"""A bad call fails with the type and the words that torch.nn fails with; torch itself is asked which those are."""

from contextlib import nullcontext

import pytest
import torch
from tests.layers.pairs import CELL_LAYERS, LAYERS, pair
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from elman.engine import backend

ok = torch.zeros(5, 3, 4)
row = torch.zeros(5, 4)
packed = pack_sequence([torch.zeros(5, 4), torch.zeros(2, 4)])


def h(*shape):
    return torch.zeros(shape)


# What is given to a GRU or RNN, 2 layers, 4 -> 6.
BAD_CALLS = {
    "a vector": (torch.zeros(4),),
    "four dimensions": (torch.zeros(1, 5, 3, 4),),
    "wrong features": (torch.zeros(5, 3, 7),),
    "wrong features, unbatched": (torch.zeros(5, 7),),
    "wrong dtype": (ok.double(),),
    "integers": (ok.long(),),
    "no time": (torch.zeros(0, 3, 4),),
    "state of another batch": (ok, h(2, 4, 6)),
    "state of another depth": (ok, h(1, 3, 6)),
    "state of another size": (ok, h(2, 3, 5)),
    "state without a batch": (ok, h(2, 6)),
    "batched state for one sequence": (row, h(2, 1, 6)),
    "wrong state for one sequence": (row, h(2, 5)),
    "packed, state of another batch": (packed, h(2, 3, 6)),
    "a tuple for a state": (ok, (h(2, 3, 6), h(2, 3, 6))),
}
BAD_LSTM_CALLS = {
    "state of another batch": (ok, (h(2, 4, 6), h(2, 4, 6))),
    "cell state of another batch": (ok, (h(2, 3, 6), h(2, 4, 6))),
    "cell state of another size": (ok, (h(2, 3, 6), h(2, 3, 5))),
    "state without a batch": (ok, (h(2, 6), h(2, 6))),
    "cell state without a batch": (ok, (h(2, 3, 6), h(2, 6))),
    "batched state for one sequence": (row, (h(2, 1, 6), h(2, 1, 6))),
    "wrong state for one sequence": (row, (h(2, 6), h(2, 5))),
    "three states": (ok, (h(2, 3, 6), h(2, 3, 6), h(2, 3, 6))),
    "h alone": (ok, h(2, 3, 6)),
    "h alone, one layer deep": (ok, h(1, 3, 6)),
}
INPUT_ONLY = {key: arguments for key, arguments in BAD_CALLS.items() if len(arguments) == 1}
CASES = [
    (name, key)
    for name in LAYERS
    for key in (INPUT_ONLY | BAD_LSTM_CALLS if name.startswith("lstm") else BAD_CALLS)
    if not (name == "lstm-projected" and key in BAD_LSTM_CALLS and "size" not in key)
]


def assert_same_failure(ours, theirs, arguments):
    with pytest.raises(Exception) as expected:
        theirs(*arguments)
    for way in (backend("torch"), nullcontext(), torch.no_grad()):
        with pytest.raises(expected.type) as actual, way:
            ours(*arguments)
        ours_said, torchs = str(actual.value), str(expected.value)
        assert ours_said == torchs or ours_said.startswith(f"{torchs}; ")


@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_bad_call_fails_as_torchs_does(name, key, batch_first):
    arguments = (INPUT_ONLY | BAD_LSTM_CALLS if name.startswith("lstm") else BAD_CALLS)[key]
    if batch_first:
        arguments = [value.transpose(0, 1) if value is ok else value for value in arguments]
    if key == "no time":
        arguments = (torch.zeros((3, 0, 4) if batch_first else (0, 3, 4)),)
    assert_same_failure(*pair(name, 4, 6, 2, batch_first=batch_first), arguments)


@pytest.mark.parametrize("name", LAYERS)
def test_a_packed_sequence_is_checked_too(name):
    """torch.nn.LSTM computes something from input of any width, and meets a wrong state somewhere inside."""
    ours, _ = pair(name, 4, 6, 2)
    with pytest.raises(RuntimeError, match=r"input.size\(-1\) must be equal to input_size. Expected 4, got 7"):
        ours(pack_sequence([torch.zeros(5, 7)]))
    hx = (h(2, 2, ours.proj_size or 6), h(2, 3, 6)) if name.startswith("lstm") else h(2, 3, 6)
    with pytest.raises(RuntimeError, match=r"Expected hidden(\[1\])? size \(2, 2, 6\), got \[2, 3, 6\]"):
        ours(packed, hx)


BAD_CELL_CALLS = {
    "three dimensions": (torch.zeros(5, 3, 4),),
    "no dimension": (torch.zeros(()),),
    "wrong features": (torch.zeros(3, 7),),
    "wrong dtype": (torch.zeros(3, 4).double(),),
    "state of three dimensions": (torch.zeros(3, 4), h(1, 3, 6)),
    "state of another batch": (torch.zeros(3, 4), h(2, 6)),
    "state of another size": (torch.zeros(3, 4), h(3, 5)),
}


@pytest.mark.parametrize("key", BAD_CELL_CALLS)
@pytest.mark.parametrize("name", CELL_LAYERS)
def test_a_bad_call_of_a_cell_fails_as_torchs_does(name, key):
    given, *state = BAD_CELL_CALLS[key]
    hx = [(state[0], state[0]) if name == "lstm" else state[0]] if state else []
    assert_same_failure(*pair(name, 4, 6, table=CELL_LAYERS), (given, *hx))


@pytest.mark.parametrize("hx", [h(3, 6), h(2, 3, 6), (h(3, 6),)], ids=["h", "both in one", "a tuple of one"])
def test_an_lstm_cell_is_given_a_tuple_of_two(hx):
    """Of three rows, and of the two that could be taken for h and c."""
    assert_same_failure(*pair("lstm", 4, 6, table=CELL_LAYERS), (torch.zeros(3, 4), hx))


def test_an_unknown_nonlinearity_of_a_cell_fails_when_it_is_called():
    assert_same_failure(*pair("rnn", 4, 6, table={"rnn": (*CELL_LAYERS["rnn"][:2], {"nonlinearity": "id"})}), (row,))


def test_autocast_accepts_another_dtype_as_torch_does():
    ours, theirs = pair("rnn", 4, 6)
    with torch.autocast("cpu", torch.bfloat16):
        theirs(ok.bfloat16())
        ours(ok.bfloat16())


def test_a_state_of_another_batch_is_told_how_to_become_one_of_this():
    layer = LAYERS["gru"][0](4, 6)
    for rows, message in (
        (1, "one row's state serves 3 rows as"),
        (5, "select those of the state"),
        (2, "append zeros"),
    ):
        with pytest.raises(RuntimeError, match=f"Expected hidden size .*; .*{message}"):
            layer(ok, h(1, rows, 6))


def test_a_cell_refuses_three_states():
    for way in (nullcontext(), torch.no_grad()):
        with way, pytest.raises(RuntimeError, match="expects two hidden states"):
            CELL_LAYERS["lstm"][0](4, 6)(torch.zeros(3, 4), (h(3, 6), h(3, 6), h(3, 6)))


@pytest.mark.parametrize("columns", [2, 6])
@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_weights_of_another_width_are_refused(name, columns):
    """Put there by hand, as when a model gets more features."""
    layer, cell = LAYERS[name][0](4, 6), CELL_LAYERS[name][0](4, 6)
    layer.weight_ih_l0 = torch.nn.Parameter(torch.zeros(len(layer.weight_ih_l0), columns))
    cell.weight_ih.data = torch.zeros(len(cell.weight_ih), columns)
    for module, given in ((layer, ok), (cell, ok[0])):
        for way in (backend("torch"), nullcontext(), torch.no_grad()):
            with way, pytest.raises(RuntimeError, match="the input has 4 features, but its weights have the shape"):
                module(given)


@pytest.mark.native
@pytest.mark.parametrize("sizes", [[3, 3, 3], [2], [1, 2, 3]], ids=str)
def test_a_packed_sequence_that_does_not_add_up_is_refused(sizes):
    with pytest.raises(ValueError, match="must not rise, and must add up to the rows of its data, 6"):
        LAYERS["gru"][0](4, 6)(PackedSequence(torch.zeros(6, 4), torch.tensor(sizes)))
