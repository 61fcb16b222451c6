"""Truncated back-propagation through time over contiguous lanes of one long stream.

Every `advance` (k1) time steps the weights are updated by the error of those steps, propagated back through the last
`window` (k2) steps. With k1 = k2 the stream is cut into windows; the state is always carried over, never the gradient.

Source: Williams & Peng 1990, An efficient gradient-based algorithm; k1 and k2 after Sutskever 2013, section 2.8.6.
"""

import torch
from torch import Tensor

from elman.data.share import WHOLE, Share
from elman.data.stream import Lanes, Window
from elman.topologies.synced import SyncedManyToMany
from elman.types import State


class Windows:
    """The windows of a stream, one after the other, over and over.

    Attributes:
        position: the step of every lane at which the next window begins.
        epoch: how often the stream was read to its end.
    """

    def __init__(self, lanes: Lanes, window: int, advance: int) -> None:
        self.lanes, self.window, self.advance = lanes, window, advance
        self.position = self.epoch = 0

    @property
    def epochs(self) -> float:
        """Passes over the stream, with the begun one."""
        return self.epoch + self.position / self.lanes.length

    @property
    def smallest(self) -> int:
        """Lanes of a window."""
        return self.lanes.lanes

    def next(self, share: Share = WHOLE) -> Window:
        """Return the share's lanes of the next window and move on; at the stream's end begin anew, with `fresh` set."""
        steps = min(self.window, self.lanes.length - self.position)
        inputs, targets = self.lanes.window(self.position, steps, share)
        fresh = self.position == 0
        scored = None
        if not fresh and self.advance < self.window:
            scored = torch.zeros(targets.shape, dtype=torch.bool)
            scored[self.window - self.advance :] = True
        self.position += self.advance
        if self.position + (self.window - self.advance) >= self.lanes.length:
            self.position, self.epoch = 0, self.epoch + 1
        return Window(inputs, targets, scored, fresh)

    def state(self) -> dict[str, int]:
        """Return where the stream stands, for a checkpoint."""
        return {"position": self.position, "epoch": self.epoch}

    def restore(self, state: dict[str, int]) -> None:
        """Go on where `state` was taken."""
        self.position, self.epoch = state["position"], state["epoch"]


def loss(module: SyncedManyToMany, window: Window, carry: State | None, advance: int) -> tuple[Tensor, State]:
    """Return the mean loss of a window's scored steps, and the state `advance` steps on, cut from the graph.

    Args:
        module: the network.
        window: T steps of B lanes.
        carry: the state before the window, or None; ignored where the window is fresh.
        advance: k1; the state is returned from there, since the next window begins there.
    """
    state = None if window.fresh else carry
    scores, middle = module(window.inputs[:advance], state)
    if advance < len(window.inputs):
        rest, _ = module(window.inputs[advance:], middle)
        scores = torch.cat([scores, rest])
    return module.head.loss(scores, window.targets, window.scored), tuple(s.detach() for s in middle)
