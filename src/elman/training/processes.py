"""Several processes that train one network, each on its share of every batch; all do the same updates.

What they add up is what one process would find on the whole batch, to the rounding of sums. A launcher starts them
(torchrun, accelerate launch, mpirun), on one machine or on several, and they find each other by what it sets in the
environment. They exchange numbers in main memory, whichever devices they compute on; a single process exchanges
nothing. This knows neither what is trained nor on what.
"""

import atexit
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed.nn  # before there is a group: it keeps the one it finds, whose threads would then never end
from accelerate import PartialState
from torch import Tensor, distributed, nn

from elman import randomness
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
    """

    def __init__(self) -> None:
        # By choice accelerate takes MPI where torch has it, in which what torchrun has started is each by itself.
        launched = os.environ.get("LOCAL_RANK", "-1") != "-1"
        try:
            state = PartialState(cpu=True, timeout=PATIENCE, **({"backend": "gloo"} if launched else {}))
        except (RuntimeError, ValueError) as error:
            way = "look at its address and number of processes"
            if "libuv" in str(error):  # Debian's torch is built without it, and not every release says what helps
                way = "set USE_LIBUV=0 in the environment"
            raise RunError(
                f"the processes that a launcher has started do not find each other ({str(error)[:200]}); start one "
                f"without it, or {way}"
            ) from error
        if state.num_processes > 1:
            atexit.unregister(_part)
            atexit.register(_part)
        self.share = Share(state.process_index, state.num_processes)
        self.first = bool(state.is_main_process)

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
            distributed.broadcast_object_list(found)
        if found[1] is not None:
            found[1].told = not self.first
            raise found[1]
        result: Found = found[0]
        return result

    def add(self, numbers: Sequence[float]) -> list[float]:
        """Return the sum over all processes of each number."""
        if not self.several:
            return list(numbers)
        sums = torch.tensor(numbers, dtype=torch.float64)
        with self._together():
            distributed.all_reduce(sums)
        return sums.tolist()

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the sum over all processes into every parameter's gradient."""
        if not self.several:
            return
        learnt = [parameter for parameter in parameters if parameter.requires_grad]
        own = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in learnt])
        flat = own.cpu()
        with self._together():
            distributed.all_reduce(flat)
        summed = torch.split(flat.to(own.device), [p.numel() for p in learnt])
        for parameter, gradient in zip(learnt, summed, strict=True):
            parameter.grad = gradient.view_as(parameter)

    def gathered(self, carry: State | None) -> State | None:
        """Return the state (..., B, H) of all rows, of each process's own rows."""
        if not self.several or carry is None:  # all have one, or none has
            return carry
        parts = self._of_all([tensor.cpu() for tensor in carry])
        whole = []
        for k, own in enumerate(carry):
            rows = sum(part[k].shape[-2] for part in parts)
            tensor = torch.empty(*own.shape[:-2], rows, own.shape[-1], dtype=own.dtype)
            for number, part in enumerate(parts):
                tensor[..., number :: self.share.count, :] = part[k]
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

    def random_states(self, device: torch.device) -> list[Tensor]:
        """Return the state of the generators that every process draws from."""
        own = randomness.state_of(device)
        return self._of_all(own) if self.several else [own]

    def set_random(self, states: Sequence[Tensor], device: torch.device) -> None:
        """Put the generators back, where as many processes go on as there were."""
        if len(states) == self.share.count:
            randomness.set_state(states[self.share.number], device)

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
