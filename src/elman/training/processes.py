"""Several processes that train one network, each on its share of every batch; all do the same updates.

What they add up is what one process would find on the whole batch, to the rounding of sums. A launcher starts them
(torchrun, accelerate launch, mpirun), on one machine or on several, and they find each other by what it sets in the
environment. A single process exchanges nothing. This knows neither what is trained nor on what.
"""

import atexit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from torch import Tensor, distributed, nn

from elman.data.share import Share
from elman.errors import ElmanError, RunError
from elman.types import State

PATIENCE = timedelta(hours=3)
"""How long one waits for another, which may be preparing data or scoring."""

Found = TypeVar("Found")


def speaks() -> bool:
    """Whether this is the process, of those that have trained together, that tells people what came of it."""
    first: bool = Processes().first
    return first


def _part() -> None:
    """End torch's threads that talk to the others: at the interpreter's end they would now and then abort it."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


class Processes:
    """This process and the others.

    Attributes:
        share: which one this is, and how many there are.
        first: whether this is the one that writes, scores and reports.
        device: where this one computes.
    """

    def __init__(self) -> None:
        try:
            state = PartialState(cpu=not torch.accelerator.is_available(), timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            raise RunError(
                f"the processes that a launcher has started do not find each other ({str(error)[:200]}); start one "
                "without it, or look at its address and number of processes"
            ) from error
        if state.num_processes > 1:
            atexit.unregister(_part)
            atexit.register(_part)
        self.share = Share(state.process_index, state.num_processes)
        self.first = bool(state.is_main_process)
        self.device = state.device

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.share.count > 1

    def from_first(self, find: Callable[[], Found]) -> Found:
        """Return in every process what the first one finds.

        Raises:
            ElmanError: the first one's, in all of them; `told` is set on those of the others.

        """
        if not self.several:
            return find()
        found: list[Any] = [None, None]
        if self.first:
            try:
                found[0] = find()
            except ElmanError as error:
                found[1] = error
        with self._together():
            distributed.broadcast_object_list(found, device=self.device)
        if found[1] is not None:
            found[1].told = not self.first
            raise found[1]
        result: Found = found[0]
        return result

    def add(self, numbers: Sequence[float]) -> list[float]:
        """Return the sum over all processes of each number."""
        if not self.several:
            return list(numbers)
        sums = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        with self._together():
            distributed.all_reduce(sums)
        return sums.tolist()

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the sum over all processes into every parameter's gradient."""
        if not self.several:
            return
        learnt = [parameter for parameter in parameters if parameter.requires_grad]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in learnt])
        with self._together():
            distributed.all_reduce(flat)
        summed = torch.split(flat, [p.numel() for p in learnt])
        for parameter, gradient in zip(learnt, summed, strict=True):
            parameter.grad = gradient.view_as(parameter)

    def gathered(self, carry: State | None) -> State | None:
        """Return the state (..., B, H) of all rows, of each process's own rows."""
        if not self.several:
            return carry
        parts = self._of_all(carry)
        if carry is None:
            return None
        whole = []
        for k, own in enumerate(carry):
            rows = sum(part[k].shape[-2] for part in parts)
            tensor = own.new_empty(*own.shape[:-2], rows, own.shape[-1])
            for number, part in enumerate(parts):
                tensor[..., number :: self.share.count, :] = part[k].to(own.device)
            whole.append(tensor)
        return tuple(whole)

    def own(self, carry: State | None) -> State | None:
        """Return the state of this process's rows, of all rows'."""
        if carry is None or not self.several:
            return carry
        return tuple(tensor[..., self.share.number :: self.share.count, :].contiguous() for tensor in carry)

    def draw_apart(self) -> None:
        """Let torch's generator give every process its own numbers: no two rows of a batch share a dropout mask."""
        if not self.first:
            torch.manual_seed(torch.initial_seed() + self.share.number)

    def random_states(self) -> list[Tensor]:
        """Return the state of torch's generator in every process."""
        return self._of_all(torch.get_rng_state()) if self.several else [torch.get_rng_state()]

    def set_random(self, states: Sequence[Tensor]) -> None:
        """Put the generators back, where as many processes go on as there were."""
        if len(states) == self.share.count:
            torch.set_rng_state(states[self.share.number])

    def wait(self) -> None:
        """Go on when all have come here."""
        self.add([0.0])

    def _of_all(self, value: Any) -> list[Any]:
        found: list[Any] = [None] * self.share.count
        with self._together():
            distributed.all_gather_object(found, value)
        return found

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise RunError(
                f"another one of the {self.share.count} processes that train together has ended ({str(error)[:100]}); "
                "what it says tells why, and --resume goes on from the last checkpoint"
            ) from error
