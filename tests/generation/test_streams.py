"""Streams read side by side are read as each by itself."""

import copy

import pytest
import torch

from elman.errors import UsageError
from elman.generation import streams
from elman.generation.streams import TextStreams

TEXT = "the cat sat on a mat.\nwe saw how the dog ran to the sun.\n" * 6


@pytest.fixture
def texts(run):
    return TextStreams(run.stream())


def test_from_other_states_and_of_other_lengths(run, texts, monkeypatch):
    monkeypatch.setattr(streams, "SYMBOLS", 300)  # several groups
    before = [TEXT[:k] for k in (0, 7, 90, 3, 250)]
    after = [TEXT[k : k + n] for k, n in ((0, 1), (7, 200), (90, 17), (3, 256), (250, 1))]
    singles = [run.stream() for _ in before]
    for single, text in zip(singles, before, strict=True):
        single.feed(text)
    found = texts.read([(s.state, texts.symbols(text)) for s, text in zip(singles, after, strict=True)])
    for single, text, read in zip(singles, after, found, strict=True):
        assert read.log_probabilities == pytest.approx(single.feed(text), abs=1e-4)
        for name, tensor in single.state.items():
            torch.testing.assert_close(read.state[name], tensor, rtol=1e-4, atol=1e-4)
        assert texts.expected(read.state, 1)[0][0] == single.expected(1)[0][0]


def test_what_is_kept_is_not_written_over(texts):
    kept = copy.deepcopy(dict(texts.fresh))
    symbols = texts.symbols("the cat")
    one = texts.read([(texts.fresh, symbols)])[0]
    was = copy.deepcopy(dict(one.state))
    texts.read([(one.state, symbols)])
    texts.read([(one.state, symbols), (texts.fresh, symbols)])
    assert all(torch.equal(kept[name], texts.fresh[name]) for name in kept)
    assert all(torch.equal(was[name], one.state[name]) for name in was)


def test_what_it_refuses(texts):
    with pytest.raises(ValueError, match="1 to 256 symbols at a time"):
        texts.read([(texts.fresh, texts.symbols(""))])
    with pytest.raises(UsageError, match="has the tensors h float32"):
        texts.check({"h": texts.fresh["h"]})
