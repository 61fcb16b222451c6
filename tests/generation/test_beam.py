"""Beam search: it finds what is there to be found, and rows do not disturb each other."""

import itertools

import pytest
import torch
from torch import nn

from elman import layers
from elman.generation.beam import Search, beam_search
from elman.layers.attention import Attention
from elman.topologies.encoder_decoder import EncoderDecoder, Writer

SYMBOLS, LONGEST = 3, 4


@pytest.fixture(scope="module", params=[{}, {"feeding": True}, {"copying": True}], ids=["plain", "feeding", "copying"])
def network(request):
    torch.manual_seed(1)
    embedding = nn.Embedding(SYMBOLS + 1, 4)
    encoder = layers.build("gru", 4, 3, bidirectional=True)
    recurrence = layers.build("gru", 4 * (1 + request.param.get("feeding", False)), 6)
    net = EncoderDecoder(None, encoder, Writer(embedding, recurrence, Attention(6, 6), 6, **request.param)).eval()
    with torch.no_grad():
        net.writer.bias[SYMBOLS] -= 1.5  # so that texts become longer than nothing
        embedding.weight *= 3
    return net


INPUTS = torch.tensor([[0, 2, 1, 1], [1, 2, 0, 0], [2, 0, 2, 0]])
LENGTHS = torch.tensor([3, 2, 3, 1])


def probability(network, row, text):
    targets = torch.tensor([*text, SYMBOLS]).unsqueeze(1)
    with torch.no_grad():
        return -network.losses(INPUTS[:, row : row + 1][: LENGTHS[row]], LENGTHS[row : row + 1], targets).sum().item()


def best(network, row):
    texts = [text for size in range(LONGEST + 1) for text in itertools.product(range(SYMBOLS), repeat=size)]
    return max(texts, key=lambda text: probability(network, row, text))


def test_with_enough_beams_it_finds_the_most_probable_text_of_all(network):
    search = Search(beams=SYMBOLS**LONGEST, length_norm=0, longest=LONGEST)
    found = beam_search(network, INPUTS, LENGTHS, search)
    for row in range(4):
        assert tuple(found[row]) == best(network, row)


def test_one_beam_takes_the_most_probable_symbol_always(network):
    found = beam_search(network, INPUTS, LENGTHS, Search(beams=1, longest=LONGEST))
    for row in range(4):
        text, inputs, length = [], INPUTS[: LENGTHS[row], row : row + 1], LENGTHS[row : row + 1]
        with torch.no_grad():
            read, carried = network.read(inputs, length)
            last, ended, scores = SYMBOLS, [], 0.0
            for step in range(1, LONGEST + 2):
                written, carried = network.writer(torch.tensor([[last]]), carried, read)
                told = network.writer.log_probabilities(written, read)[0, 0]
                ended.append(((scores + told[SYMBOLS].item()) / step, list(text)))
                last = int(told[:SYMBOLS].argmax())
                scores += told[last].item()
                text.append(last)
                if scores / step <= max(ended)[0]:
                    break
        assert list(found[row]) == max(ended)[1]


def by_the_book(network, row, search):
    """Beam search over the texts of one row, each scored anew as a whole."""

    def score(text, ended):
        targets = torch.tensor([*text, SYMBOLS]).unsqueeze(1)
        with torch.no_grad():
            losses = network.losses(INPUTS[: LENGTHS[row], row : row + 1], LENGTHS[row : row + 1], targets)
        size = len(text) + ended
        return -losses[:size].sum().item() / size**search.length_norm

    best, found, beams = float("-inf"), (), [()]
    for size in range(search.longest + 1):
        ended = max(beams, key=lambda text: score(text, 1))
        if score(ended, 1) > best:
            best, found = score(ended, 1), ended
        grown = [(*text, symbol) for text in beams for symbol in range(SYMBOLS)]
        beams = sorted(grown, key=lambda text: score(text, 0), reverse=True)[: search.beams]
        if size == search.longest or score(beams[0], 0) <= best:
            return found
    return found


@pytest.mark.parametrize("length_norm", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("beams", [2, 4])
def test_several_beams_find_what_a_search_over_whole_texts_finds(network, beams, length_norm):
    search = Search(beams=beams, length_norm=length_norm, longest=6)
    found = beam_search(network, INPUTS, LENGTHS, search)
    assert [tuple(text) for text in found] == [by_the_book(network, row, search) for row in range(4)]


class Chain:
    """Stands in for a network whose next symbol hangs on the last one alone: a is 0, b is 1, the end is 2."""

    end = 2
    table = torch.tensor([[0.1, 0.6, 0.3], [0.05, 0.05, 0.9], [0.5, 0.1, 0.4]]).log()

    def __init__(self):
        self.writer, self.device = self, torch.device("cpu")

    def read(self, _inputs, _lengths):
        return self, self

    def rows(self, _):
        return self

    def __call__(self, last, carried, _read):
        return last, carried

    def log_probabilities(self, last, _read):
        return self.table[last[0]].reshape(2, -1, 3)


@pytest.mark.parametrize(("length_norm", "text"), [(0.0, []), (1.0, [0, 1])])
def test_an_unfinished_text_is_followed_while_it_is_better_by_length_than_what_is_finished(length_norm, text):
    """ln 0.4 of nothing and ln 0.27 of "ab" are -0.92 and -0.44 a symbol; "a", on the way, has -0.69."""
    (found,) = beam_search(Chain(), None, torch.tensor([1]), Search(beams=2, length_norm=length_norm, longest=9))
    assert found.tolist() == text


@pytest.mark.parametrize("beams", [1, 3])
def test_a_row_does_not_depend_on_its_neighbours(network, beams):
    search = Search(beams=beams, longest=9)
    together = beam_search(network, INPUTS, LENGTHS, search)
    for row in range(4):
        alone = beam_search(network, INPUTS[: LENGTHS[row], row : row + 1], LENGTHS[row : row + 1], search)[0]
        assert list(alone) == list(together[row])


def test_no_text_is_too_long_and_what_is_forbidden_is_not_written(network):
    with torch.no_grad():
        network.writer.bias[SYMBOLS] -= 20
    found = beam_search(network, INPUTS, LENGTHS, Search(beams=2, longest=5, forbidden=1))
    with torch.no_grad():
        network.writer.bias[SYMBOLS] += 20
    assert all(len(text) <= 5 and 1 not in text for text in found)
