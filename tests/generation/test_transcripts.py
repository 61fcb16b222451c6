"""From probabilities by time step to texts: what is found is what adding up all ways gives, row by row."""

import itertools

import numpy as np
import pytest
import torch

from elman.data.ragged import Ragged
from elman.generation.alignment import heard_at
from elman.generation.prefix_beam import greedy, prefix_beam_search
from elman.modalities.base import IGNORED
from elman.training.transcribing import losses_of

LENGTHS = torch.tensor([5, 3, 1, 4])


def said(symbols=2, steps=5, rows=4, seed=0):
    """Sharp enough for texts to differ; the padding is garbage."""
    generator = torch.Generator().manual_seed(seed)
    found = (2 * torch.randn(steps, rows, symbols + 1, generator=generator)).log_softmax(-1)
    for row, length in enumerate(LENGTHS[:rows]):
        found[length:, row] = 7.0
    return found


def told(way, blank):
    """The text of a way: runs taken together, blanks left out."""
    return tuple(symbol for symbol, _ in itertools.groupby(way) if symbol != blank)


def every_text(found):
    """ln P of every text, by adding up every way, and the best way of each; found is (T, V + 1)."""
    totals, best = {}, {}
    for way in itertools.product(range(found.shape[1]), repeat=len(found)):
        value = sum(float(found[t, symbol]) for t, symbol in enumerate(way))
        text = told(way, found.shape[1] - 1)
        totals[text] = np.logaddexp(totals.get(text, -np.inf), value)
        best[text] = max(best.get(text, (-np.inf, ())), (value, way))
    return totals, best


@pytest.mark.parametrize("seed", range(4))
def test_a_wide_search_finds_the_text_whose_ways_add_up_to_most(seed):
    found = said(seed=seed)
    texts = prefix_beam_search(found, LENGTHS, 80)
    for row, length in enumerate(LENGTHS):
        totals, _ = every_text(found[:length, row])
        assert tuple(texts[row]) == max(totals, key=totals.get)


@pytest.mark.parametrize("seed", range(20))
def test_a_narrow_search_adds_up_what_it_follows_once(seed):
    """Two beams that stand for the same text would take each other's place."""
    found = said(symbols=3, rows=3, seed=seed)
    wide, narrow = (prefix_beam_search(found, LENGTHS[:3], beams) for beams in (400, 12))
    assert [row.tolist() for row in narrow] == [row.tolist() for row in wide]


def test_greedy_takes_the_best_way():
    found = said()
    for row, (text, length) in enumerate(zip(greedy(found, LENGTHS), LENGTHS, strict=True)):
        assert tuple(text) == told(found[:length, row].argmax(-1).tolist(), 2)


def test_a_sum_of_ways_can_be_more_than_the_best_way():
    found = torch.tensor([[0.4, 0.6], [0.4, 0.6]]).log().unsqueeze(1)  # "a": 0.64, nothing: 0.36
    assert greedy(found, torch.tensor([2]))[0].tolist() == []
    assert prefix_beam_search(found, torch.tensor([2]), 4)[0].tolist() == [0]


def test_a_text_grows_from_any_beam_and_all_its_ways_add_up():
    """By hand: a b has 0.45 * 0.7, grown from the second beam, behind nothing, and later 0.3; b has 0.55 * 0.7."""
    found = torch.tensor([[0.45, 0, 0.55], [0.3, 0.7, 0], [0, 1, 0]]).log().unsqueeze(1)
    for beams in (4, 20):
        assert [text.tolist() for text in prefix_beam_search(found, torch.tensor([3]), beams)] == [[0, 1]]


def test_what_is_forbidden_is_not_written():
    found = said()
    assert any(0 in text for text in prefix_beam_search(found, LENGTHS, 8))
    assert not any(0 in text for text in prefix_beam_search(found, LENGTHS, 8, forbidden=0))
    assert not any(0 in text for text in greedy(found, LENGTHS, forbidden=0))


def test_a_row_is_told_as_if_it_stood_alone():
    found = said(symbols=5, steps=5, seed=3)
    for search in (greedy, lambda *given: prefix_beam_search(*given, 3)):
        together = search(found, LENGTHS)
        for row, length in enumerate(LENGTHS):
            (alone,) = search(found[:length, row : row + 1], LENGTHS[row : row + 1])
            assert alone.tolist() == together[row].tolist()


def test_the_loss_is_that_of_all_ways():
    found, texts = said(), [(0, 0, 1), (1,), (), (1, 0)]
    padded = Ragged.of(np.array([s for text in texts for s in text], np.int64), np.array([len(t) for t in texts]))
    losses = losses_of(found, LENGTHS, torch.from_numpy(padded.padded(np.arange(4), IGNORED)))
    for row, length in enumerate(LENGTHS):
        totals, _ = every_text(found[:length, row])
        assert losses[row].item() == pytest.approx(-totals[texts[row]], abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_symbols_are_heard_where_the_best_way_has_them(seed):
    found = said(seed=seed)
    for texts in ([(0, 0, 1), (1,), (), (1, 0)], [(0, 1, 0, 1, 0), (0, 0), (1,), (1, 1)]):
        flat = np.array([symbol for text in texts for symbol in text], np.int64)
        steps = heard_at(found, LENGTHS, Ragged.of(flat, np.array([len(text) for text in texts])))
        for row, length in enumerate(LENGTHS):
            way = every_text(found[:length, row])[1][texts[row]][1]
            begun = [t for t in range(int(length)) if way[t] != 2 and (t == 0 or way[t] != way[t - 1])]
            assert steps[row].tolist() == begun
