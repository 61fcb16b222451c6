"""`diagnose`: run a module once on a batch, follow the gradient, and draw findings from what was measured.

It knows what is measured and in which order; how, is in the files beside it.
"""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from numbers import Integral, Real
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn

from elman import engine
from elman.diagnosis import flow, gates, nonfinite, truncation, update
from elman.diagnosis.few import Few
from elman.diagnosis.findings import findings
from elman.diagnosis.flow import Ends
from elman.diagnosis.passage import Passage, passages
from elman.diagnosis.result import Diagnosis, LayerDiagnosis
from elman.diagnosis.sample import sample, stretch
from elman.diagnosis.spectrum import Spectrum, spectra
from elman.diagnosis.transport import Transport, transport
from elman.diagnosis.untouched import untouched
from elman.diagnosis.watch import Layers, overriding, recurrent, running, watched
from elman.engine.choice import forced
from elman.errors import UsageError

ROWS = 2
"""How many rows the costlier measurements look at."""

LEAST_STEPS = 3


def diagnose(
    module: nn.Module,
    batch: Any,
    loss: Callable[[Any], Tensor],
    *,
    optimizer: torch.optim.Optimizer | None = None,
    rate: float | None = None,
    clip: float | None = None,
    window: int | None = None,
    norms: Iterable[float] = (),
) -> Diagnosis:
    """Say where the gradients of a network vanish or explode, how far it remembers, and what to do.

    The module runs once on the batch, in the mode that it is in. It is left as it was: parameters, their gradients,
    buffers, attributes, mode and hooks, and the random numbers of torch, NumPy and Python.

    Args:
        module: any module with layers of Elman's or of torch.nn inside: RNN, GRU or LSTM, their cells, Recurrent, and
            subclasses of these that leave `forward` as it is.
        batch: what the module takes: a tensor, a tuple of arguments, or a dictionary of keyword arguments.
        loss: from the module's output to a number, as in training.
        optimizer: of the training, with its moments; its next update is tried on copies. Not stepped.
        rate: the rate of plain gradient descent, in place of an optimizer.
        clip: the norm that training clips gradients to.
        window: the time steps that training truncates gradients to, fewer than the batch has; where the module itself
            carries its state on without the gradient, that is seen.
        norms: gradient norms of earlier steps, before clipping.

    Returns:
        A Diagnosis; print it to read it.

    Raises:
        UsageError: if there is nothing to follow: no recurrent layer, fewer than three steps, no weight that learns.

    """
    if not isinstance(module, nn.Module):
        raise UsageError(f"diagnose looks into a torch.nn.Module, got {type(module).__name__}; give the model itself")
    if not callable(loss):
        raise UsageError(
            f"loss is a function from the module's output to a number, got {type(loss).__name__}; for instance "
            "lambda output: output[0][-1].square().mean()"
        )
    given = _arguments(batch)

    def step() -> Tensor:
        args, kwargs = given
        return loss(module(*args, **kwargs))

    values = [*given[0], *given[1].values()]
    training = Training(optimizer, rate, clip, window, norms)
    return examine(module, step, training, nonfinite.given(values))


class Training:
    """What is known of the training that a network is in."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer | None = None,
        rate: float | None = None,
        clip: float | None = None,
        window: int | None = None,
        norms: Iterable[float] = (),
    ) -> None:
        if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
            given = f"the class {optimizer.__name__}" if isinstance(optimizer, type) else type(optimizer).__name__
            raise UsageError(
                f"optimizer must be the one that training steps, got {given}; for instance "
                "torch.optim.Adam(module.parameters())"
            )
        for name, value in (("rate", rate), ("clip", clip), ("window", window)):
            if value is not None and not (isinstance(value, Real) and value > 0):
                raise UsageError(f"{name} must be positive, got {value!r}; leave it out where training has none")
        if window is not None and not isinstance(window, Integral):
            raise UsageError(f"window must be a whole number of time steps, got {window!r}")
        self.optimizer, self.rate, self.clip, self.window = optimizer, rate, clip, window
        self.norms = _numbers(norms)


def examine(
    module: nn.Module, step: Callable[[], Tensor], training: Training | None = None, bad_batch: str | None = None
) -> Diagnosis:
    """The same for a training step given as a function that runs the module and returns the loss.

    Raises:
        UsageError: as `diagnose`.

    """
    layers = recurrent(module)
    _check_layers(module, layers)
    with (
        untouched(module) as put_back,
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        _backend(),
        _as_written(),
    ):
        return _Examination(module, layers, step, training or Training(), bad_batch, put_back).result()


class _Examination:
    """One run of the module, and what is read off it."""

    def __init__(
        self,
        module: nn.Module,
        layers: Layers,
        step: Callable[[], Tensor],
        training: Training,
        bad_batch: str | None,
        put_back: Callable[[], None],
    ) -> None:
        self.module, self.layers, self.step, self.training = module, layers, step, training
        self.put_back = put_back
        named = list(module.named_parameters())
        self.learning = {name: parameter for name, parameter in named if parameter.requires_grad}
        self.parameters = list(self.learning.values())
        self.generator = torch.Generator().manual_seed(0)
        with watched(module, layers) as seen:  # on the way back, too: checkpoints run their layers once more
            self.loss = step()
            _check_loss(self.loss)
            self.passages = _long_enough([passage for passage in passages(seen) if passage.learns], module)
            self._follow()
        gradients = dict(zip(self.learning, self.gradients, strict=True))
        self.weight_norms, self.gradient_norms = update.norms(named), update.norms(gradients.items())
        self.non_finite = (
            bad_batch
            or nonfinite.weights(named, self.weight_norms)
            or nonfinite.inside(self.passages)
            or nonfinite.number("the loss", self.loss)
            or nonfinite.backwards(gradients.items(), self.gradient_norms)
        )

    def result(self) -> Diagnosis:
        """Everything, with the findings."""
        training, norm = self.training, math.hypot(*self.gradient_norms.values())
        moved = [transport(few, self.generator) for few in self.few]
        layers = [layer for number, each in enumerate(moved) for layer in self._layers(number, each)]
        taught = any(passage.teaches(self.parameters) for passage in self.passages)
        windows = [training.window or passage.window for passage in self.passages]
        cosines, kept = truncation.truncated(self.few if taught else (), windows)
        found = Diagnosis(
            layers=layers,
            loss=float(self.loss.detach()),
            gradient_norm=norm,
            gradient_to_weight=update.ratios(self.gradient_norms, self.weight_norms),
            clipping=update.thresholds(training.norms or update.like_rows(norm, layers[-1].row_norms)),
            window=training.window or max((p.window for p in self.passages if p.window), default=None),
            clip=training.clip,
            non_finite=self.non_finite,
            trial=self._trial(norm),
            truncation=cosines,
            kept=kept,
            taught=taught,
        )
        return replace(found, findings=findings(found))

    def _follow(self) -> None:
        """The way back, of the whole loss, and of each row's last step alone."""
        ends = [passage.ends for passage in self.passages]
        inputs = [call.input for passage in self.passages if passage.frozen for call in passage.calls]
        wanted = [*self.parameters, *(end for each in ends for end in each), *inputs]  # the way back ends at these
        found = torch.autograd.grad(self.loss, wanted, allow_unused=True)
        self.gradients = found[: len(self.parameters)]
        self.whole = [flow.whole_gradients(passage) for passage in self.passages]
        self.ends, place = [], len(self.parameters)
        for passage, each in zip(self.passages, ends, strict=True):
            self.ends.append(Ends.of(*passage.of_ends(found[place : place + len(each)])))
            place += len(each)
        self.few = [Few(passage, each, ROWS) for passage, each in zip(self.passages, self.ends, strict=True)]
        self.needed = [
            [self._needed(number, direction) for direction in range(passage.directions)]
            for number, passage in enumerate(self.passages)
        ]

    def _layers(self, number: int, moved: list[Transport]) -> list[LayerDiagnosis]:
        passage = self.passages[number]
        stretches = [stretch(passage, direction, gates.ROWS) for direction in range(passage.directions)]
        steps = gates.looked_at(stretches[0].steps, len(stretches[0].rows))
        found: list[LayerDiagnosis] = []
        for first in range(0, passage.depths, passage.directions):
            samples = [sample(passage, first + direction, where, steps) for direction, where in enumerate(stretches)]
            for own in zip(spectra(samples, self.generator), gates.gates(samples), strict=True):
                found.append(self._layer(number, len(found), moved[len(found)], *own))
        return found

    def _layer(
        self, number: int, layer: int, moved: Transport, spectrum: Spectrum, stuck: list[gates.Gate]
    ) -> LayerDiagnosis:
        passage, norms = self.passages[number], self.whole[number][layer]
        rows = norms.square().sum(0).sqrt()
        lags = self._by_lag(number, layer, moved.last)
        rate, error = flow.decay(lags)
        if math.isnan(rate):  # a loss that is zero or not finite cannot be followed; the Jacobians can
            rate = math.exp(min(moved.lyapunov_exponent, 700.0))
        return LayerDiagnosis(
            name=_name(self.passages, number, layer),
            cell=passage.cell.name,
            hidden=passage.states[layer][0].shape[-1],
            steps=passage.steps,
            stretch=_longest(passage),
            gradient_norm=norms.square().sum(1).sqrt().tolist(),
            gradient_norm_by_lag=lags,
            decay_per_step=rate,
            decay_uncertainty=error,
            half_life=flow.half_life(rate),
            horizon=moved.horizon,
            input_by_lag=moved.input_by_lag,
            lyapunov_exponent=moved.lyapunov_exponent,
            spectrum=spectrum,
            gates=stuck,
            needed_lag=self.needed[number][layer % passage.directions],
            row_norms=rows.tolist(),
            row_growth=(rows / self.ends[number].steepest).tolist(),
        )

    def _by_lag(self, number: int, layer: int, last: Tensor) -> list[float]:
        """With the loss of the last step alone: where no other step has one, and no window cuts, the whole gradient.

        But not below layers with two directions, where it comes back from both ends.
        """
        passage = self.passages[number]
        straight = passage.directions == 1 or layer >= passage.depths - passage.directions
        if straight and self.ends[number].single and passage.window is None:
            return flow.by_lag(self.whole[number][layer], passage.begins(layer))
        scale = math.sqrt(passage.batch / last.shape[1])
        return [norm * scale for norm in flow.by_lag(last)]

    def _needed(self, number: int, direction: int) -> int:
        """How many steps lie at most between a step and the next one that the loss touches, without a reset.

        Through layers that read it, too.
        """
        own = self.passages[number]
        gap = self.ends[number].longest_gap(own, direction)
        for passage, ends in zip(self.passages[number + 1 :], self.ends[number + 1 :], strict=True):
            if passage.steps == own.steps:
                there = ends.longest_gap(passage, min(direction, passage.directions - 1))
                gap = there if there > gap and own.feeds(passage) else gap
        return min(gap, _longest(own) - 1)

    def _trial(self, norm: float) -> update.Trial | None:
        training = self.training
        if self.non_finite is not None or (training.optimizer is None and training.rate is None):
            return None
        scale = min(1.0, training.clip / norm) if training.clip and norm > 0 else 1.0
        steps = update.plan(self.parameters, self.gradients, training.optimizer, training.rate, scale)
        gradients = {p: g for p, g in zip(self.parameters, self.gradients, strict=True) if g is not None}
        return update.trial(steps, gradients, self.module, float(self.loss.detach()), self._loss_again, self.put_back)

    def _loss_again(self) -> float:
        """The loss of the same batch."""
        with running(self.module, self.layers), torch.no_grad():
            return float(self.step())


def _numbers(norms: Iterable[float]) -> list[float]:
    """Gradient norms as plain numbers; those that torch's clipping returns are tensors."""
    try:
        return [float(norm) for norm in norms]
    except (TypeError, ValueError, RuntimeError):
        raise UsageError(
            f"norms are the numbers that clip_grad_norm_ returned in earlier steps, got {norms!r}"
        ) from None


def _arguments(batch: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The module's arguments and keyword arguments."""
    if isinstance(batch, dict):
        return (), batch
    plain = isinstance(batch, tuple | list) and not hasattr(batch, "_fields")  # a PackedSequence is one argument
    return (tuple(batch) if plain else (batch,)), {}


def _longest(passage: Passage) -> int:
    """The most steps without a reset between them."""
    return max(stop - start for start, stop in passage.spans)


def _name(passages: list[Passage], number: int, layer: int) -> str:
    """The module's name, which of several calls it is, the depth of a stack, the direction."""
    passage = passages[number]
    calls = [place for place, each in enumerate(passages) if each.layer is passage.layer]
    name = passage.name.replace("_orig_mod.", "")  # torch.compile's
    parts = [name] if name not in ("", "_orig_mod") else []
    if len(calls) > 1:
        parts.append(f"call {calls.index(number) + 1}")
    if len(passage.weights) > 1:
        parts.append(f"layer {layer // passage.directions}")
    if passage.directions > 1:
        parts.append("reverse" if layer % passage.directions else "forward")
    return ", ".join(parts) or passage.cell.name


def _backend() -> AbstractContextManager[None]:
    """What runs the layers: as in training, but torch's kernels do not show states, and the reference stands in."""
    return engine.backend("reference") if forced() == "torch" else nullcontext()


def _as_written() -> AbstractContextManager[None]:
    """Without what torch.compile has made, which shows no gradients of states; to import it takes a second."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def _check_layers(module: nn.Module, layers: Layers) -> None:
    if not layers:
        own = overriding(module)
        if own is not None:
            raise UsageError(
                f"{own} derives from a recurrent layer and has a forward of its own, which diagnose cannot look into; "
                "hold the layer as an attribute in place of deriving from it"
            )
        raise UsageError(
            f"{type(module).__name__} has no recurrent layer to look into; diagnose knows RNN, GRU and LSTM and their "
            "cells, of elman and of torch.nn, and elman.Recurrent"
        )
    if not any(p.requires_grad for p in module.parameters()):
        raise UsageError(
            "all weights of the module are frozen (requires_grad=False), so that nothing learns; let some learn with "
            "module.requires_grad_(), then diagnose"
        )


def _check_loss(loss: Any) -> None:
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        got = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise UsageError(f"the loss must be one number, got {got}; take its mean, as in training")
    if not loss.requires_grad:
        raise UsageError("the loss does not depend on any weight that learns; give the loss that training minimises")


def _long_enough(found: list[Passage], module: nn.Module) -> list[Passage]:
    """The passages in which a rate can be seen; UsageError if there are none."""
    kind = type(module).__name__
    if not found:
        raise UsageError(
            f"no recurrent layer of {kind} was run on this batch with its gradient; check that forward uses them, and "
            "not under torch.no_grad(), nor in a checkpoint with use_reentrant=True (False can be followed)"
        )
    if not all(passage.batch for passage in found):
        raise UsageError("the batch has no rows; give at least one sequence")
    longest = max(passage.steps for passage in found)
    if longest < LEAST_STEPS:
        given = Counter(each.name for each in found if each.calls[0].given is not None)
        name, calls = max(given.items(), key=itemgetter(1), default=("", 0))
        if calls >= LEAST_STEPS:
            raise UsageError(
                f"{name or kind} was called {calls} times with states that it had not returned before, so that no step "
                "can be followed to the next; hand its states on unchanged, or with rows set to zero that begin anew"
            )
        raise UsageError(
            f"the batch has {longest} time step{'s' * (longest != 1)}, and a rate of decay needs at least "
            f"{LEAST_STEPS}; give longer sequences; time is the first dimension, or with batch_first the second"
        )
    return [passage for passage in found if passage.steps >= LEAST_STEPS]
