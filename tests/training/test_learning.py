"""What examples cost: the mean over what is learnt from, whatever the batches, and shares that add up to the whole."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from elman import layers
from elman.data.ragged import Ragged
from elman.modalities.base import IGNORED, CategoricalHead
from elman.topologies.many_to_one import SUMMARIES, ManyToOne
from elman.topologies.shared import SharedEncoder, Synced
from elman.training import examples as learning
from elman.training import transcribing
from elman.training.cost import Cost
from elman.training.examples import Batch, Examples

LENGTHS = np.array([3, 1, 4, 2, 4, 5, 1])
LABELS, TAGS = np.array([0, 2, 1, 1, 0, 2, 2]), np.arange(LENGTHS.sum()) % 4


class Series(Ragged):
    """Encoded input: one number for each time step."""

    def batch(self, rows):
        return torch.from_numpy(self.padded(rows)).float().unsqueeze(-1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    outputs = {"label": ManyToOne(CategoricalHead(5 * SUMMARIES, 3), 5), "tags": Synced(CategoricalHead(5, 4))}
    return SharedEncoder(nn.Identity(), layers.build("gru", 1, 5), outputs).eval()


@pytest.fixture
def rows():
    inputs = Series.of(np.random.default_rng(0).normal(size=LENGTHS.sum()), LENGTHS)
    targets = {"label": Ragged.of(LABELS, np.ones(7, np.int64)), "tags": Ragged.of(TAGS, LENGTHS)}
    return Examples(inputs, targets, {"label": False, "tags": True})


def costs(network, rows, chosen):
    """By output, -ln P of everything that is answered of some rows, each row read by itself."""
    found = {"label": [], "tags": []}
    for row in chosen:
        scores = network(rows.inputs.batch(np.array([row])), torch.from_numpy(LENGTHS[[row]]))
        for name, said in scores.items():
            targets = torch.from_numpy(rows.targets[name][row]).long()
            found[name] += F.cross_entropy(said.flatten(0, -2), targets, reduction="none").tolist()
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 128])
def test_a_validation_is_the_mean_over_all_rows_and_over_all_time_steps(network, rows, monkeypatch, size):
    monkeypatch.setattr(learning, "SCORING_ROWS", size)
    expected = sum(np.mean(each) for each in costs(network, rows, range(7)).values())
    with torch.no_grad():
        assert learning.mean_loss(network, rows) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("most", "expected"), [(7, range(7)), (6, [0, 2, 4, 6]), (3, [0, 3, 6]), (1, [0])])
def test_of_many_rows_a_validation_takes_some_from_all_over(network, rows, monkeypatch, most, expected):
    monkeypatch.setattr(learning, "VALIDATED", most)
    assert sorted(np.concatenate(rows.in_order(most))) == list(expected)
    with torch.no_grad():
        found = learning.mean_loss(network, rows)
    assert found == pytest.approx(sum(np.mean(each) for each in costs(network, rows, expected).values()), rel=1e-5)


def test_a_batch_costs_the_sum_of_its_outputs_means_and_its_shares_add_up_to_it(network, rows):
    whole = learning.objective(network, rows.batch(np.arange(7)))
    means = [np.mean(each) for each in costs(network, rows, range(7)).values()]
    assert [mean.item() for mean in whole.means] == pytest.approx(means, rel=1e-5)
    assert (whole.counts, whole.seen) == ((7, LENGTHS.sum()), 7)
    assert whole.loss.item() == pytest.approx(sum(means), rel=1e-5)
    parts = [learning.objective(network, rows.batch(chosen)) for chosen in (np.arange(2), np.arange(2, 7))]
    assert sum(part.share([7, LENGTHS.sum()]) for part in parts).item() == pytest.approx(sum(means), rel=1e-5)
    nothing = Cost((torch.tensor(torch.nan),), (0,), 0).share([7])
    assert (nothing.item(), nothing.requires_grad) == (0, True)


def test_rows_are_sorted_by_what_is_read_and_by_what_is_answered_where_that_is_another_number(rows):
    assert rows.sizes.tolist() != LENGTHS.tolist()
    labels = Examples(rows.inputs, {"label": rows.targets["label"]}, {"label": False})
    assert labels.sizes.tolist() == LENGTHS.tolist()


class Heard(nn.Module):
    """Says the same of every time step that it said before: scores that are its input."""

    def forward(self, inputs, lengths):
        return {"text": inputs}


@pytest.mark.parametrize("size", [1, 2, 3, 128])
def test_what_a_text_costs_where_it_is_heard_is_the_mean_over_all_symbols(monkeypatch, size):
    """Of one time step and one symbol, and of two steps and symbols in one way alone, P is a product."""
    monkeypatch.setattr(learning, "SCORING_ROWS", size)
    torch.manual_seed(0)
    scores, texts = torch.randn(5, 4), [[1], [0, 2], [2, 1]]
    said = scores.log_softmax(-1)
    expected = -(said[0, 1] + said[1, 0] + said[2, 2] + said[3, 2] + said[4, 1]).item() / 5

    class Frames(Ragged):
        def batch(self, rows):
            return torch.from_numpy(self.padded(rows))

    lengths = np.array([1, 2, 2])
    targets = {"text": Ragged.of(np.concatenate(texts), lengths)}
    rows = Examples(Frames.of(scores.numpy(), lengths), targets, {"text": True})
    assert transcribing.mean_loss(Heard(), rows) == pytest.approx(expected, rel=1e-5)
    cost = transcribing.objective(Heard(), rows.batch(np.arange(3)))
    assert (cost.loss.item(), cost.counts, cost.seen) == (pytest.approx(expected, rel=1e-5), (5,), 3)


def test_targets_beyond_the_end_of_a_row_are_ignored(rows):
    batch = rows.batch(np.array([1, 2]))
    assert isinstance(batch, Batch)
    assert batch.lengths.tolist() == [1, 4]
    assert batch.targets["label"].tolist() == [2, 1]
    assert batch.targets["tags"].t().tolist() == [[TAGS[3], *[IGNORED] * 3], TAGS[4:8].tolist()]
