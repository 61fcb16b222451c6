"""Sets of events as numbers and back; and heads, whose probabilities of all sets there can be add up to one."""

import itertools
from collections import Counter

import numpy as np
import polars as pl
import pytest
import torch

from elman.data import tables
from elman.errors import DataError
from elman.generation.sample import Sampling, draw
from elman.modalities.event_heads import IndependentEvents, OrderedEvents
from elman.modalities.events import Events

SIZE = 4
HEADS = {
    "independent": lambda: IndependentEvents(3, torch.zeros(SIZE)),
    "ordered": lambda: OrderedEvents(3, torch.zeros(SIZE), 5),
}


def column(values):
    """A column of a table."""
    return tables.from_rows([{"x": value} for value in values]).column("x")


def padded(sets):
    """Sets of numbers as a head takes them."""
    most = max(map(len, sets))
    return torch.tensor([[*each, *[SIZE] * (most - len(each))] for each in sets])


@pytest.fixture(params=HEADS)
def head(request):
    """A head with weights that are not small."""
    torch.manual_seed(0)
    made = HEADS[request.param]()
    for weights in made.parameters():
        torch.nn.init.normal_(weights)
    return made.eval()


def test_the_probabilities_of_all_sets_add_up_to_one(head):
    every = [each for count in range(SIZE + 1) for each in itertools.combinations(range(SIZE), count)]
    features = torch.randn(3, 3)
    for row in features:
        said = head.log_probabilities(row.expand(len(every), -1), padded(every))
        assert said.exp().sum().item() == pytest.approx(1, abs=1e-5)
        alone = head.log_probabilities(row.unsqueeze(0), torch.tensor([every[6]]))
        assert alone.item() == pytest.approx(said[6].item(), abs=1e-5)


def test_what_is_learnt_is_what_is_said(head):
    features, sets = torch.randn(6, 3), padded([(), (0,), (1, 2), (0, 1, 3), (2,), (0, 1, 2, 3)])
    losses = head.losses(features, sets)
    assert torch.allclose(losses, -head.log_probabilities(features, sets), atol=1e-5)
    apart = IndependentEvents.log_probabilities(head, features, sets)
    assert head.loss(head(features), sets).item() == pytest.approx(-apart.mean().item(), abs=1e-5)
    losses.sum().backward()
    assert all(weights.grad.abs().sum() > 0 for weights in head.parameters())


def test_sets_are_drawn_as_often_as_they_are_probable(head):
    features, generator = torch.randn(1, 3), torch.Generator().manual_seed(0)
    sampling, count = Sampling(temperature=1.0), 600
    with torch.inference_mode():
        drawn = [tuple(head.draw(features, lambda s: draw(s, None, sampling, generator))) for _ in range(count)]
        found = Counter(drawn)
        every = [each for n in range(SIZE) for each in itertools.combinations(range(SIZE - 1), n)]
        said = head.log_probabilities(features.expand(len(every), -1), padded(every)).exp()
    assert set(found) <= set(every)  # the unknown event is never drawn
    if isinstance(head, IndependentEvents):  # there the others do not mind that it is left out
        for each, share in zip(every, said / said.sum(), strict=True):
            assert found[each] / count == pytest.approx(share.item(), abs=0.07)
    assert sum(found[each] for each in every if said[every.index(each)] > said.median()) > 0.6 * count


@pytest.mark.parametrize(
    ("values", "events"),
    [([[[64, 60], [60, 60], []], [[67]]], [60, 64, 67]), ([[["b", "a"], ["a"], []], [["c"]]], ["a", "b", "c"])],
)
def test_events_are_numbered_and_named(values, events):
    known = Events.fit(column(values), 10)
    assert known.events == events
    assert known.counts == [2, 1, 1, 0]
    assert known.steps == 4
    encoded = known.encode(column(values))
    assert encoded.lengths.tolist() == [3, 1]
    assert encoded.batch(np.array([1, 0])).tolist() == [[[2, 4], [0, 1]], [[4, 4], [0, 4]], [[4, 4], [4, 4]]]
    assert encoded.multi_hot(0, 2).tolist() == [[True, True, False, False], [True, False, False, False]]
    again = Events.from_dict(known.to_dict())
    assert again.encode(column(values)).batch(np.array([0])).equal(encoded.batch(np.array([0])))
    assert known.encode_step(set(values[0][0])).tolist() == [[[0, 1]]]


def test_events_that_are_new_or_rare_are_one_unknown_event():
    known = Events.fit(column([[["a", "b"], ["a", "c"], ["a", "b"]]]), 2)
    assert (known.events, known.counts) == (["a", "b"], [3, 2, 1])
    encoded = known.encode(column([[["z", "a", "y"], ["z"]]]))
    assert encoded.batch(np.array([0])).tolist() == [[[0, 2]], [[2, 3]]]
    assert known.facts(encoded) == {"time_steps": 2, "events": 3, "unknown_events": 2}
    assert known.decode([0, 2]) == ["a"]


def test_a_csv_and_empty_sets_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('x\n"[[60, 64], []]"\n"[[67]]"\n')
    assert Events.fit(tables.read(path).column("x"), 10).events == [60, 64, 67]
    known = Events.fit(column([[[1]]]), 10)
    assert known.encode(column([[[]], [[], []]])).batch(np.array([0, 1])).shape == (2, 2, 0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([[[1]], []], "row 2, column 'x' has no time steps"),
        ([[[1]], None], "row 2, column 'x' is empty"),
        ([[[1]], [[2], None]], "row 2, column 'x' lacks a time step; write"),
        ([[[1]], [[2, None]]], "row 2, column 'x' lacks an event"),
        ([[[1.0]], [[2.5]]], "row 2, column 'x' holds 2.5; events are whole numbers or texts"),
        ([[[1.0]], [[float("nan")]]], "row 2, column 'x' holds nan; events are whole numbers or texts"),
        ([[[1]], [[1 << 63]]], "row 2, column 'x' holds 9.22337e.18; events are whole numbers or texts"),
        ([["a", "b"]], "row 1, column 'x' holds texts, not sets"),
        ([[1, 2]], "row 1, column 'x' holds numbers, not sets"),
        ([[[], []]], "column 'x' has no events, only empty sets"),
    ],
)
def test_what_are_no_sets_is_told(values, said):
    frame = pl.DataFrame({"x": values}, strict=False)
    with pytest.raises(DataError, match=said):
        Events.fit(tables.Table("t.jsonl", frame).column("x"), 10)


def test_events_of_another_kind_are_told():
    known = Events.fit(column([[[1]]]), 10)
    with pytest.raises(DataError, match="holds events that are texts; in training they were whole numbers"):
        known.encode(column([[["a"]]]))
    for wrong in ("60", 60, [[60]], ["a"], [True], [1.5], None, {60: 1}):
        with pytest.raises(DataError, match="is a list of whole numbers, got"):
            known.encode_step(wrong)
