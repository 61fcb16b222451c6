"""The training loop: `fit` can be read in one sitting.

It knows nothing of text, tasks or data files: batches come from `batches`, what they cost from `objective`, how good
the network is from `validate`. It guarantees that the best weights so far and a checkpoint lie on the disk whatever
happens, and that a continued run ends with the weights of an uninterrupted one, bit for bit, if the budget is in steps
and the device the CPU.
"""

import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from elman.data.share import WHOLE, Share
from elman.errors import NonFiniteError, UsageError
from elman.training import budget, checkpoint, optimizer, precision
from elman.training.average import averaged, due
from elman.training.budget import Progress
from elman.training.cost import Cost
from elman.training.device import CPU
from elman.training.interrupt import Interruption
from elman.training.options import TrainingOptions
from elman.training.processes import Processes
from elman.training.waiting import Waiting
from elman.types import State

CHECKPOINT_SECONDS = 20.0
RECORD_STEPS = 10
DIAGNOSIS_SHARE = 0.05
NORMS_KEPT = 200


class Batches(Protocol):
    """Where batches come from; endless, and able to go on where an earlier run stood."""

    @property
    def epochs(self) -> float:
        """Passes over the data so far."""

    @property
    def smallest(self) -> int:
        """Rows in the smallest batch."""

    def next(self, share: Share = WHOLE) -> Any:
        """Return the share's rows of the next batch."""

    def state(self) -> dict[str, int]:
        """Return the position."""

    def restore(self, state: dict[str, int]) -> None:
        """Go to a position."""


class Monitor(Protocol):
    """Who is told how training goes."""

    def training(self, share: float, values: dict[str, float]) -> None:
        """Take the mean loss, rate, gradient norm and speed of the last updates; `share` of the budget is spent."""

    def validation(self, share: float, values: dict[str, float]) -> None:
        """Take the loss of a validation."""

    def diagnosis(self, values: dict[str, Any]) -> None:
        """Take what was seen inside the network."""


Objective = Callable[[nn.Module, Any, State | None], Cost]
"""(network, batch, carried state) -> what the batch costs."""

Inspect = Callable[[nn.Module, Callable[[], Tensor], torch.optim.Optimizer, Sequence[float]], dict[str, Any]]
"""(network, a function that gives the last batch's loss, optimizer, gradient norms so far) -> what was seen inside."""


@dataclass(frozen=True)
class Job:
    """All that one training needs.

    Attributes:
        module: the network; it ends with the best weights.
        batches: where batches come from.
        objective: what a batch costs.
        validate: the validation loss of a network.
        options: how to train.
        model_file: where the best weights are kept.
        checkpoint_file: where the state for `--resume` is kept.
        monitor: who is told.
        device: where to train.
        resume: whether to go on from the checkpoint.
        pretrained: whether the network was trained before, so that its first weights may be the best.
        inspect: looks inside the network, as often as the options say, and changes nothing; None for never.
        interruption: whether the user asked for an end; a validation is cut short by it.
    """

    module: nn.Module
    batches: Batches
    objective: Objective
    validate: Callable[[nn.Module], float]
    options: TrainingOptions
    model_file: Path
    checkpoint_file: Path
    monitor: Monitor
    device: torch.device = CPU
    resume: bool = False
    pretrained: bool = False
    inspect: Inspect | None = None
    interruption: Interruption = field(default_factory=Interruption)


def fit(job: Job, begins: Callable[[int], None], processes: Processes) -> tuple[str, Progress]:
    """Train until the budget is spent, patience is lost or the user interrupts.

    Args:
        job: what to train, on what, how.
        begins: is told the step from which training goes on, before anything is written.
        processes: this one and those that train with it; only the first one writes.

    Returns:
        "finished", "stopped" (patience) or "interrupted", and how far training came.

    Raises:
        NonFiniteError: a loss or gradient is no longer a number; the last good state stays on the disk.
    """
    trainer = Trainer(job, processes)
    progress, options = trainer.progress, job.options
    begins(progress.step)
    trainer.write_best()
    begins_with_one = progress.owed or (job.pretrained and not job.resume)
    ending = trainer.validate() if begins_with_one else None
    with Waiting() as waiting:
        while ending is None and (share := budget.spent(options, progress)) < 1:
            trainer.update(share)
            waiting.updated()
            trainer.look_inside()
            signs = trainer.agree(interrupted=job.interruption.asked)
            if budget.validates(options, share, progress):
                ending = trainer.validate()
            if ending is None and signs.interrupted:
                ending = "interrupted"
            elif ending is None and signs.save:
                trainer.save()
    trainer.finish()
    return ending or "finished", progress


class Signs(NamedTuple):
    """What all processes agree to do after an update: to stop, because one was interrupted, and to save."""

    interrupted: bool
    save: bool


class Trainer:
    """A network in training: its optimizer, its averaged weights, its carried state, and how far it has come."""

    def __init__(self, job: Job, processes: Processes) -> None:
        self.job, self.processes, self.device = job, processes, job.device
        self.kind = precision.resolve(job.options.precision, self.device)
        self.module = job.module.to(self.device)
        self.matmuls = precision.matmuls(self.kind, self.device, self.module)
        self.parameters = list(self.module.parameters())
        self.modules: dict[str, nn.Module] = {"model": self.module}
        self.average: AveragedModel | None = None
        if job.options.average:
            self.average = averaged(self.module, job.options.average).to(self.device)  # a copy's weights lie apart
            self.modules["average"] = self.average
        self.optimizer = optimizer.build(self.module, job.options)
        self.carry: State | None = None
        self.progress = Progress()
        self.best: checkpoint.Tensors = {}
        if processes.share.count > job.batches.smallest:
            raise UsageError(
                f"{processes.share.count} processes cannot share batches of {job.batches.smallest} rows; start fewer, "
                "or make the batches larger"
            )
        if job.resume:
            self.restore()
        self.norms: deque[float] = deque(maxlen=NORMS_KEPT)
        self.last: tuple[Any, State | None] = (None, None)
        self.looking = 0.0
        self.meter = Meter(self.progress.symbols)
        self.started = time.perf_counter() - self.progress.seconds
        self.saved = time.perf_counter()
        self.module.train()

    @property
    def kept(self) -> nn.Module:
        """The network whose weights are worth keeping: the averaged one, if there is one."""
        return self.module if self.average is None else self.average.module

    def update(self, share: float) -> None:
        """Do one update of the weights."""
        job, options, progress = self.job, self.job.options, self.progress
        rate = budget.rate(options, progress)
        self.optimizer.zero_grad()
        for _ in range(options.accumulate):
            self.last = (job.batches.next(self.processes.share), self.carry)
            with self.matmuls():
                cost = job.objective(self.module, *self.last)
            self.carry = cost.carry
            *counts, seen = self.processes.add([*cost.counts, cost.seen])
            loss = cost.share(counts)
            torch.autograd.backward(loss / options.accumulate)
            (whole,) = self.processes.add([loss.item()])
            self.meter.add(whole, int(seen))
        self.processes.add_gradients(self.parameters)
        norm, scale = optimizer.clip(self.parameters, options)
        self._check_finite(norm, rate)
        self.norms.append(norm)
        optimizer.step(self.optimizer, rate, scale)
        if self.average is not None and due(progress.step + 1):
            self.average.update_parameters(self.module)
        progress.step, progress.epochs = progress.step + 1, job.batches.epochs
        progress.symbols, progress.seconds = self.meter.targets, time.perf_counter() - self.started
        if progress.step % RECORD_STEPS == 0:
            job.monitor.training(share, self.meter.read(progress, rate, norm))

    def agree(self, *, interrupted: bool) -> Signs:
        """Let the first process's clock say how long training has taken and whether to save, and any one stop all."""
        seconds, due = time.perf_counter() - self.started, time.perf_counter() - self.saved > CHECKPOINT_SECONDS
        clock = (seconds, due) if self.processes.first else (0.0, 0.0)
        self.progress.seconds, save, stop = self.processes.add([*clock, interrupted])
        return Signs(stop > 0, save > 0)

    def look_inside(self) -> None:
        """Look inside the network on the last batch, where that is due and has not taken too much of the time."""
        job, progress, every = self.job, self.progress, self.job.options.diagnosis_steps()
        if job.inspect is None or every is None or progress.step % every or not self.processes.first:
            return
        begun = time.perf_counter()
        if self.looking > DIAGNOSIS_SHARE * (begun - self.started):
            return

        def loss() -> Tensor:
            return job.objective(self.module, *self.last).loss

        # A batch of short rows may have nothing to follow; and a GPU warns that the states of all steps take a loop.
        with suppress(UsageError), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            seen = job.inspect(self.module, loss, self.optimizer, self.norms)
            job.monitor.diagnosis({"step": progress.step, "seconds": round(progress.seconds, 3)} | seen)
        self.looking += time.perf_counter() - begun

    def validate(self) -> str | None:
        """Score the network, and keep it if it is the best so far.

        Returns:
            How training ends by that: "stopped", patience is lost; "interrupted", it was cut short; or None.
        """
        job, progress = self.job, self.progress
        kept = self.kept.eval()
        with torch.inference_mode(), self.matmuls():
            loss = self.processes.from_first(lambda: job.interruption.unless_cut(lambda: job.validate(kept)))
        self.module.train()
        progress.owed = loss is None
        if loss is None:
            return "interrupted"
        if math.isnan(loss):
            raise self._diverged("the validation loss became nan", progress.step, self.optimizer.param_groups[0]["lr"])
        progress.validations, progress.stale = progress.validations + 1, progress.stale + 1
        progress.validated = progress.step
        self.agree(interrupted=False)
        if loss < progress.best or not self.best:
            progress.best, progress.stale = loss, 0
            self.keep()
        values = {"step": progress.step, "seconds": progress.seconds, "epoch": progress.epochs, "valid_loss": loss}
        job.monitor.validation(budget.spent(job.options, progress), values)
        lost = job.options.patience is not None and progress.stale >= job.options.patience
        return "stopped" if lost else None

    def keep(self) -> None:
        """Take the network as it is for the best so far."""
        self.progress.best_step = self.progress.step
        self.best = {name: value.detach().clone() for name, value in self.kept.state_dict().items()}
        self.write_best()

    def save(self) -> None:
        """Write a checkpoint."""
        together, position = self.processes, self.job.batches.state()
        carry, random = together.gathered(self.carry), together.random_states(self.device)
        if together.first:
            kept = checkpoint.Kept(self.best, carry, random, self.progress, position)
            checkpoint.save(self.job.checkpoint_file, self.modules, self.optimizer, kept)
        self.saved = time.perf_counter()

    def restore(self) -> None:
        """Go back to the checkpoint."""
        kept = checkpoint.load(self.job.checkpoint_file, self.modules, self.optimizer)
        carry = self.processes.own(kept.carry)
        self.carry = None if carry is None else tuple(tensor.to(self.device) for tensor in carry)
        self.best, self.progress = kept.best, kept.progress
        self.processes.set_random(kept.random, self.device)
        self.job.batches.restore(kept.position)

    def write_best(self) -> None:
        """Write the best weights so far, if there are any."""
        if self.best and self.processes.first:
            checkpoint.write_tensors(self.job.model_file, self.best, {})

    def finish(self) -> None:
        """Save, score what was not scored yet, and put the best weights into the network, on the CPU.

        A validation that an uninterrupted run would not do comes after the checkpoint: it leaves no trace when the run
        is continued. Without any that was not cut short, the last weights are kept.
        """
        self.save()
        if not self.progress.owed and (self.progress.validated < self.progress.step or not self.best):
            self.validate()
        if not self.best:
            self.keep()
        self.module.to(CPU).load_state_dict(self.best)
        self.module.eval()

    def _check_finite(self, norm: float, rate: float) -> None:
        loss = self.meter.last
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}", self.progress.step + 1, rate)
        if not math.isfinite(norm):
            raise self._diverged(f"the gradient's norm became {norm}", self.progress.step + 1, rate)

    def _diverged(self, what: str, step: int, rate: float) -> NonFiniteError:
        remedies = [f"a lower rate (--rate {rate / 4:.2g})"]
        remedies += [] if self.job.options.clip else ["clipping (--clip 1)"]
        remedies += ["--precision float32"] if self.kind != "float32" else []
        return NonFiniteError(
            f"{what} at step {step} (learning rate {rate:.2g}); "
            f"{'the best weights so far are kept' if self.best else 'there were no weights to keep yet'}. "
            f"Try {', or '.join(remedies)}"
        )


class Meter:
    """Means of the last updates, and how many targets were learnt from in all."""

    def __init__(self, targets: int) -> None:
        self.targets = targets
        self.last = math.nan
        self._losses: list[float] = []
        self._since, self._counted = time.perf_counter(), targets

    def add(self, loss: float, targets: int) -> None:
        """Take one batch."""
        self.last = loss
        self.targets += targets
        self._losses.append(loss)

    def read(self, progress: Progress, rate: float, norm: float) -> dict[str, float]:
        """Return the record since the last reading, and begin a new one."""
        now = time.perf_counter()
        speed = (self.targets - self._counted) / max(now - self._since, 1e-9)
        loss = sum(self._losses) / len(self._losses)
        self._losses, self._since, self._counted = [], now, self.targets
        return {
            "step": progress.step,
            "seconds": round(progress.seconds, 3),
            "epoch": round(progress.epochs, 4),
            "loss": loss,
            "rate": rate,
            "gradient_norm": norm,
            "symbols_per_second": round(speed, 1),
        }
