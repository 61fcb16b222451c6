"""Event modelling: which set of events comes next, step by step: chords of notes, baskets, alarms, codes of visits."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from elman import layers
from elman.data.parts import spread
from elman.data.ragged import Array
from elman.data.tables import Column, Table
from elman.errors import DataError, UsageError
from elman.generation.events import EventStream, generate
from elman.generation.sample import Sampling
from elman.modalities.event_heads import EventHead, IndependentEvents, OrderedEvents
from elman.modalities.events import EncodedEvents, Events, holds_sets
from elman.tasks.base import Score
from elman.tasks.event_measures import Tally, baselines
from elman.tasks.on_tables import RowOptions, TableTask
from elman.tasks.prepared import PreparedExamples
from elman.tasks.roles import Roles
from elman.topologies.synced import SyncedManyToMany
from elman.training.events import EVENTS, before_each
from elman.training.examples import Batch, Examples
from elman.training.options import option

SHOWN = 5
"""Surprising steps, and expected events, that are told of a row."""
PICTURED, STEPS, LINES, SHADE = 3, 120, 64, 0.5
"""Rows in the report; the most time steps and events of each; what of a ninth is not shown."""


@dataclass(frozen=True, kw_only=True)
class EventModelingOptions(RowOptions):
    """The defaults are the best found for a few minutes on two cores; docs/log.md has the search."""

    budget: ClassVar[dict[str, float]] = {"epochs": 20.0}

    patience: int | None = option(5, "stop after this many validations without a better score", minimum=1)
    validations: int = option(20, "how many times the budget is interrupted to validate", minimum=1)

    input: list[str] | None = option(None, "column to read (default: the one that holds sets)")
    events: int = option(4096, "how many events to tell apart; the rarer ones are one unknown event", minimum=1)
    autoregressive: bool = option(True, "let the events of a step depend on each other, not on the past alone")
    embedding: int = option(128, "features per event", minimum=1)
    readout: int = option(128, "units of the network that tells the events of a step one after the other", minimum=1)
    dropout: float = option(0.3, "dropout between layers and before the output", minimum=0, maximum=0.99, anew=True)


class EventModeling(TableTask):
    """P(x_1 ... x_T) = product over t of P(x_t | x_1 ... x_{t-1}), each x_t a set of events.

    Source: Boulanger-Lewandowski, Bengio & Vincent 2012, Modeling temporal dependencies in high-dimensional sequences:
    application to polyphonic music generation and transcription.
    """

    name = "event-modeling"
    topology = "synced many-to-many"
    metric = "nats per step, and frame accuracy, precision and recall of the events that are expected"
    baseline_name = "frequency of each event; repetition of the step before; logistic regression on the last two steps"
    data = "a table (.jsonl, .parquet; numbers also .csv) with a row per sequence, a list of sets of events"
    next_step = "Let it go on: elman generate {run} --length 50 (--prompt says how it begins)"
    Options = EventModelingOptions
    inputs = ()
    answers = ()
    modalities = (Events,)
    learning = EVENTS

    def roles(self, table: Table, options: EventModelingOptions) -> Roles:
        """The one column that holds sets, and nothing that is answered beside it."""
        given = options.input or []
        if len(given) > 1:
            raise UsageError(f"--input names {len(given)} columns, {', '.join(given)}; {self.name} reads one")
        found = [table.column(name) for name in given] or [each for each in table.columns() if holds_sets(each)]
        if not found:
            raise DataError(
                f"{table.source} has no column of sets, a list of lists in every row, such as [[60, 64], []]; it has "
                f"{table.described}"
            )
        if len(found) > 1:
            listed = ", ".join(repr(column.name) for column in found)
            raise UsageError(f"{table.source} has sets in {listed}; say which to read: --input COLUMN")
        name = found[0].name
        return Roles(name, (), () if given else (f"Reading {name!r}, the column that holds sets of events.",))

    def fit(self, input: Column, outputs: list[Column], options: EventModelingOptions) -> tuple[Events, Sequence[Any]]:
        """Collect the events."""
        del outputs
        return Events.fit(input, options.events), ()

    def describe(self, options: EventModelingOptions) -> dict[str, Any]:
        """Say cell, layers and sizes, and how the events of a step are told."""
        told = f"events told in order by a GRU of {options.readout}" if options.autoregressive else "independent events"
        return {"summary": f"{super().describe(options)['summary']}, {told}"}

    def network(self, prepared: PreparedExamples, options: EventModelingOptions) -> SyncedManyToMany:
        """A sum of the events' vectors, recurrent layers, and a head for sets."""
        o, events = options, _events(prepared)
        recurrence = layers.build(o.cell, o.embedding, o.hidden, o.layers, dropout=o.dropout)
        odds, size = events.log_odds(), recurrence.output_size
        head: EventHead = IndependentEvents(size, odds)
        if o.autoregressive:
            head = OrderedEvents(size, odds, o.readout, o.dropout)
        return SyncedManyToMany(events.reader(o.embedding), recurrence, head, o.dropout)

    def score(self, network: SyncedManyToMany, prepared: PreparedExamples, part: str) -> Score:
        """Return nats per step, and what the events are worth that are rather expected than not."""
        examples, tally = prepared.examples(part), Tally()
        with torch.inference_mode():
            for rows in examples.in_order():
                features, sets = before_each(network, examples.batch(rows))
                said = float(_head(network).log_probabilities(features, sets).double().sum())
                came = torch.zeros(len(sets), _head(network).size + 1, dtype=torch.bool, device=sets.device)
                came = came.scatter(1, sets, torch.ones_like(sets, dtype=torch.bool))[:, :-1]
                tally.add(said, (_head(network)(features) > 0).cpu().numpy(), came.cpu().numpy())
        return {**tally.figures(), "symbols": tally.steps, "unit": "step"}

    def baselines(self, prepared: PreparedExamples, part: str) -> list[Score]:
        """Every event by itself: as often as ever, by the step before, by logistic regression on two steps."""
        train, asked = _encoded(prepared.examples("train")), _encoded(prepared.examples(part))
        return list(baselines(train, asked, prepared.fitted))

    def row_by_row(self, prepared: PreparedExamples) -> bool:
        """What is said of a sequence stands by itself."""
        del prepared
        return False

    def tell(self, network: SyncedManyToMany, prepared: PreparedExamples, column: Column) -> list[dict[str, Any]]:
        """Return for every row ln P, also step by step, its most surprising steps, and what is expected behind it."""
        events = _events(prepared)
        examples = prepared.encode({prepared.input_name: column})
        encoded, found = _encoded(examples), [dict[str, Any]() for _ in range(len(examples))]
        with torch.inference_mode():
            for numbers in examples.in_order():
                for number, said in zip(numbers, _said(network, examples.batch(numbers)), strict=True):
                    first, last = encoded.starts[number], encoded.starts[number + 1]
                    sets = [encoded.sets[step] for step in range(first, last)]
                    found[number] = {"row": int(column.rows[number])} | _told(events, sets, *said)
        return found

    def showcase(
        self, network: SyncedManyToMany, prepared: PreparedExamples, options: EventModelingOptions
    ) -> dict[str, Any]:
        """Return rows from all over: which events came, and how much they were expected."""
        del options
        part = prepared.shown
        examples, numbers = prepared.examples(part), prepared.column(part, prepared.input_name).rows
        inputs, pictures = _encoded(examples), []
        with torch.inference_mode():
            for k in spread(len(examples), PICTURED):
                features, _ = before_each(network, examples.batch(np.array([k])))
                expected = torch.sigmoid(_head(network)(features[:STEPS])).cpu().numpy()
                first = int(inputs.starts[k])
                came = inputs.multi_hot(first, first + len(expected))
                pictures.append({"row": int(numbers[k]), "events": _lines(_events(prepared), expected, came)})
        return {"roll": pictures}

    def generate(
        self, network: SyncedManyToMany, prepared: PreparedExamples, prompt: str, length: int, sampling: Sampling
    ) -> Iterator[str]:
        """Go on from sets, written as JSON."""
        return generate(EventStream(network, _events(prepared)), prompt, length, sampling)

    def streams(self, prepared: PreparedExamples, options: EventModelingOptions) -> str:
        """Sets of events."""
        del prepared, options
        return "sets"

    def stream(self, network: SyncedManyToMany, prepared: PreparedExamples, weights: torch.dtype | None) -> EventStream:
        """Read on from the beginning of a sequence."""
        return EventStream(network, _events(prepared), weights)


def _events(prepared: PreparedExamples) -> Events:
    assert isinstance(prepared.input, Events)
    return prepared.input


def _encoded(examples: Examples) -> EncodedEvents:
    assert isinstance(examples.inputs, EncodedEvents)
    return examples.inputs


def _head(network: SyncedManyToMany) -> EventHead:
    assert isinstance(network.head, EventHead)
    return network.head


def _said(network: SyncedManyToMany, batch: Batch) -> Iterator[tuple[Array, Array]]:
    """For each row of a batch ln P of its sets, (T,), and P of every event in the set behind its last, (size,)."""
    reader: Any = network.reader
    lengths, sets = batch.lengths, batch.inputs.to(next(network.parameters()).device)
    features, _ = network.read(reader.before(sets), None, lengths + 1)
    live = (torch.arange(len(sets)) < lengths.unsqueeze(1)).to(sets.device)
    said = _head(network).log_probabilities(features[:-1].transpose(0, 1)[live], sets.transpose(0, 1)[live])
    behind = torch.sigmoid(_head(network)(features[lengths, torch.arange(len(lengths))]))
    for own, shares in zip(torch.split(said.cpu(), lengths.tolist()), behind.cpu(), strict=True):
        yield own.double().numpy(), shares.numpy()


def _told(events: Events, sets: list[Array], said: Array, behind: Array) -> dict[str, Any]:
    """What is said of a row, in words."""
    surprising, expected = np.argsort(said, kind="stable")[:SHOWN], np.argsort(-behind[:-1], kind="stable")[:SHOWN]
    return {
        "steps": len(said),
        "unknown_events": int(sum((own == events.unknown).sum() for own in sets)),
        "log_probability": math.fsum(said),
        "nats_per_step": -math.fsum(said) / len(said),
        "surprising": [int(step) + 1 for step in surprising],
        "surprising_log_probability": [round(float(said[step]), 6) for step in surprising],
        "surprising_events": [events.decode(sets[step].tolist()) for step in surprising],
        "next": events.decode(expected.tolist()),
        "next_probability": [round(float(behind[number]), 6) for number in expected],
        "log_probability_steps": [round(float(value), 6) for value in said],
    }


def _lines(events: Events, expected: Array, came: Array) -> list[dict[str, Any]]:
    """For each event that came or was expected at all, how much in ninths and whether, step by step, as digits."""
    levels = np.ceil(9 * expected - SHADE).clip(0, 9).astype(int)
    told = [number for number in range(events.unknown) if came[:, number].any() or levels[:, number].any()]
    kept = sorted(told, key=lambda number: -int(came[:, number].sum()) * 10 * len(came) - int(levels[:, number].sum()))
    return [
        {
            "event": str(events.events[number]),
            "expected": "".join(map(str, levels[:, number])),
            "came": "".join(map(str, came[:, number].astype(int))),
        }
        for number in sorted(kept[:LINES])
    ]
