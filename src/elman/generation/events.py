"""Sets of events without end, read as they come, one sequence or many side by side: what is kept of each is one state.

It knows a synced network whose reader takes sets and whose head says what comes next, and the events that these are
of; nothing of runs and terminals.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elman.data import text
from elman.errors import DataError, UsageError
from elman.generation import kept
from elman.generation.kept import Forking, Kept, Read
from elman.generation.sample import Sampling, check_length, draw
from elman.generation.side_by_side import SideBySide
from elman.generation.stream import FEW
from elman.layers.arguments import as_hidden
from elman.modalities.events import Event, Events
from elman.names import first_few

PIECE = 256
"""Time steps that are read at once at most."""
NEXT = 5
"""Events that are told as expected where nobody says how many."""


class EventReading(SideBySide[Tensor, Read]):
    """Reads sets. A state has the recurrent state, what tells the next set, and how many time steps there were.

    Attributes:
        events: what the sets are of.

    """

    def __init__(self, network: Any, events: Events) -> None:
        """Begin.

        Args:
            network: in eval mode.
            events: what its sets are of.

        """
        super().__init__(network)
        self.events = events
        begin = torch.full((1, 1, 1), events.begin, device=self._device)
        with torch.inference_mode():
            features, state = network.read(begin)
        carried = {name: tensor.cpu().clone() for name, tensor in zip(self.names, state, strict=True)}
        self.fresh = carried | {"features": features[0].cpu().clone(), "steps": torch.tensor([0])}

    def check(self, state: Kept) -> None:
        """Raise UsageError where a state is not one of this network."""
        kept.check(state, self.fresh)
        if int(state["steps"]) < 0:
            raise UsageError(f"the state says {int(state['steps'])} steps; send it as it was saved")
        with torch.inference_mode():
            said = self._network.head(state["features"].to(self._device)).abs().sum()
        if not bool(torch.isfinite(said)):  # then no set has a probability
            raise UsageError(
                "the state's tensor 'features' holds values too large to be computed with; send it as saved"
            )

    def sets(self, steps: Any) -> Tensor:
        """Return time steps, each a list of events, as numbers (T, 1, K); DataError where they are none."""
        if isinstance(steps, str | bytes) or not hasattr(steps, "__iter__"):
            raise DataError(
                f"a stream of this run reads a list of time steps, each a list of events, got {steps!r:.60}"
            )
        rows = [self.events.encode_step(step)[0, 0] for step in steps]
        found = pad_sequence(rows, batch_first=True, padding_value=self.events.nothing) if rows else torch.zeros(0, 0)
        return found.long().unsqueeze(1)

    @torch.inference_mode()
    def read(self, feeds: Sequence[tuple[Kept, Tensor]]) -> list[Read]:
        """Read on from each state the sets (T, 1, K) beside it, T at least 1."""
        counts = [len(sets) for _, sets in feeds]
        most = max(1, *(sets.shape[2] for _, sets in feeds))
        sets = torch.full((max(counts), len(feeds), most), self.events.nothing)
        for row, (_, own) in enumerate(feeds):
            sets[: len(own), row, : own.shape[2]] = own[:, 0]
        sets = sets.to(self._device)
        line, carried = self._scan(self._network.reader(sets), [state for state, _ in feeds], counts)
        behind = [  # every set, and before the first
            torch.cat([state["features"].to(self._device), features])
            for (state, _), features in zip(feeds, line.split(counts), strict=True)
        ]
        asked = torch.cat([features[:-1] for features in behind])
        came = torch.cat([sets[:count, row] for row, count in enumerate(counts)])
        found = self._network.head.log_probabilities(asked, came).split(counts)
        return [
            Read(
                said.tolist(),
                own | {"features": features[-1:].cpu().clone(), "steps": state["steps"] + len(said)},
            )
            for (state, _), said, features, own in zip(feeds, found, behind, carried, strict=True)
        ]

    @torch.inference_mode()
    def expected(self, features: Tensor, count: int) -> list[tuple[Event, float]]:
        """The events that are the most probable in the next set, by features (1, H), each with its probability."""
        shares = torch.sigmoid(self._network.head(features.to(self._device))[0, :-1])
        best = shares.topk(min(count, len(shares)))
        return list(zip(self.events.decode(best.indices.tolist()), best.values.tolist(), strict=True))


class EventStream(Forking):
    """Sets of events without end, read by a trained network as they come; what is kept of them is one state.

        stream = run.stream()
        for chord in keyboard:  # {60, 64, 67}
            surprise = -stream.feed(chord)  # nats, given everything before it
            print(stream.expected())  # [(67, 0.93), (60, 0.71), ...]

    `state` is a copy of all that was read, as plain tensors by name: save it, move it, set it in another stream of the
    same run. A copy of a stream (`copy.copy`) goes on by itself from where this one is; they share the network.

    Attributes:
        reading: what reads.
        features: (1, H), from which the next set is told.

    """

    own = ("_stepper",)

    def __init__(self, network: Any, events: Events, weights: torch.dtype | None = None) -> None:
        """Begin.

        Args:
            network: in eval mode.
            events: what its sets are of.
            weights: torch.bfloat16 or torch.int8 to keep the recurrent matrices in less memory, rounded.

        """
        self.reading = EventReading(network, events)
        self._network, self._stepper = network, network.recurrence.stepper(weights=weights)
        self._rounded = weights is not None
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.state = self.reading.fresh

    def feed(self, events: Iterable[Event]) -> float:
        """Read one time step, and return ln P of its set of events, given everything before it.

        Args:
            events: whole numbers, or texts, as in training, in any order; an empty set is one too. Events that training
                has never seen are read as the one unknown event.

        Raises:
            DataError: if they are no events of the run's kind.

        """
        return self._step(self.reading.events.encode_step(events))

    def read(self, steps: Iterable[Iterable[Event]]) -> list[float]:
        """Read several time steps, all or none, and return ln P of each; arguments and errors as of `feed`."""
        sets = self.reading.sets(steps)
        if len(sets) < FEW or self._rounded:
            return [self._step(sets[k : k + 1]) for k in range(len(sets))]
        found: list[float] = []
        for piece in torch.split(sets, PIECE):
            (said,) = self.reading.read([(self.state, piece)])
            self.state, found = said.state, found + said.log_probabilities
        return found

    def expected(self, count: int = NEXT) -> list[tuple[Event, float]]:
        """The events that are the most probable in the next set, each with its probability, the most probable first.

        Raises:
            UsageError: if `count` is not positive.

        """
        if count < 1:
            raise UsageError(f"expected({count}) asks for no event; give a positive number")
        return self.reading.expected(self.features, count)

    def draw(self, sampling: Sampling, generator: torch.Generator) -> list[Event]:
        """Draw what may come next, without reading it."""
        choose = partial(draw, unknown=None, sampling=sampling, generator=generator)
        with torch.inference_mode():
            return self.reading.events.decode(self._network.head.draw(self.features, choose))

    def follow(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Read lines, each a time step as a JSON list of events, and say how probable each was, and what is next."""
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                events = json.loads(line)
                found = self.feed(events)
            except (ValueError, DataError) as error:
                raise DataError(
                    f"line {number}, {line.strip()[:60]!r}, is no time step of this run: a JSON list of "
                    f"{self.reading.events.kind}, such as {json.dumps(self.reading.events.events[:2])}; mend it"
                ) from error
            likely = [event for event, _ in self.expected()]
            yield {"step": self._steps, "log_probability": found, "events": events, "next": likely}

    @property
    def state(self) -> dict[str, Tensor]:
        """All that was read, as tensors by name; a copy. It can be set."""
        named = zip(self.reading.names, kept.carried(self._stepper), strict=True)
        return dict(named) | {"features": self.features.cpu().clone(), "steps": torch.tensor([self._steps])}

    @state.setter
    def state(self, state: Mapping[str, Tensor]) -> None:
        self.reading.check(state)
        device = next(self._network.parameters()).device
        self.features, self._steps = state["features"].to(device, copy=True), int(state["steps"])
        self._stepper.state = as_hidden(tuple(state[name] for name in self.reading.names))

    @torch.inference_mode()
    def _step(self, sets: Tensor) -> float:
        """Read one set (1, 1, K)."""
        sets = sets.to(self.features.device)
        found = float(self._network.head.log_probabilities(self.features, sets[0]))
        self.features = self._stepper(self._network.reader(sets)[0]).clone()
        self._steps += 1
        return found


def generate(stream: EventStream, prompt: str, length: int, sampling: Sampling) -> Iterator[str]:
    """Yield `length` sets that continue a prompt, each a JSON list in a line of its own.

    Args:
        stream: of the trained network, with nothing read.
        prompt: sets to begin with, as JSON: a list of them, or one in each line, as they are generated.
        length: how many sets to draw.
        sampling: how.

    Raises:
        UsageError: the prompt is no list of sets, or holds events that the network has never seen.

    """
    steps = _prompt(prompt, stream.reading.events)
    check_length(length)
    return _generate(stream, steps, length, sampling)


def _generate(stream: EventStream, steps: list[list[Event]], length: int, sampling: Sampling) -> Iterator[str]:
    generator = torch.Generator().manual_seed(sampling.seed)
    stream.read(steps)
    for number in range(length):
        found = stream.draw(sampling, generator)
        stream.feed(found)
        yield "\n" * bool(number or steps) + json.dumps(found, ensure_ascii=False)


def _prompt(prompt: str, events: Events) -> list[list[Event]]:
    """The sets of a prompt."""
    steps: list[Any] = []
    try:
        for line in filter(str.strip, text.split(prompt)):
            found = json.loads(line)
            several = isinstance(found, list) and found and all(isinstance(each, list) for each in found)
            steps += found if several else [found]
        for step in steps:
            events.encode_step(step)
    except (ValueError, RecursionError, DataError) as error:  # RecursionError: nested too deeply
        example = json.dumps([events.events[:2], events.events[:1]], ensure_ascii=False)
        raise UsageError(
            f"the prompt is no list of sets of {events.kind}; write JSON, such as {example}, or a set in each line"
        ) from error
    known = set(events.events)
    if unseen := [event for step in steps for event in step if event not in known]:
        raise UsageError(
            f"the prompt holds events that the network has never seen: {first_few(unseen)}; leave them out"
        )
    return steps
