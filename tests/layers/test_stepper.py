"""A stepper takes the steps that the layer takes, one at a time and in place."""

import copy
import pickle
import threading

import pytest
import torch
from tests.tolerance import assert_close, assert_equal

import elman
from elman.cells import CELLS
from elman.errors import ElmanError, UsageError

KINDS = {
    "lstm": lambda **options: elman.LSTM(3, 5, **options),
    "projected lstm": lambda **options: elman.LSTM(3, 5, proj_size=2, **options),
    "gru": lambda **options: elman.GRU(3, 5, **options),
    "rnn": lambda **options: elman.RNN(3, 5, **options),
    "relu": lambda **options: elman.RNN(3, 5, nonlinearity="relu", **options),
}
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")


@pytest.fixture(params=["native", "torch", "reference"])
def backend(request):
    with elman.backend(request.param):
        yield request.param


def flat(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("batch", [1, 4, 50])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_the_layer(kind, layers, batch, backend):
    if backend == "torch" and kind == "projected lstm":
        pytest.skip("torch has no kernel for one step of it")
    layer = KINDS[kind](num_layers=layers)
    x = torch.randn(6, batch, 3)
    stepper = layer.stepper(batch)
    with torch.no_grad():
        output, state = layer(x)
    assert_close(torch.stack([stepper(each).clone() for each in x]), output)
    assert_close(flat(stepper.state), flat(state))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("cell", ["lstm", "gru-reset-before", "mgu"])
def test_it_equals_the_reference_where_steps_visit_columns_in_turn_from_either_end(cell):
    """Of several tiles of columns, the last one narrow; weights are too large for the first-level cache."""
    layer, x = elman.Recurrent(cell, 170, 330), torch.randn(5, 1, 170)
    stepper = layer.stepper()
    with torch.no_grad(), elman.backend("reference"):
        output, state = layer(x)
    assert_close(torch.stack([stepper(each).clone() for each in x]), output)
    assert_close(flat(stepper.state), flat(state))
    with elman.backend("native"):
        assert_close(layer(x)[0], output)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("options", [{}, {"residual": True}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_goes_on_by_itself(kind, options, copied, backend):
    if backend == "torch" and kind == "projected lstm":
        pytest.skip("torch has no kernel for one step of it")
    layer = KINDS[kind](num_layers=2, **options)
    x = torch.randn(9, 1, 3)
    with torch.no_grad():
        before, state = layer(x[:3])
        ways = [layer(part, state)[0] for part in (x[3:6], x[6:])]
    first = layer.stepper()
    found = torch.stack([first(each).clone() for each in x[:3]])
    assert_close(found, before)
    second = copied(first)
    both = [[stepper(part[t]).clone() for stepper, part in ((first, x[3:6]), (second, x[6:]))] for t in range(3)]
    for way, steps in zip(ways, zip(*both, strict=True), strict=True):
        assert_close(torch.stack(steps), way)
    second.reset()
    assert_close(second(x[0]), before[0])


def test_a_stepper_is_not_pickled():
    with pytest.raises(TypeError, match="cannot be pickled; save its state"):
        pickle.dumps(elman.GRU(3, 5).stepper())


def test_torch_refuses_one_step_with_a_projection():
    with elman.backend("torch"), pytest.raises(ElmanError, match="no kernel for a single step with a projection"):
        KINDS["projected lstm"]().stepper()


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_can_be_saved_moved_and_reset(kind):
    layer = KINDS[kind](num_layers=2)
    x = torch.randn(8, 1, 3)
    first, second = layer.stepper(), layer.stepper()
    for each in x[:4]:
        first(each)
    saved = first.state
    rest = [first(each).clone() for each in x[4:]]
    second.state = saved
    assert_equal([second(each).clone() for each in x[4:]], rest)
    first.reset()
    assert not any(tensor.any() for tensor in flat(first.state))
    first.state = saved
    assert_equal([first(each).clone() for each in x[4:]], rest)
    with torch.no_grad():
        _, state = layer(x[:4])
    assert_close(flat(saved), flat(state))


@pytest.mark.parametrize("rows", [[2, 0], torch.tensor([0, 2]), torch.tensor([True, False, True]), [True, False, True]])
@pytest.mark.parametrize("learn_state", [False, True])
def test_some_rows_begin_anew(rows, learn_state, backend):
    layer, x = elman.LSTM(3, 5, 2, learn_state=learn_state), torch.randn(8, 3, 3)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.startswith("initial"):
                parameter.normal_()
        whole = [layer(part)[0] for part in (x, x[4:])]
    stepper = layer.stepper(3)
    found = []
    for t, each in enumerate(x):
        if t == 4:
            stepper.reset(rows)
        found.append(stepper(each).clone())
    found = torch.stack(found)
    assert_close(found[:, 1], whole[0][:, 1])
    assert_close(found[4:, [0, 2]], whole[1][:, [0, 2]])
    stepper.reset([])
    assert_close(flat(stepper.state)[0][-1], found[-1])


@pytest.mark.parametrize("rows", [[3], [-1], [True], torch.tensor([[0]]), torch.tensor([0.5]), 1])
def test_rows_that_are_none_are_told(rows):
    with pytest.raises(ValueError, match="rows of this stepper are a mask of 3 bools, or numbers from 0 to 2, got"):
        elman.GRU(3, 5).stepper(3).reset(rows)


def test_it_says_what_it_is():
    assert repr(elman.LSTM(3, 5, 2).stepper(4)) == "Stepper(lstm, 3, 5, num_layers=2, batch=4, weights=torch.float32)"
    assert repr(elman.LSTM(3, 5, proj_size=2).stepper()).startswith("Stepper(lstm, 3, 5, num_layers=1,")
    assert repr(elman.Recurrent("mgu", 3, (5, 7)).stepper(weights=torch.int8)) == (
        "Stepper(mgu, 3, (5, 7), num_layers=2, batch=1, weights=torch.int8)"
    )


def test_it_begins_where_a_layer_ended():
    layer, x = elman.LSTM(3, 5, 2), torch.randn(9, 4, 3)
    with torch.no_grad():
        whole, _ = layer(x)
        _, state = layer(x[:5])
    stepper = layer.stepper(4)
    stepper.state = state
    assert_close(torch.stack([stepper(each).clone() for each in x[5:]]), whole[5:])


def test_it_writes_over_its_output_and_records_nothing():
    layer = elman.GRU(3, 5)
    stepper = layer.stepper()
    x = torch.randn(1, 3, requires_grad=True)
    first = stepper(x)
    assert not first.requires_grad
    assert stepper(x) is first
    assert not stepper.state.requires_grad


def test_any_memory_layout_is_taken():
    x = torch.randn(3, 2)
    layer = elman.GRU(3, 5)
    stepper, other = layer.stepper(2), layer.stepper(2)
    assert_equal(stepper(x.t()), other(x.t().contiguous()))


def test_it_keeps_the_weights_of_its_making(backend):
    layer, x = elman.GRU(3, 5), torch.randn(1, 3)
    stepper, untouched = layer.stepper(), layer.stepper()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    assert_equal(stepper(x), untouched(x))
    assert stepper(x).any()


def test_steppers_of_one_layer_serve_many_threads():
    layer, x = elman.LSTM(3, 64), torch.randn(200, 1, 3)
    alone = layer.stepper()
    expected = torch.stack([alone(each).clone() for each in x])
    found = [None] * 4

    def serve(number):
        stepper = layer.stepper()
        found[number] = torch.stack([stepper(each).clone() for each in x])

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found:
        assert_equal(each, expected)


def test_wrong_input_is_refused_in_one_sentence():
    stepper = elman.LSTM(3, 5, 2).stepper(2)
    for wrong in (torch.randn(1, 3), torch.randn(2, 4), torch.randn(3), torch.randn(2, 3, dtype=torch.float64)):
        with pytest.raises(ValueError, match=r"takes a torch.float32 tensor of shape \(2, 3\) on cpu, got a"):
            stepper(wrong)
    with pytest.raises(
        ValueError, match=r"has the shapes \[\(2, 2, 5\), \(2, 2, 5\)\] \(layers, rows, features\), got"
    ):
        stepper.state = (torch.zeros(1, 2, 5), torch.zeros(1, 2, 5))
    with pytest.raises(UsageError, match="bidirectional layer cannot be run step by step"):
        elman.GRU(3, 5, bidirectional=True).stepper()
    for batch in (0, -1, 1.5):
        with pytest.raises(UsageError, match="positive number of rows"):
            elman.GRU(3, 5).stepper(batch)


def bfloat16(matrix):
    return matrix.bfloat16().float()


def int8(matrix):
    steps = matrix.abs().amax(1, keepdim=True).clamp(min=1e-30) / 127
    return (matrix / steps).round() * steps


@pytest.mark.parametrize("round_to", [bfloat16, int8])
@pytest.mark.parametrize("batch", [1, 3, 9])
@pytest.mark.parametrize("size", [(3, 5), (33, 50), (64, 129)], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_narrow_weights_are_the_rounded_ones(cell, size, batch, round_to, backend):
    if backend == "torch" and cell not in {"rnn", "rnn-relu", "gru", "lstm"}:
        pytest.skip("torch has no kernel for it")
    layer = elman.Recurrent(cell, *size, num_layers=2)
    x = torch.randn(5, batch, size[0])
    with torch.no_grad():
        layer.weight_ih_l0[1] = 0
    stepper = layer.stepper(batch, weights=getattr(torch, round_to.__name__))
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.dim() == 2:
                parameter.copy_(round_to(parameter))
        output, state = layer(x)
    assert_close(torch.stack([stepper(each).clone() for each in x]), output)
    assert_close(flat(stepper.state), flat(state))


@pytest.mark.parametrize("weights", [torch.bfloat16, torch.int8])
def test_a_narrow_weight_that_is_no_number_shows(weights, backend):
    layer = elman.GRU(3, 5)
    with torch.no_grad():
        layer.weight_ih_l0[7, 1] = torch.nan
    output = layer.stepper(weights=weights)(torch.ones(1, 3))
    assert output.isnan().sum() == 1


@pytest.mark.parametrize(
    ("dtype", "weights", "words"),
    [
        (torch.float32, torch.float16, "in that type, in torch.bfloat16 or torch.int8; got weights=torch.float16"),
        (torch.float64, torch.bfloat16, "in that type; got weights=torch.bfloat16"),
    ],
)
def test_weights_are_kept_in_a_few_types_only(dtype, weights, words):
    with pytest.raises(UsageError, match=words):
        elman.GRU(3, 5, dtype=dtype).stepper(weights=weights)


@pytest.mark.parametrize("hidden", [5, (7, 5)])
def test_a_state_that_was_taken_stays_what_it_was(hidden):
    stepper = elman.Recurrent("gru", 3, hidden).stepper(2)
    taken = stepper.state
    before = [tensor.clone() for tensor in (taken if isinstance(taken, list | tuple) else [taken])]
    stepper(torch.ones(2, 3))
    for tensor, was in zip(taken if isinstance(taken, list | tuple) else [taken], before, strict=True):
        assert_equal(tensor, was)
