"""A causal network that listens on and on: samples in pieces of any length, text as it is heard, in constant memory.

It knows a network with a reader of recordings, one recurrence and one head, and the modalities of both ends; nothing of
runs, files and microphones.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from elman.errors import DataError
from elman.generation.hearing import Listener, Sound
from elman.generation.kept import Forking, Kept
from elman.modalities.recordings import Recordings
from elman.modalities.transcripts import Transcripts

PIECE = 0.1
"""Seconds that are read at a time from what has no end."""
LOUDEST = 32_768
"""What 16 bits count to."""


class SpeechStream(Forking):
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
        listener: what hears.
    """

    def __init__(self, network: Any, recordings: Recordings, transcripts: Transcripts) -> None:
        """Begin; UsageError if the network hears recordings from both ends. The arguments are those of a `Listener`."""
        self.listener = Listener(network, recordings, transcripts)
        self.rate = self.listener.rate
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._state = self.listener.fresh

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
        return self._hear(Sound(given))

    def finish(self) -> str:
        """Return the text that the end brings, and begin anew."""
        return self._hear(Sound(torch.zeros(0), end=True))

    def follow(self, source: BinaryIO | TextIO) -> Iterator[dict[str, Any]]:
        """Hear raw samples of 16 bits, the lower byte first, as they come; yield each word with the second it ended.

        Args:
            source: a binary file, or a text file upon one, as standard input is.
        """
        word, seconds, half = "", 0.0, b""
        binary: Any = getattr(source, "buffer", source)
        while piece := binary.read(2 * round(PIECE * self.rate)):
            piece = half + piece  # what is not buffered may end in the middle of a sample
            stop = len(piece) // 2 * 2
            samples, half = np.frombuffer(piece[:stop], "<i2") / LOUDEST, piece[stop:]
            *whole, word = (word + self.feed(samples)).split(" ")
            seconds += len(samples) / self.rate
            yield from ({"seconds": round(seconds, 2), "text": each} for each in whole if each)
        whole = (word + self.finish()).split()
        yield from ({"seconds": round(seconds, 2), "text": each} for each in whole)

    @property
    def state(self) -> dict[str, Tensor]:
        """All that was heard, as tensors by name; a copy. It can be set."""
        return {name: tensor.clone() for name, tensor in self._state.items()}

    @state.setter
    def state(self, state: Kept) -> None:
        self.listener.check(state)
        self._state = {name: tensor.clone() for name, tensor in state.items()}

    def _hear(self, sound: Sound) -> str:
        (heard,) = self.listener.read([(self._state, sound)])
        self._state = heard.state
        return heard.text
