"""Small models for each topology, trained on problems cut from one text, each beside a naive baseline.

They do not know what is claimed. Scores are percentages, the higher the better.
"""

import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.experiments import texts
from elman.experiments.texts import Letters
from elman.experiments.writing import Word, Writer
from elman.layers import build
from elman.modalities.base import CategoricalHead
from elman.topologies.many_to_one import SUMMARIES, ManyToOne
from elman.topologies.shared import SharedEncoder
from elman.topologies.synced import SyncedManyToMany

EMBEDDING, WINDOW, LANES, RATE = 24, 80, 32, 0.005
LONGEST = 12
"""Letters that are written at most; words have ten at most."""
ALPHABET = Letters("abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Wiring:
    """A topology at work.

    Attributes:
        topology: its name.
        problem: what goes in, and what comes out.
        measure: what is scored.
        naive: what the baseline says.
        score: the model's score and the baseline's, for a seed.
    """

    topology: str
    problem: str
    measure: str
    naive: str
    score: Callable[[int], tuple[float, float]]


def fitted(network: nn.Module, loss: Callable[[], Tensor], updates: int) -> None:
    """Adam, whose rate falls to zero, clipped at 1."""
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    network.train()
    for _ in range(updates):
        optimizer.zero_grad()
        torch.autograd.backward(loss())
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    network.eval()


# ------------------------------------------------------------------ one-to-one, and synced many-to-many


def synced(symbols: int, classes: int, hidden: int, *, both: bool = False) -> SyncedManyToMany:
    """A GRU over letters that says one of some classes for each."""
    layer = build("gru", EMBEDDING, hidden, bidirectional=both)
    return SyncedManyToMany(nn.Embedding(symbols, EMBEDDING), layer, CategoricalHead(layer.output_size, classes))


def windows(symbols: Tensor, steps: int) -> Tensor:
    """(T, N): all of a text, one window beside the other."""
    count = len(symbols) // steps
    return symbols[: count * steps].view(count, steps).T


def read_along(
    network: SyncedManyToMany, learnt_from: tuple[Tensor, Tensor], held_out: Tensor, steps: int, updates: int
) -> Tensor:
    """Train on random windows of inputs and targets; return what is said of the held-out windows (T, N)."""
    inputs, targets = learnt_from

    def loss() -> Tensor:
        starts = torch.randint(0, len(inputs) - steps, (LANES * WINDOW // steps,))
        places = starts + torch.arange(steps)[:, None]
        return network.head.loss(network(inputs[places])[0], targets[places])

    fitted(network, loss, updates)
    with torch.no_grad():
        scores: Tensor = network(held_out)[0]
    return scores.argmax(-1)


def next_letter(seed: int, *, steps: int = WINDOW, both: bool = False, updates: int = 500) -> tuple[float, float]:
    """Which letter comes next, by all letters of a window up to this one; by this one alone, if it has one step."""
    torch.manual_seed(seed)
    letters = Letters(texts.text())
    train, test = (letters.numbers(part) for part in texts.parts(texts.text()))
    network = synced(len(letters), len(letters), 64 if both else 96, both=both)
    said = read_along(network, (train[:-1], train[1:]), windows(test[:-1], steps), steps, updates)
    right = windows(test[1:], steps)
    return _percent(said == right), _percent(right == train.bincount().argmax())


def capitals(seed: int, *, both: bool, updates: int = 600) -> tuple[float, float]:
    """Which letters of a text in lower case were capitals; the baseline says the first of each line. F1."""
    torch.manual_seed(seed)
    speech = texts.HEADING.sub("", texts.text())
    letters = Letters(speech.lower())
    (train, marked), (test, marks) = (_lowered(letters, part) for part in texts.parts(speech))
    network = synced(len(letters), 2, 64 if both else 96, both=both)
    said = read_along(network, (train, marked), windows(test, WINDOW), WINDOW, updates)
    first = F.pad(test[:-1] == letters.numbers("\n"), (1, 0))
    return _f1(said == 1, windows(marks, WINDOW) == 1), _f1(first, marks == 1)


def recurrent_gradient(steps: int) -> float:
    """The norm of the recurrent matrix's gradient, where the network reads so many letters."""
    network = synced(10, 10, 16)
    symbols = torch.randint(0, 10, (steps, 8))
    torch.autograd.backward(network.head.loss(network(symbols)[0], symbols))
    matrix: Any = network.recurrence.weights[0][0].hh
    return float(matrix.grad.norm())


def _lowered(letters: Letters, part: str) -> tuple[Tensor, Tensor]:
    return letters.numbers(part.lower()), torch.tensor([letter.isupper() for letter in part]).long()


# ------------------------------------------------------------------ many-to-one


def questions(seed: int, *, updates: int = 500, hidden: int = 64) -> tuple[float, float]:
    """Whether a sentence without its sign is a question; half of them are."""
    torch.manual_seed(seed)
    all_asked, all_told = texts.sentences("?"), texts.split(texts.sentences("."), seed)[0]
    asked, asked_test = texts.split(all_asked, seed)
    told, told_test = texts.split(all_told[: len(all_asked)], seed)
    letters = Letters(texts.text().lower())
    rows, lengths = letters.padded(asked + told)
    answers, right = _ones_then_zeros(asked, told), _ones_then_zeros(asked_test, told_test)
    wiring = ManyToOne(CategoricalHead(SUMMARIES * hidden, 2), hidden, dropout=0.3)
    network = SharedEncoder(nn.Embedding(len(letters), EMBEDDING), build("gru", EMBEDDING, hidden), {"kind": wiring})

    def loss() -> Tensor:
        chosen = torch.randint(0, len(answers), (LANES,))
        scores = network(rows[: int(lengths[chosen].max()), chosen], lengths[chosen])
        return F.cross_entropy(scores["kind"], answers[chosen])

    fitted(network, loss, updates)
    with torch.no_grad():
        said = network(*letters.padded(asked_test + told_test))["kind"].argmax(-1)
    return _percent(said == right), _percent(right == answers.bincount().argmax())


def _ones_then_zeros(ones: Sequence[str], zeros: Sequence[str]) -> Tensor:
    return torch.tensor([1] * len(ones) + [0] * len(zeros))


# ------------------------------------------------------------------ one-to-many, and many-to-many


def anagrams(seed: int, *, updates: int = 800, hidden: int = 128) -> tuple[float, float]:
    """A word from how often it has each letter; the baseline puts letters where they stand on average."""
    torch.manual_seed(seed)
    train, test = texts.split(texts.words(), seed)
    reader = nn.Sequential(nn.Linear(len(ALPHABET), hidden), nn.Tanh())
    written = spelled(Writer(reader, len(ALPHABET), hidden), (_counts(train),), train, (_counts(test),), updates)
    place = _places(train)
    return letters_right(written, test), letters_right(
        ["".join(sorted(word, key=place.__getitem__)) for word in test], test
    )


def vowels(seed: int, *, updates: int = 1200, hidden: int = 128) -> tuple[float, float]:
    """A word from its consonants; the baseline leaves them as they are."""
    torch.manual_seed(seed)
    train, test = texts.split([word for word in texts.words() if _consonants(word)], seed)
    network = Writer(Word(len(ALPHABET), hidden), len(ALPHABET), hidden)
    naive = [_consonants(word) for word in test]
    read = _rows([_consonants(word) for word in train])
    return letters_right(spelled(network, read, train, _rows(naive), updates), test), letters_right(naive, test)


def spelled(
    network: Writer, inputs: tuple[Tensor, ...], words: list[str], asked: tuple[Tensor, ...], updates: int
) -> list[str]:
    """Train a network to write words, then let it write for other inputs."""
    targets = _rows(words)[0]

    def loss() -> Tensor:
        chosen = torch.randint(0, len(words), (4 * LANES,))
        found: Tensor = network(tuple(tensor[chosen] for tensor in inputs), targets[chosen])
        return found

    fitted(network, loss, updates)
    return [ALPHABET.said(row) for row in network.write(asked, LONGEST)]


def letters_right(said: Sequence[str], right: Sequence[str]) -> float:
    """100 less the letter error rate: letters to insert, to remove and to replace, beside all letters."""
    errors = sum(distance(one, other) for one, other in zip(said, right, strict=True))
    return 100 * (1 - errors / sum(map(len, right)))


def distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, wanted in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != wanted))
    return row[-1]


def _rows(words: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Padded words (B, T), and their lengths."""
    padded, lengths = ALPHABET.padded(words)
    return padded.T, lengths


def _counts(words: Sequence[str]) -> Tensor:
    """How often each letter is in each word, (B, V)."""
    return F.one_hot(_rows(words)[0], len(ALPHABET)).sum(1).float()


def _places(words: Sequence[str]) -> dict[str, float]:
    """Where in a word each letter stands on average, from 0 to 1."""
    places: dict[str, list[float]] = {}
    for word in words:
        for place, letter in enumerate(word):
            places.setdefault(letter, []).append(place / len(word))
    return {letter: statistics.fmean(found) for letter, found in places.items()}


def _consonants(word: str) -> str:
    return re.sub("[aeiou]", "", word)


# ------------------------------------------------------------------ all of them


def _percent(right: Tensor) -> float:
    return 100 * right.float().mean().item()


def _f1(said: Tensor, right: Tensor) -> float:
    """The harmonic mean of two parts: of what was said, what is right, and of what is right, what was said."""
    return 200 * int((said & right).sum()) / (int(said.sum()) + int(right.sum()))


ONE_TO_ONE, ONE_TO_MANY, MANY_TO_ONE, MANY_TO_MANY = "one-to-one", "one-to-many", "many-to-one", "many-to-many"
SYNCED, BOTH = "synced many-to-many, one direction", "synced many-to-many, both directions"
ONE, NEXT = "a letter → the next letter", "letters → the next letter, at each"
CAPITALS = "text in lower case → capital or not, at each letter"
MOST_FREQUENT, LINE_STARTS = "the most frequent letter", "capitals where lines begin"
WIRINGS = (
    Wiring(ONE_TO_ONE, ONE, "accuracy", MOST_FREQUENT, partial(next_letter, steps=1)),
    Wiring(ONE_TO_MANY, "counts of a word's letters → the word", "letters right", "in their usual order", anagrams),
    Wiring(MANY_TO_ONE, "a sentence without its sign → question or not", "accuracy", "always one of them", questions),
    Wiring(MANY_TO_MANY, "a word without its vowels → the word", "letters right", "as it is", vowels),
    Wiring(SYNCED, NEXT, "accuracy", MOST_FREQUENT, next_letter),
    Wiring(BOTH, NEXT, "accuracy", MOST_FREQUENT, partial(next_letter, both=True)),
    Wiring(SYNCED, CAPITALS, "F1", LINE_STARTS, partial(capitals, both=False)),
    Wiring(BOTH, CAPITALS, "F1", LINE_STARTS, partial(capitals, both=True)),
)
