"""Scoring of texts: every line and every symbol by what one pass over it alone says, also beyond all cuts."""

import numpy as np
import pytest
import torch

from elman.data import buckets
from elman.layers import GRU
from elman.tasks import scoring


class Network(torch.nn.Module):
    """A small causal network over 5 symbols."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.layer, self.head = torch.nn.Embedding(5, 4), GRU(4, 6), torch.nn.Linear(6, 5)
        self.double()

    def forward(self, inputs, state):
        output, hidden = self.layer(self.embedding(inputs), None if state is None else state[0])
        return self.head(output), (hidden,)


def in_one_pass(network, symbols):
    """ln P of every symbol but the first."""
    if len(symbols) < 2:
        return np.empty(0)
    read = torch.from_numpy(symbols)
    with torch.inference_mode():
        said = network(read[:-1, None], None)[0].log_softmax(-1)[:, 0]
    return said.gather(-1, read[1:, None])[:, 0].numpy()


def test_lines_of_all_lengths_are_as_probable_as_alone(monkeypatch):
    monkeypatch.setattr(scoring, "STEPS", 8)
    monkeypatch.setattr(scoring, "LANES", 4)
    network, draw = Network(), np.random.default_rng(0)
    lines = [draw.integers(0, 5, length) for length in (5, 0, 30, 8, 1, 7, 16, 3, 9, 2)]
    for begin in ([4], [1, 2, 3]):
        expected = [in_one_pass(network, np.array([*begin, *line]))[len(begin) - 1 :].sum() for line in lines]
        found = scoring.line_log_probabilities(network, 5, begin, lines)
        assert found == pytest.approx(expected, rel=1e-10)


def test_a_very_long_line_is_scored_beside_no_short_ones(monkeypatch):
    monkeypatch.setattr(buckets, "MOST", 100)
    network, read = Network(), []
    network.register_forward_pre_hook(lambda module, given: read.append(given[0].numel()))
    lines = [np.zeros(length, np.int64) for length in (3, 90, 3, 2, 3, 1)]
    scoring.line_log_probabilities(network, 5, [4], lines)
    assert sum(read) <= 90 + 5 * 3


def test_a_stream_is_as_probable_as_in_one_pass(monkeypatch):
    monkeypatch.setattr(scoring, "STEPS", 8)
    network, symbols = Network(), np.random.default_rng(0).integers(0, 5, 300)
    found, expected = scoring.log_probabilities(network, 5, symbols), in_one_pass(network, symbols)
    assert np.sort(found) == pytest.approx(np.sort(expected), rel=1e-10)
    assert scoring.log_probabilities(network, 5, symbols[:1]).shape == (0,)


def test_a_stream_read_in_lanes_is_as_probable_as_in_one_pass(monkeypatch):
    monkeypatch.setattr(scoring, "CONTEXT", 100)
    network, symbols = Network(), np.random.default_rng(0).integers(0, 5, 1300)
    found, expected = scoring.log_probabilities(network, 5, symbols), in_one_pass(network, symbols)
    assert np.sort(found) == pytest.approx(np.sort(expected), abs=1e-6)


def test_no_more_scores_are_held_than_fit_into_memory(monkeypatch):
    monkeypatch.setattr(scoring, "MOST", 400)
    network, symbols, held = Network(), np.random.default_rng(0).integers(0, 5, 900), []
    lines = [symbols[:150], symbols[150:190]]
    stream = in_one_pass(network, symbols)
    alone = [in_one_pass(network, np.array([4, *line])).sum() for line in lines]
    network.register_forward_hook(lambda module, given, said: held.append(said[0].numel()))
    assert np.sort(scoring.log_probabilities(network, 5, symbols)) == pytest.approx(np.sort(stream), abs=1e-6)
    assert scoring.line_log_probabilities(network, 5, [4], lines) == pytest.approx(alone, rel=1e-10)
    assert max(held) == 400
