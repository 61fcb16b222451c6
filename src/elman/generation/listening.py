"""A causal network that listens on and on: samples in pieces of any length, text as it is heard, in constant memory.

It knows a network with a reader of recordings, one recurrence and one head, and the modalities of both ends; nothing of
runs, files and microphones.
"""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, TextIO

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from elman.errors import DataError, UsageError
from elman.modalities.recordings import STEP, Recordings
from elman.modalities.transcripts import Transcripts
from elman.types import State

PIECE = 0.1
"""Seconds that are read at a time from what has no end."""
LOUDEST = 32_768
"""What 16 bits count to."""


class SpeechStream:
    """Speech without end, written down by a trained network as it comes; what is kept of it is one state.

        stream = run.stream()
        for samples in microphone:  # `stream.rate` a second, between -1 and 1, as many as there are
            print(stream.feed(samples), end="")
        print(stream.finish())

    The text is that of the most probable symbol at every time step, what `predict` gives with one beam for the whole
    recording, wherever it is cut into pieces. A time step is told once the frames of `stride` * 10 ms behind it are
    there. `state` is a copy of all that was heard, as plain tensors by name: save it, move it, set it in another stream
    of the same run.

    Attributes:
        rate: samples a second.
    """

    def __init__(self, network: Any, recordings: Recordings, transcripts: Transcripts) -> None:
        """Begin.

        Args:
            network: in eval mode, its recurrence of one direction.
            recordings: how sounds become frames.
            transcripts: what its symbols mean.

        Raises:
            UsageError: if the network hears recordings from both ends.

        """
        if network.recurrence.bidirectional:
            raise UsageError(
                "this run hears every recording from both ends, so it needs the end before it can begin; train one "
                "with --no-bidirectional to hear a stream"
            )
        self._network, self._recordings, self._transcripts = network, recordings, transcripts
        self._device = next(network.parameters()).device
        self.rate = recordings.layout.rate
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        layout = self._recordings.layout
        self._samples = torch.zeros(0)
        self._frames = torch.zeros(layout.stride, layout.bands)  # silence before the first
        self._carried: State | None = None
        self._last = self._transcripts.blank
        self._heard = 0
        self._decoder = self._transcripts.unit.decoder()

    def feed(self, samples: ArrayLike) -> str:
        """Hear on, and return the text that came.

        Args:
            samples: (N,), one channel at `rate` samples a second.

        Raises:
            DataError: if they are of another shape, or no finite numbers.

        """
        given = torch.from_numpy(np.array(samples, np.float32))
        if given.dim() != 1 or not given.isfinite().all():
            raise DataError(
                f"a stream hears one channel of finite numbers at {self.rate} samples a second, got an array of shape "
                f"{tuple(given.shape)}"
            )
        self._heard += len(given)
        self._samples = torch.cat([self._samples, given])
        bank = self._recordings.filterbank
        if len(self._samples) < bank.window:
            return ""
        found = self._recordings.frames(self._samples)
        self._samples = self._samples[len(found) * bank.hop :]
        return self._told(found.float() / STEP)

    def finish(self) -> str:
        """Return the text that the end brings, and begin anew."""
        frames = torch.zeros(0, self._recordings.layout.bands)
        if 0 < self._heard < self._recordings.filterbank.window:
            frames = self._recordings.frames(self._samples).float() / STEP
        text = self._told(torch.cat([frames, torch.zeros(self._recordings.layout.stride, frames.shape[1])]))
        self.reset()
        return text

    def follow(self, source: BinaryIO | TextIO) -> Iterator[dict[str, Any]]:
        """Hear raw samples of 16 bits, the lower byte first, as they come; yield each word with the second it ended.

        Args:
            source: a binary file, or a text file upon one, as standard input is.
        """
        word, seconds = "", 0.0
        binary: Any = getattr(source, "buffer", source)
        while piece := binary.read(2 * round(PIECE * self.rate)):
            samples = np.frombuffer(piece[: len(piece) // 2 * 2], "<i2") / LOUDEST
            *whole, word = (word + self.feed(samples)).split(" ")
            seconds += len(samples) / self.rate
            yield from ({"seconds": round(seconds, 2), "text": each} for each in whole if each)
        whole = (word + self.finish()).split()
        yield from ({"seconds": round(seconds, 2), "text": each} for each in whole)

    @property
    def state(self) -> dict[str, Tensor]:
        """All that was heard, as tensors by name; a copy. It can be set."""
        carried = self._carried or self._begun()
        counts = torch.tensor([self._last, self._heard])
        own = {"samples": self._samples, "frames": self._frames, "counts": counts}
        names = self._network.recurrence.cell.states
        return {name: tensor.clone() for name, tensor in (own | dict(zip(names, carried, strict=True))).items()}

    @state.setter
    def state(self, state: Mapping[str, Tensor]) -> None:
        names, bands = self._network.recurrence.cell.states, self._recordings.layout.bands
        own = {name: tuple(tensor.shape) for name, tensor in zip(names, self._begun(), strict=True)}
        given = {name: tuple(state[name].shape) for name in names if name in state}
        if given != own or not {"samples", "frames", "counts"} <= state.keys() or state["frames"].shape[1] != bands:
            raise UsageError(f"the state of a stream of this run has samples, frames, counts and {own}, got {given}")
        self._samples, self._frames = state["samples"].clone(), state["frames"].clone()
        self._last, self._heard = state["counts"].tolist()
        self._carried = tuple(state[name].clone() for name in names)
        self._decoder = self._transcripts.unit.decoder()

    def _begun(self) -> State:
        """The state that a recording begins with."""
        recurrence = self._network.recurrence
        by_layer = recurrence.by_layer(None, 1)
        return tuple(torch.cat(tensors).detach() for tensors in zip(*by_layer, strict=True))

    @torch.inference_mode()
    def _told(self, frames: Tensor) -> str:
        """The text of the time steps that further frames (T, C) complete."""
        reader, (output,) = self._network.reader, self._network.outputs
        self._frames = torch.cat([self._frames, frames])
        steps = (len(self._frames) - reader.width) // reader.stride + 1
        if steps < 1:
            return ""
        read = reader.over(self._frames.unsqueeze(1).to(self._device))
        self._frames = self._frames[steps * reader.stride :]
        features, self._carried = self._network.recurrence.scan(read, self._carried)
        scores, unknown, text = output.head(features)[:, 0], self._transcripts.unit.unknown, ""
        if unknown is not None:
            scores[:, unknown] = -torch.inf
        for symbol in scores.argmax(-1).tolist():
            if symbol not in (self._last, self._transcripts.blank):
                text += self._decoder.push(symbol)
            self._last = symbol
        return text
