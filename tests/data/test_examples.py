"""Rows of unequal length: padded rightly, in batches of one length, held out by label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.data import buckets, parts
from elman.data.buckets import Buckets, by_both, in_order
from elman.data.ragged import Ragged

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=30)


def _as_they_are(rows):
    return rows


@given(LENGTHS, st.data())
def test_a_padded_batch_holds_the_rows_and_zeros(lengths, data):
    rows = [np.arange(1, length + 1) * 10 + k for k, length in enumerate(lengths)]
    ragged = Ragged.of(np.concatenate(rows), np.array(lengths))
    chosen = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=8)))
    padded = ragged.padded(chosen)
    for column, k in enumerate(chosen):
        assert padded[: lengths[k], column].tolist() == rows[k].tolist()
        assert not padded[lengths[k] :, column].any()
    assert ragged.flat(chosen).tolist() == np.concatenate([rows[k] for k in chosen]).tolist()
    assert [row.tolist() for row in ragged] == [row.tolist() for row in rows]


@pytest.mark.parametrize("rows", [[], [[]], [[1, 2], [], [3]]])
def test_rows_are_joined_whatever_they_were_made_as(rows):
    joined = Ragged.joined([np.array(row) for row in rows], np.int32)
    assert joined.values.dtype == np.int32
    assert [row.tolist() for row in joined] == rows


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 5))
def test_every_epoch_has_every_row_once(count, size, seed):
    lengths = np.random.default_rng(seed).integers(1, 50, count)
    buckets = Buckets(_as_they_are, lengths, size, seed)
    for _ in range(2):
        rows = np.concatenate([buckets.next() for _ in range(buckets.batches)])
        assert sorted(rows) == list(range(count))
    assert buckets.epochs == 2


def test_little_of_a_batch_is_padding_and_the_rows_are_shuffled():
    lengths = np.random.default_rng(0).geometric(0.05, 20_000)
    buckets = Buckets(_as_they_are, lengths, 32, 0)
    first = [buckets.next() for _ in range(buckets.batches)]
    padded = sum(lengths[rows].max() * len(rows) for rows in first)
    assert 0.9 < lengths.sum() / padded < 1
    second = [buckets.next() for _ in range(buckets.batches)]
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    means = np.array([lengths[rows].mean() for rows in first])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.1


def test_a_position_is_found_again():
    lengths = np.arange(1, 100)
    one, other = (Buckets(_as_they_are, lengths, 8, 3) for _ in range(2))
    for _ in range(20):
        one.next()
    other.restore(one.state())
    for _ in range(30):
        assert np.array_equal(one.next(), other.next())


def test_scoring_has_every_row_once():
    rows = in_order(np.array([3, 1, 2, 5, 4]), 2)
    assert [row.tolist() for row in rows] == [[3, 4], [0, 2], [1]]


def test_what_is_scored_side_by_side_has_not_more_steps_than_there_is_memory_for(monkeypatch):
    monkeypatch.setattr(buckets, "MOST", 20)
    lengths = np.array([3, 100, 2, 9, 8, 1])  # padded to 100, six rows would have 600 steps
    assert [row.tolist() for row in in_order(lengths, 4)] == [[1], [3, 4], [0, 2, 5]]
    assert [row.tolist() for row in in_order(np.arange(6), 4, lengths)] == [[5, 4], [3, 2], [1], [0]]


def test_every_label_is_held_out_by_its_share_and_kept_to_learn_from():
    groups = np.repeat(np.arange(6), [100, 50, 10, 3, 1, 1])
    train, valid = parts.split(len(groups), 0.1, 0, groups)
    assert sorted([*train, *valid]) == list(range(len(groups)))
    assert set(groups[train]) == set(range(6))
    assert np.bincount(groups[valid])[:3].tolist() == pytest.approx([10, 5, 1], abs=1)
    assert not np.array_equal(valid, parts.split(len(groups), 0.1, 1, groups)[1])


def test_batches_of_rows_with_two_lengths_have_little_padding_of_both():
    random = np.random.default_rng(0)
    read = random.integers(5, 40, 4000)
    written = np.maximum(1, (read * random.normal(1.2, 0.2, 4000)).astype(np.int64))
    buckets, totals = Buckets(_as_they_are, by_both(read, written), 32, 0), np.zeros((2, 2))
    for rows in (buckets.next() for _ in range(buckets.batches)):
        totals += [[side[rows].sum(), side[rows].max() * len(rows)] for side in (read, written)]
    assert (1 - totals[:, 0] / totals[:, 1] < 0.15).all()
    assert 1 - totals[:, 0].sum() / totals[:, 1].sum() < 0.10
