"""Layers by name, and the question which backend runs one."""

import pytest
import torch
from torch import nn

from elman.cells import CELLS
from elman.engine import backend
from elman.errors import UsageError
from elman.layers import GRU, LAYERS, LSTM, GRUCell, LSTMCell, RNNCell, build, explain


def test_every_cell_has_its_layer():
    assert list(LAYERS) == list(CELLS)
    for name, cell in CELLS.items():
        assert build(name, 3, 5).cell == cell


def test_build_passes_its_options_on():
    layer = build("rnn-relu", 3, 5, 2, dropout=0.5, bidirectional=True)
    assert repr(layer) == repr(nn.RNN(3, 5, 2, nonlinearity="relu", dropout=0.5, bidirectional=True))
    assert layer.nonlinearity == "relu"
    assert layer.output_size == 10


def test_build_leaves_dropout_out_where_there_is_nothing_between_layers():
    assert build("gru", 3, 5, dropout=0.5).dropout == 0  # and does not warn: warnings are errors here


def test_build_names_the_known_cells():
    with pytest.raises(UsageError, match="unknown cell 'lstmm'; did you mean 'lstm'"):
        build("lstmm", 3, 5)


def test_the_output_size_counts_projection_and_directions():
    assert LSTM(3, 5, proj_size=2, bidirectional=True).output_size == 4
    assert GRU(3, 5).output_size == 5


def test_explain_answers_for_a_layer_in_the_callers_own_arguments():
    layer = LSTM(4, 6, 2, bidirectional=True, batch_first=True)
    value = torch.zeros(3, 5, 4)
    assert explain(layer, value).sizes == {"T": 5, "B": 3, "I": 4, "H": 6, "L": 2, "D": 2}
    assert explain(layer, value, lengths=[1, 2, 3]).refusals["torch"] is None
    with backend("torch"):
        said = explain(layer, value, reset=torch.zeros(3, 5, dtype=torch.bool))
    assert "cannot reset" in said.refusals["torch"]


def test_explain_draws_none_of_the_callers_random_numbers():
    layer, before = LSTM(4, 6, 2, recurrent_dropout=0.5, weight_dropout=0.5, zoneout=0.5), torch.get_rng_state()
    explain(layer, torch.zeros(5, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_explain_answers_for_a_cell():
    explanation = explain(LSTMCell(4, 6), torch.zeros(3, 4))
    assert explanation.sizes == {"T": 1, "B": 3, "I": 4, "H": 6, "D": 1}


@pytest.mark.native
@pytest.mark.parametrize("cell", [LSTMCell(4, 6), GRUCell(4, 6), RNNCell(4, 6)], ids=str)
def test_explain_tells_that_single_steps_with_gradients_are_the_engines(cell):
    assert explain(cell, torch.zeros(3, 4)).backend == "native"


@pytest.mark.native
def test_explain_shows_the_compiled_step_to_those_who_ask():
    layer, value = LSTM(4, 6), torch.zeros(5, 3, 4)
    assert explain(layer, value).program is None
    said = str(explain(layer, value, program=True))
    assert "forward, each step" in said
    assert "slot1  = bias_ih[f] + bias_hh[f] + W_ih[f] x + W_hh[f] h" in said
    assert "dW_hh[i f g o] += Σ steps [δi δf δg δo] hᵀ" in said
    with backend("torch"):
        assert explain(layer, value, program=True).program is None


def test_explain_tells_what_to_do_about_torchs_own():
    said = str(explain(nn.GRU(4, 6), torch.zeros(5, 4)))
    assert said == "torch.nn: torch runs its own GRU, without Elman; elman.convert(model) makes it Elman's"

    class Own(nn.LSTM):
        pass

    said = str(explain(Own(4, 6), torch.zeros(5, 4)))
    assert said == "torch.nn: torch runs its own Own, without Elman; derive Own from elman.LSTM to make it Elman's"


def test_explain_refuses_what_is_no_recurrent_layer():
    with pytest.raises(UsageError, match="Linear is no recurrent layer"):
        explain(nn.Linear(2, 3), torch.zeros(2))


def test_explain_checks_as_the_call_does():
    with pytest.raises(RuntimeError, match="must be equal to input_size"):
        explain(GRU(4, 6), torch.zeros(5, 3))
