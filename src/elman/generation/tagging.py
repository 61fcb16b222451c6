"""Series without end, tagged step by step as they come, one or many side by side: what is kept of each is one state.

It knows a network with a reader of series, one recurrence of one direction and a head for each kind of tag; nothing of
sensors and runs.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elman.errors import DataError, UsageError
from elman.generation import kept
from elman.generation.kept import Forking, Kept
from elman.generation.side_by_side import SideBySide
from elman.generation.stream import FEW
from elman.layers.arguments import as_hidden
from elman.modalities.series import FARTHEST, Series
from elman.modalities.tags import Tags

BETWEEN = re.compile(r"\s*[,;\s]\s*")
"""What stands between the numbers of a line."""


class Tagged(NamedTuple):
    """What came of reading on: for each time step its tags and how probable they are, and the state behind the last."""

    answers: list[dict[str, Any]]
    state: Kept


class Tagger(SideBySide[Tensor, Tagged]):
    """Tags series. A state has the recurrent state, the measurements before, and how many time steps there were.

    Attributes:
        channels: numbers in a time step.

    """

    def __init__(self, network: Any, series: Series, outputs: Mapping[str, Any]) -> None:
        """Begin.

        Args:
            network: in eval mode, its recurrence of one direction.
            series: how measurements are scaled.
            outputs: what is answered, by name; what is answered once for a whole row is not told.

        Raises:
            UsageError: if the network reads series from both ends.

        """
        if network.recurrence.bidirectional:
            raise UsageError(
                "this run reads every series from both ends, so it needs the end before it can begin; train one with "
                "--no-bidirectional to tag a stream"
            )
        super().__init__(network)
        self._series, self.channels = series, series.channels
        self._tags = {name: output for name, output in outputs.items() if isinstance(output, Tags)}
        self._heads = dict(zip(network.names, network.outputs, strict=True))
        nothing = {"before": torch.zeros(0, self.channels), "steps": torch.tensor([0])}
        self.fresh = nothing | kept.begun(network.recurrence)

    def check(self, state: Kept) -> None:
        """Raise UsageError where a state is not one of this network."""
        kept.check(state, self.fresh, {"before": (0, 1)})
        steps = int(state["steps"])
        if steps < 0 or (steps > 0) != (len(state["before"]) > 0):
            raise UsageError(f"the state says {steps} steps, which does not fit the rest; send it as it was saved")

    def scaled(self, values: ArrayLike) -> Tensor:
        """Return z-scores (T, C) of measurements (T, C), (C,) for one time step, or (T,) where there is one channel.

        Raises:
            DataError: if they are of another shape, or no finite numbers.

        """
        try:
            given = np.asarray(values, np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"a stream of this run reads {self.channels} numbers in a time step, got others") from error
        if given.ndim == 1 and (self.channels == 1 or len(given) in (0, self.channels)):
            given = given.reshape(-1, self.channels)
        finite = bool(np.isfinite(given).all())
        if given.ndim != 2 or given.shape[1] != self.channels or not finite:
            raise DataError(
                f"a stream of this run reads {self.channels} finite numbers in a time step, got an array of shape "
                f"{given.shape}{'' if finite else ' with others in it'}"
            )
        scores = self._series.scores(given)
        if (np.abs(scores) > FARTHEST).any():
            raise DataError("a time step holds a number too far from those of training to be computed with; mend it")
        return torch.from_numpy(scores.astype(np.float32))

    @torch.inference_mode()
    def read(self, feeds: Sequence[tuple[Kept, Tensor]]) -> list[Tagged]:
        """Read on from each state the z-scores (T, C) beside it, T at least 1."""
        counts = [len(values) for _, values in feeds]
        first = torch.stack([torch.cat([state["before"], values])[0] for state, values in feeds])
        values = pad_sequence([values for _, values in feeds]).to(self._device)
        read = self._network.reader(values, first.to(self._device))
        features, carried = self._scan(read, [state for state, _ in feeds], counts)
        answers = iter(self.answers(features))
        return [
            Tagged(
                [next(answers) for _ in range(count)],
                {"before": given[-1:].clone(), "steps": state["steps"] + count} | own,
            )
            for (state, given), count, own in zip(feeds, counts, carried, strict=True)
        ]

    def answers(self, features: Tensor) -> list[dict[str, Any]]:
        """Return the most probable tag of every time step by its features (N, H), and its probability."""
        found: list[dict[str, Any]] = [{} for _ in features]
        for name, tags in self._tags.items():
            best = self._heads[name].head(features).softmax(-1).max(-1)
            for answer, sure, number in zip(found, best.values.tolist(), best.indices.tolist(), strict=True):
                answer |= {name: tags.values[number], f"{name}_probability": round(sure, 6)}
        return found


class SeriesStream(Forking):
    """Measurements without end, tagged by a trained network as they come; what is kept of them is one state.

        stream = run.stream()
        for values in sensor:
            (answer,) = stream.feed(values)  # {"phase": "walk", "phase_probability": 0.97}

    Tags are the most probable ones of each time step, given all before it: what `predict` answers, except where tags in
    BIO form would not fit together. `state` is a copy of all that was read, as plain tensors by name: save it, move it,
    set it in another stream of the same run. A copy of a stream (`copy.copy`) goes on by itself from where this one is.

    Attributes:
        tagger: what reads.

    """

    own = ("_stepper",)

    def __init__(self, network: Any, series: Series, outputs: Mapping[str, Any]) -> None:
        """Begin; UsageError if the network reads from both ends. The arguments are those of a `Tagger`."""
        self.tagger = Tagger(network, series, outputs)
        self._reader, self._stepper = network.reader, network.recurrence.stepper()
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.state = self.tagger.fresh

    def feed(self, values: ArrayLike) -> list[dict[str, Any]]:
        """Read on, and return for each time step its tags and their probabilities.

        Args:
            values: (C,), one time step; or (T, C), several.

        Raises:
            DataError: if they are of another shape, or no finite numbers.

        """
        scaled = self.tagger.scaled(values)
        if len(scaled) < FEW:
            return [answer for k in range(len(scaled)) for answer in self._step(scaled[k : k + 1])]
        (found,) = self.tagger.read([(self.state, scaled)])
        self.state = found.state
        return found.answers

    def follow(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Read lines, each the numbers of a time step, as JSON or with commas or spaces between, and tag each."""
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                (answer,) = self.feed(np.asarray(_numbers(line), np.float64).reshape(1, -1))
            except (ValueError, TypeError, DataError) as error:
                raise DataError(
                    f"line {number}, {line.strip()[:60]!r}, is not a time step of this run, which has "
                    f"{self.tagger.channels} numbers; mend it"
                ) from error
            yield {"step": self._steps} | answer

    @property
    def state(self) -> dict[str, Tensor]:
        """All that was read, as tensors by name; a copy. It can be set."""
        named = zip(self.tagger.names, kept.carried(self._stepper), strict=True)
        return {"before": self._before.clone(), "steps": torch.tensor([self._steps])} | dict(named)

    @state.setter
    def state(self, state: Kept) -> None:
        self.tagger.check(state)
        self._before, self._steps = state["before"].clone(), int(state["steps"])
        self._stepper.state = as_hidden(tuple(state[name] for name in self.tagger.names))

    @torch.inference_mode()
    def _step(self, values: Tensor) -> list[dict[str, Any]]:
        """Read one time step (1, C)."""
        read = self._reader(values.unsqueeze(0), self._before if self._steps else values)
        self._before, self._steps = values, self._steps + 1
        return self.tagger.answers(self._stepper(read[0]))


def _numbers(line: str) -> Any:
    return json.loads(line) if line.lstrip().startswith("[") else [float(word) for word in BETWEEN.split(line.strip())]
