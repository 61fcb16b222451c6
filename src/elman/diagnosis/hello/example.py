"""The worked example: a character network that reads "hello", every number computed here and compared.

It does not know how the numbers are told (`telling`) or drawn (`picture`); the mathematics is in
`network`, the given parameters and the numbers to compare with are in `published`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from elman.diagnosis.hello import published
from elman.diagnosis.hello.comparison import Comparison, exact, near
from elman.diagnosis.hello.network import (
    Array,
    Backward,
    Descent,
    Forward,
    Parameters,
    backward,
    central_differences,
    descend,
    forward,
    losses,
)

FLOOR = 2 * float(np.log(2))
"""The least error on "hello" without memory: after "l" comes "l" as often as "o", twice, and -ln 1/2 = ln 2."""


@dataclass(frozen=True, eq=False)
class Step:
    """One of the seven published steps."""

    number: int
    title: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, eq=False)
class HelloExample:
    """All numbers of the worked example; each property is computed from the given parameters.

        h_t = tanh(W_xh x_t + w_hh h_{t-1} + b)        y_t = W_hy h_t        p_t = softmax(y_t)
        E   = sum_t -ln p_t[target_t]

    Time steps t = 1 .. T come first in every array; letters and scores are in the order "h e l o". `trained` and
    `trained_without_memory` are as long as the latter's published error needs. Source of the given parameters and of
    the numbers compared with: `elman.diagnosis.hello.published`.
    """

    parameters: Parameters
    x: Array
    targets: Array
    forward: Forward
    losses: Array
    backward: Backward
    trained: Descent
    trained_on_last_letter: Descent
    trained_without_memory: Descent

    @property
    def inputs(self) -> str:
        """The letters read: "hell"."""
        return letters(self.x)

    @property
    def outputs(self) -> str:
        """The letters that should follow: "ello"."""
        return letters(self.targets)

    @property
    def error(self) -> float:
        """E, the sum of the losses over the time steps."""
        return float(self.losses.sum())

    @cached_property
    def gradient(self) -> Parameters:
        """dE/dW, added up over the time steps."""
        return self.backward.total()

    @cached_property
    def from_last_letter(self) -> Backward:
        """The gradients when only the last letter is scored."""
        return backward(self.parameters, self.x, last_only(self.targets), self.forward)

    @property
    def gradient_norms(self) -> Array:
        """|dE/dh_t| for each time step, (T,), with the loss at the last letter only."""
        return np.asarray(np.linalg.norm(self.from_last_letter.dh, axis=1))

    @property
    def step_factors(self) -> Array:
        """What the gradient is multiplied with on its way from h_t to h_{t-1}, for each unit: w_hh (1 - h_t^2)."""
        factors: Array = self.parameters.w_hh * (1 - self.forward.h[1:] ** 2)
        return factors

    @cached_property
    def finite_difference_gap(self) -> float:
        """The largest difference between a gradient and its central difference, over all 26 parameters."""
        numeric = central_differences(self.parameters, self.x, self.targets)
        return largest_gap(numeric, self.gradient)

    @cached_property
    def full_form_gaps(self) -> tuple[float, float]:
        """Full form less scalar form, largest differences: in h, y and p; in the gradients.

        With W_hh = w I and b = b [1, 1, 1], dE/dw is the trace of dE/dW_hh and dE/db the sum of its vector.
        """
        full = self.parameters.full()
        passed = forward(full, self.x)
        gradient = backward(full, self.x, self.targets, passed).total()
        tied = Parameters(gradient.W_xh, np.asarray(gradient.w_hh.trace()), np.asarray(gradient.b.sum()), gradient.W_hy)
        pairs = ((passed.h, self.forward.h), (passed.y, self.forward.y), (passed.p, self.forward.p))
        return max(float(np.abs(a - b).max()) for a, b in pairs), largest_gap(tied, self.gradient)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The seven published steps, from the letter "h" to the prediction after "e"."""
        run = self.forward
        before = run.projected + run.recurrent
        h_first, h_second = near("h_1", run.h[1], published.H_AFTER_H), near("h_2", run.h[2], published.H_AFTER_E)
        recurrent = near("w_hh h_1 + b", run.recurrent[1], published.RECURRENT_PART_AT_E)
        read_e = near("W_xh x_2", run.projected[1], published.W_XH_X_E)
        return (
            Step(1, 'Read "h": W_xh x_1', (near("W_xh x_1", run.projected[0], published.W_XH_X_H),)),
            Step(2, "Add the memory: w_hh h_0 + b", (near("w_hh h_0 + b", run.recurrent[0], published.BIAS_ALONE),)),
            Step(3, "Squash: h_1 = tanh(sum)", (near("sum", before[0], published.SUM_AFTER_H), h_first)),
            Step(4, 'Read "e" and add the memory of "h"', (recurrent, read_e)),
            Step(5, "Squash: h_2 = tanh(sum)", (near("sum", before[1], published.SUM_AFTER_E), h_second)),
            Step(6, "Score the letters: y_2 = W_hy h_2", (near("y_2", run.y[1], published.Y_AFTER_E, 1e-5),)),
            Step(7, "Make probabilities: p_2 = softmax(y_2)", (near("p_2", run.p[1], published.P_AFTER_E, 1e-5),)),
        )

    @cached_property
    def whole_word(self) -> tuple[Comparison, ...]:
        """States, probabilities and losses of every time step, to their last printed digit."""
        return (
            exact("h", self.forward.h[1:], published.STATES),
            exact("softmax", self.forward.p, published.PROBABILITIES),
            exact("-ln p(target)", self.losses, published.LOSSES),
            exact("E", self.error, published.ERROR),
        )

    @cached_property
    def gradients(self) -> tuple[Comparison, ...]:
        """The gradients of E, to their last printed digit."""
        return (
            exact("dE/dw_hh", self.gradient.w_hh, published.DE_DW_HH),
            exact("dE/db", self.gradient.b, published.DE_DB),
            exact("dE/dW_xh", self.gradient.W_xh, published.DE_DW_XH),
            exact("dE/dW_hy", self.gradient.W_hy, published.DE_DW_HY),
        )

    @cached_property
    def vanishing(self) -> tuple[Comparison, ...]:
        """|dE/dh_t| with the loss at the last letter only, and how often the first fits in the last."""
        norms = self.gradient_norms
        return (
            exact("|dE/dh_t|, loss at the last letter only", norms, published.GRADIENT_NORMS),
            exact("|dE/dh_T| / |dE/dh_1|", norms[-1] / norms[0], published.GRADIENT_SHRINKS),
        )

    @cached_property
    def training(self) -> tuple[Comparison, ...]:
        """The error after some updates, and the updates at which the predictions become right."""
        right_at = right_from(self.trained, self.targets)
        last_right_at = right_from(self.trained_on_last_letter, last_only(self.targets))
        return (
            *(
                exact(f"E after {update} updates", self.trained.errors[update], digits)
                for update, digits in published.ERROR_AFTER.items()
            ),
            exact('update from which it predicts "ello"', right_at, published.SPELLS_ELLO_AT),
            exact('update from which it predicts the last "o"', last_right_at, published.LAST_LETTER_RIGHT_FROM),
        )

    @cached_property
    def memory(self) -> tuple[Comparison, ...]:
        """The floor without memory, and what the network reaches with w_hh held at 0."""
        return (
            exact("2 ln 2", FLOOR, published.FLOOR_WITHOUT_MEMORY),
            exact("E with w_hh held at 0", self.trained_without_memory.errors[-1], published.ERROR_WITHOUT_MEMORY),
        )

    @property
    def below_floor_at(self) -> int | None:
        """The first update at which the network beats every predictor without memory; None if it never does."""
        below = np.flatnonzero(self.trained.errors < FLOOR)
        return int(below[0]) if len(below) else None

    @property
    def all_equal(self) -> bool:
        """Whether every computed number equals the published one within its tolerance."""
        return all(comparison.equal for comparison in self.comparisons())

    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison that is made."""
        steps = tuple(comparison for step in self.steps for comparison in step.comparisons)
        return (*steps, *self.whole_word, *self.gradients, *self.vanishing, *self.training, *self.memory)


def example() -> HelloExample:
    """Compute the worked example in float64; takes about one second, most of it the three training runs."""
    given = Parameters(
        *(np.array(numbers) for numbers in (published.W_XH, published.W_HH, published.B, published.W_HY))
    )
    x, targets = one_hot(published.WORD[:-1]), one_hot(published.WORD[1:])
    passed = forward(given, x)

    def train(targets: Array, updates: int, *, memory: bool = True) -> Descent:
        return descend(given, x, targets, rate=published.RATE, updates=updates, memory=memory)

    return HelloExample(
        parameters=given,
        x=x,
        targets=targets,
        forward=passed,
        losses=losses(passed, targets),
        backward=backward(given, x, targets, passed),
        trained=train(targets, published.UPDATES),
        trained_on_last_letter=train(last_only(targets), 100),
        trained_without_memory=train(targets, published.UPDATES, memory=False),
    )


def one_hot(word: str) -> Array:
    """One row for each letter, 1 in the letter's column: (T, V)."""
    return np.eye(len(published.ALPHABET))[[published.ALPHABET.index(letter) for letter in word]]


def letters(scores: ArrayLike) -> str:
    """The letter of each row's largest entry."""
    return spelled(np.argmax(scores, axis=1))


def spelled(indices: ArrayLike) -> str:
    """The letters of some indices into the alphabet."""
    return "".join(published.ALPHABET[index] for index in np.asarray(indices))


def last_only(targets: Array) -> Array:
    """The targets with a loss at the last time step only."""
    kept = np.zeros_like(targets)
    kept[-1] = targets[-1]
    return kept


def right_from(descent: Descent, targets: Array) -> int:
    """The update from which on every scored letter is predicted right, to the end of the run; N + 1 if never."""
    scored = targets.any(axis=1)
    right = (descent.predicted == targets.argmax(axis=1))[:, scored].all(axis=1)
    wrong = np.flatnonzero(~right)
    return int(wrong[-1]) + 1 if len(wrong) else 0


def largest_gap(first: Parameters, second: Parameters) -> float:
    """The largest difference between two sets of parameters."""
    other = second.arrays()
    return max(float(np.abs(array - other[name]).max()) for name, array in first.arrays().items())
