"""What a diagnosis has found: plain numbers, by layer and for the whole, and the findings drawn from them.

It holds no tensor and knows nothing of how the numbers were measured.
"""

import html
from dataclasses import dataclass, field
from typing import Any

from elman.diagnosis.gates import Gate
from elman.diagnosis.spectrum import Spectrum
from elman.diagnosis.update import Trial


@dataclass(frozen=True, repr=False)
class Finding:
    """Something that keeps a network from learning.

    Attributes:
        problem: vanishing, exploding, saturated, dead, window-too-short, rate-too-high or non-finite.
        evidence: the measured fact.
        meaning: what it means, in one plain sentence.
        remedy: what to do about this problem, the surest first.
        change: the first remedy for programs, by name: "cell", "start", "forget_bias", "clip", "rate", "window", ...
        layer: the name of the layer, or None where it is not about one.
    """

    problem: str
    evidence: str
    meaning: str
    remedy: str
    change: dict[str, Any] = field(default_factory=dict)
    layer: str | None = None

    def __str__(self) -> str:
        where = f" ({self.layer})" if self.layer else ""
        return f"{self.problem}{where}: {self.evidence} {self.meaning}\nRemedy: {self.remedy}"

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class LayerDiagnosis:
    """One recurrent layer in one direction. Steps are counted in the order in which the layer reads.

    The state is h_t; where a cell has more than h, as an LSTM its c_t, all of them together.

    Attributes:
        name: of the layer in the module, with its depth where it is a stack and with its direction.
        cell: its kind.
        hidden: H.
        steps: T.
        stretch: the most steps without a reset between them; T without resets.
        gradient_norm: by step, |dL/ds_t| over the batch, by way of all later steps and layers.
        gradient_norm_by_lag: the same with the loss of each row's last step alone, by the steps back from it; of two
            directions, the step that this one reads last, by way of the layers in this direction.
        decay_per_step: the factor by which that falls, or grows, with every step of lag; by the Jacobians alone where
            the loss or its gradient is zero or not finite.
        decay_uncertainty: the standard error of that factor; not-a-number where there are too few lags for one.
        half_life: steps of lag after which half is left; infinite where nothing is lost.
        horizon: the lag from which on an input moves the output by less than 1 % of what the closest input does;
            infinite where that is beyond the sequence.
        input_by_lag: how much an input moves the output, by lag.
        lyapunov_exponent: the mean growth of ln |change of the state| per step.
        spectrum: singular values of the step's Jacobian at some steps.
        gates: each nonlinearity, with its shares at the limits by unit and by time, and its histogram.
        needed_lag: the most steps of a row that lie between one and the next that the loss touches, without a reset.
        row_norms: by row of the batch, the norm of all of `gradient_norm`.
        row_growth: the same beside the row's largest gradient at an output, where the loss comes in.

    """

    name: str
    cell: str
    hidden: int
    steps: int
    stretch: int
    gradient_norm: list[float]
    gradient_norm_by_lag: list[float]
    decay_per_step: float
    decay_uncertainty: float
    half_life: float
    horizon: float
    input_by_lag: list[float]
    lyapunov_exponent: float
    spectrum: Spectrum
    gates: list[Gate]
    needed_lag: int
    row_norms: list[float]
    row_growth: list[float]

    @property
    def saturation(self) -> dict[str, float]:
        """By gate the share of values at its limits; of a relu, of zeros."""
        return {gate.name: gate.share for gate in self.gates}

    @property
    def dead(self) -> float:
        """The share of ReLU units that were zero at all steps in all rows; 0 for other cells."""
        return max((gate.dead for gate in self.gates if gate.function == "relu"), default=0.0)

    def __repr__(self) -> str:
        """Show what can be said in a line; the lists are attributes."""
        names = ("decay_per_step", "half_life", "horizon", "lyapunov_exponent")
        said = ", ".join(f"{name}={getattr(self, name):.4g}" for name in names)
        return f"LayerDiagnosis({self.name!r}, {self.cell} of {self.hidden}, {self.steps} steps: {said})"


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What `elman.diagnose` has measured, and what follows from it; in words when it is printed or shown.

    Attributes:
        layers: the recurrent layers, in the order of the module.
        findings: what keeps the network from learning, the most important first; empty where all is well.
        loss: of the batch.
        gradient_norm: of all parameters together.
        gradient_to_weight: by parameter |gradient| / |weight|.
        clipping: for a share of the steps, the threshold that would have acted on it. The steps are those of
            `norms`, where they were given, else the rows of the batch, each as if the whole batch were like it.
        truncation: by window, the cosine between the truncated gradient of the recurrent weights and the whole one.
        kept: by window, the share of the whole gradient that the truncated one keeps along it.
        window: the window that training truncates to, as given or as seen; None where it does not.
        trial: one update on the same batch; None where neither an optimizer nor a rate was given.
        clip: the threshold that training clips to, as given.
        non_finite: the first place where a number was not finite, or None.
        taught: whether the gradient that comes back through the layers reaches any weight that learns; of a reservoir,
            whose readout alone learns, it does not, and no findings are drawn from it.

    """

    layers: list[LayerDiagnosis]
    loss: float
    gradient_norm: float
    gradient_to_weight: dict[str, float]
    clipping: dict[float, float]
    truncation: dict[int, float]
    kept: dict[int, float]
    window: int | None = None
    trial: Trial | None = None
    clip: float | None = None
    non_finite: str | None = None
    taught: bool = True
    findings: list[Finding] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All of it for JSON: numbers that are not finite are None, or "infinite" where nothing bounds them."""
        from elman.diagnosis.telling import as_dict

        return as_dict(self)

    def to_html(self) -> str:
        """A page with findings, tables and pictures that needs nothing beside it."""
        from elman.report import render_diagnosis

        return render_diagnosis(self.to_dict(), "How the gradient flows")

    def __str__(self) -> str:
        from elman.diagnosis.telling import text

        return text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The page in a notebook, in a frame of its own."""
        return f'<iframe srcdoc="{html.escape(self.to_html())}" style="width: 100%; height: 40em; border: 0"></iframe>'
