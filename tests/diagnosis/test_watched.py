"""What is written down of calls while a module runs, and how calls are put together, by hand."""

import pytest
import torch

import elman
from elman.diagnosis.handed import anew
from elman.diagnosis.passage import passages
from elman.diagnosis.watch import recurrent, watched

STATE = torch.arange(1.0, 7.0).view(1, 3, 2)


@pytest.mark.parametrize(
    ("h", "c", "begins"),
    [
        ((1, 1, 1), (1, 1, 1), [False, False, False]),
        ((1, 0, 1), (1, 0, 1), [False, True, False]),
        ((1, 0, 1), (1, 1, 1), None),
        ((1, 2, 1), (1, 1, 1), None),
        ((1, 2, 0), (1, 2, 0), None),
        ((0, 0, 0), (0, 0, 0), None),
    ],
)
def test_rows_go_on_with_the_state_before_or_begin_at_zero_or_it_is_another(h, c, begins):
    given = [STATE * torch.tensor(h).view(3, 1), -STATE * torch.tensor(c).view(3, 1)]
    found = anew(given, [STATE, -STATE])
    assert (None if found is None else found.tolist()) == begins
    assert anew([each[:, :2] for each in given], [STATE, -STATE]) is None


def seen_by(layer, run):
    """What a block that calls a layer returns, and its calls."""
    with watched(layer, recurrent(layer)) as seen:
        returned = run(layer)
    return returned, seen


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [elman.GRU, elman.LSTM])
def test_windows_are_one_passage_where_rows_that_are_set_to_zero_begin_anew(kind, batch_first):
    torch.manual_seed(0)
    layer, x = kind(3, 4, batch_first=batch_first), torch.randn(7, 2, 3)
    keep = torch.tensor([[1.0], [0.0]])
    windows = [each.transpose(0, 1) if batch_first else each for each in x.split([3, 2, 2])]

    def run(layer):
        _, first = layer(windows[0])
        _, second = layer(windows[1], tuple(each * keep for each in first) if kind is elman.LSTM else first * keep)
        layer(windows[2], second)
        return first

    shown, seen = seen_by(layer, run)
    (passage,) = passages(seen)
    assert passage.reset.nonzero().tolist() == [[3, 1]]
    assert passage.segments == [(0, 0, 7), (1, 0, 3), (1, 3, 7)]
    h, given, final = [each[0] if kind is elman.LSTM else each for each in (shown, seen[2].given, seen[1].final)]
    assert given is final
    (of_output,) = torch.autograd.grad(h.sum(), seen[0].output)
    last = of_output[:, -1] if batch_first else of_output[-1]
    assert last.eq(1).all()
    assert of_output.sum() == last.sum()


@pytest.mark.parametrize("at", [None, 2])
def test_segments_end_with_their_rows(at):
    reset = torch.zeros(5, 2, dtype=torch.bool)
    if at is not None:
        reset[at] = reset[4] = True
    given = {"lengths": [5, 3], "reset": None if at is None else reset}
    _, seen = seen_by(elman.GRU(3, 4), lambda layer: layer(torch.randn(5, 2, 3), **given))
    (passage,) = passages(seen)
    whole = [(0, 0, 5), (1, 0, 3)]
    assert passage.segments == (whole if at is None else [(0, 0, 2), (0, 2, 4), (0, 4, 5), (1, 0, 2), (1, 2, 3)])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("resets", [False, True])
def test_a_scan_is_seen_as_a_call_and_returns_what_it_does(batch_first, resets):
    layer, x = elman.GRU(3, 4, batch_first=batch_first), torch.randn(5, 2, 3)
    reset = torch.zeros(5, 2, dtype=torch.bool)
    reset[2, 1] = True
    given = {"reset": reset} if resets else {}
    expected, state = layer.scan(x, **given)
    (output, final), (call,) = seen_by(layer, lambda layer: layer.scan(x, **given))
    torch.testing.assert_close((output, final), (expected, state))
    assert call.input.shape == ((2, 5, 3) if batch_first else (5, 2, 3))


def test_what_a_frozen_layer_reads_is_followed_and_the_callers_input_is_left_alone():
    layer, x = elman.GRU(3, 4).requires_grad_(False), torch.randn(5, 2, 3)
    _, (call,) = seen_by(layer, lambda layer: layer(x))
    assert call.input.requires_grad
    assert call.output.requires_grad
    assert not x.requires_grad
