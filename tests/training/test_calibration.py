"""The temperature that makes probabilities true."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from elman.data.ragged import Ragged
from elman.modalities.base import IGNORED, CategoricalHead
from elman.training import calibration
from elman.training.calibration import temperatures
from elman.training.examples import VALIDATED, Examples

HALF = 0.5


class Told:
    """What is read: the number of each row, and its length."""

    def __init__(self, lengths):
        self.lengths = np.asarray(lengths, np.int64)

    def batch(self, rows):
        return torch.from_numpy(np.asarray(rows))


def network(scores):
    """A network that answers row k, and all its steps, with the scores k of each output."""

    def answer(rows, lengths):
        longest = int(lengths.max())
        found = {}
        for name, own in scores.items():
            picked = own[rows]
            found[name] = picked if name == "label" else picked.expand(longest, *picked.shape)
        return found

    return answer


def drawn(rows, classes, seed=0):
    """Scores whose softmax is how often each class is right, and classes drawn so."""
    draw = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(rows, classes, generator=draw)
    return scores, torch.multinomial(scores.softmax(-1), 1, generator=draw).squeeze(1)


@pytest.mark.parametrize("wrong", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_scores_that_are_too_large_or_small_are_brought_back(wrong):
    scores, targets = drawn(20_000, 5)
    examples = Examples(
        Told(np.ones(20_000)), {"label": Ragged.of(targets.numpy(), np.ones(20_000, int))}, {"label": False}
    )
    found = temperatures(network({"label": wrong * scores}), examples)
    assert found["label"] == pytest.approx(wrong, rel=0.06)


def test_a_few_rows_that_are_all_right_do_not_say_that_it_is_never_wrong():
    scores = torch.tensor([[2.0, 0.0]]).expand(64, 2)
    found = []
    for rows in (0, 1, 4, 64):
        told = Ragged.of(np.zeros(rows, int), np.ones(rows, int))
        examples = Examples(Told(np.ones(rows)), {"label": told}, {"label": False})
        found.append(temperatures(network({"label": scores}), examples)["label"] if rows else 1.0)
    assert found == sorted(found, reverse=True)
    assert found[1] > 0.9
    logarithm = math.log(found[2])  # where the sum of four losses and the prior are together the least
    slope = 4 * 2 * math.exp(-logarithm) * torch.sigmoid(torch.tensor(-2 * math.exp(-logarithm))).item()
    assert slope + logarithm / HALF**2 == pytest.approx(0, abs=0.02)


def test_every_output_has_its_own_and_padding_says_nothing():
    scores, targets = drawn(5000, 3)
    lengths = np.where(np.arange(5000) % 2, 1, 4)
    tags = np.repeat(targets.numpy(), lengths)
    answers = {"label": Ragged.of(targets.numpy(), np.ones(5000, int)), "tags": Ragged.of(tags, lengths)}
    examples = Examples(Told(lengths), answers, {"label": False, "tags": True})
    assert (examples.batch(np.arange(2)).targets["tags"] == IGNORED).any()
    found = temperatures(network({"label": 3 * scores, "tags": scores / 2}), examples)
    assert found == {"label": pytest.approx(3, rel=0.1), "tags": pytest.approx(0.5, rel=0.1)}


def test_of_very_many_scores_some_are_kept_from_all_over(monkeypatch):
    scores, targets = drawn(20_000, 5)
    answers = {"label": Ragged.of(targets.numpy(), np.ones(20_000, int))}
    examples = Examples(Told(np.ones(20_000)), answers, {"label": False})
    kept = []
    monkeypatch.setattr(calibration, "NUMBERS", 5 * 1000)
    monkeypatch.setattr(calibration, "_temperature", lambda scores, targets, count: kept.append((scores, count)) or 1.0)
    temperatures(network({"label": scores}), examples)
    ((pieces, count),) = kept
    assert count == VALIDATED
    assert sum(map(len, pieces)) == pytest.approx(1000, rel=0.05)


def test_a_head_divides_its_scores():
    head, features = CategoricalHead(4, 3), torch.randn(5, 4)
    before = head(features)
    head.divide(2.5)
    torch.testing.assert_close(head(features), before / 2.5)
    assert isinstance(head.linear.weight, nn.Parameter)
    assert head.linear.weight.requires_grad
