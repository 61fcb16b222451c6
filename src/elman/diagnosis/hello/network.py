"""The network of the worked example in plain numpy: forward, backward through time, gradient descent.

It knows no word, no published number and no screen; twenty-six parameters are given to it.

    h_t = tanh(W_xh x_t + w_hh h_{t-1} + b)        y_t = W_hy h_t        p_t = softmax(y_t)
    E   = sum_t -ln p_t[target_t]

Everything is float64. Source of the network: Elman, "Finding structure in time" (1990); of the gradients: Werbos,
"Backpropagation through time: what it does and how to do it" (1990).
"""

from dataclasses import dataclass, fields, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Parameters:
    """The weights, or one number for each weight, such as a gradient.

    W_xh (H, V) input to hidden, W_hy (V, H) hidden to output. In the scalar form `w_hh` () and `b` () are one number
    shared by all units; in the full form they are a matrix (H, H) and a vector (H,).
    """

    W_xh: Array
    w_hh: Array
    b: Array
    W_hy: Array

    @property
    def count(self) -> int:
        """How many numbers there are to learn."""
        return sum(array.size for array in self.arrays().values())

    def arrays(self) -> dict[str, Array]:
        """The four arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def full(self) -> "Parameters":
        """The same network in the full form: W_hh = w_hh I, b = b [1, 1, 1]."""
        H = len(self.W_xh)
        return replace(self, w_hh=self.w_hh * np.eye(H), b=self.b * np.ones(H))


@dataclass(frozen=True, eq=False)
class Forward:
    """What a pass over T letters leaves: states and outputs.

    projected (T, H) is W_xh x_t; recurrent (T, H) is w_hh h_{t-1} + b; h (T+1, H) starts with h_0 = 0;
    y (T, V) are the scores, p (T, V) the probabilities.
    """

    projected: Array
    recurrent: Array
    h: Array
    y: Array
    p: Array


@dataclass(frozen=True, eq=False)
class Backward:
    """Gradients by back-propagation through time, before they are added up over it.

    dy (T, V) is dE/dy_t; dh (T, H) is dE/dh_t, everything after t included; delta (T, H) is dE/da_t, with a_t what
    stands inside the tanh; `terms` has the contribution of each time step in its first axis.
    """

    dy: Array
    dh: Array
    delta: Array
    terms: Parameters

    def total(self) -> Parameters:
        """The gradient itself: the weights are the same at every step, so its terms add up."""
        return Parameters(**{name: array.sum(axis=0) for name, array in self.terms.arrays().items()})


@dataclass(frozen=True, eq=False)
class Descent:
    """A training run: the error (N+1,) and the predicted letters (N+1, T), entry k after k updates."""

    rate: float
    errors: Array
    predicted: NDArray[np.intp]

    def milestones(self) -> list[int]:
        """The updates worth showing: each change of a prediction, the powers of ten, the first and the last."""
        last = len(self.errors) - 1
        changes = np.flatnonzero((self.predicted[1:] != self.predicted[:-1]).any(axis=1)) + 1
        powers = [10**k for k in range(len(str(last)))]
        return sorted({0, last, *powers, *changes.tolist()})


def softmax(y: Array) -> Array:
    """p_k = exp(y_k) / sum_j exp(y_j), over the last axis."""
    powers = np.exp(y - y.max(axis=-1, keepdims=True))
    p: Array = powers / powers.sum(axis=-1, keepdims=True)
    return p


def forward(parameters: Parameters, x: Array) -> Forward:
    """Read x (T, V), one time step after the other, from the state h_0 = 0."""
    T, H = len(x), len(parameters.W_xh)
    projected = x @ parameters.W_xh.T
    recurrent, h = np.zeros((T, H)), np.zeros((T + 1, H))
    for t in range(T):
        recurrent[t] = np.dot(parameters.w_hh, h[t]) + parameters.b
        h[t + 1] = np.tanh(projected[t] + recurrent[t])
    y = h[1:] @ parameters.W_hy.T
    return Forward(projected, recurrent, h, y, softmax(y))


def losses(passed: Forward, targets: Array) -> Array:
    """-ln p_t[target_t] for each time step (T,); a row of zeros in `targets` (T, V) is a step without a loss."""
    loss: Array = -(targets * np.log(passed.p)).sum(axis=1)
    return loss


def backward(parameters: Parameters, x: Array, targets: Array, passed: Forward) -> Backward:
    """Follow the error back through time.

    dE/dy_t = p_t - target_t
    dE/dh_t = W_hy^T dE/dy_t + w_hh delta_{t+1}
    delta_t = (1 - h_t^2) * dE/dh_t
    """
    T, H = len(x), len(parameters.W_xh)
    h, before = passed.h[1:], passed.h[:-1]
    dy = passed.p * targets.sum(axis=1, keepdims=True) - targets
    dh, delta = dy @ parameters.W_hy, np.zeros((T, H))
    for t in reversed(range(T)):
        if t + 1 < T:
            dh[t] += np.dot(parameters.w_hh.T, delta[t + 1])
        delta[t] = (1 - h[t] ** 2) * dh[t]
    scalar = parameters.w_hh.ndim == 0
    terms = Parameters(
        W_xh=delta[:, :, None] * x[:, None, :],
        w_hh=(delta * before).sum(axis=1) if scalar else delta[:, :, None] * before[:, None, :],
        b=delta.sum(axis=1) if scalar else delta,
        W_hy=dy[:, :, None] * h[:, None, :],
    )
    return Backward(dy, dh, delta, terms)


def descend(parameters: Parameters, x: Array, targets: Array, *, rate: float, updates: int, memory: bool) -> Descent:
    """Plain gradient descent, w <- w - rate dE/dw; without `memory`, w_hh is held at 0."""
    if not memory:
        parameters = replace(parameters, w_hh=np.zeros_like(parameters.w_hh))
    errors, predicted = np.zeros(updates + 1), np.zeros((updates + 1, len(x)), dtype=np.intp)
    for update in range(updates + 1):
        passed = forward(parameters, x)
        errors[update], predicted[update] = losses(passed, targets).sum(), passed.p.argmax(axis=1)
        gradient = backward(parameters, x, targets, passed).total()
        parameters = Parameters(
            W_xh=parameters.W_xh - rate * gradient.W_xh,
            w_hh=parameters.w_hh - rate * gradient.w_hh if memory else parameters.w_hh,
            b=parameters.b - rate * gradient.b,
            W_hy=parameters.W_hy - rate * gradient.W_hy,
        )
    return Descent(rate, errors, predicted)


def central_differences(parameters: Parameters, x: Array, targets: Array, step: float = 1e-5) -> Parameters:
    """The gradient without calculus: (E(w + step) - E(w - step)) / (2 step), one weight at a time."""

    def slope(name: str, place: tuple[int, ...]) -> float:
        array, ends = parameters.arrays()[name], []
        for change in (step, -step):
            moved = np.array(array)
            moved[place] += change
            ends.append(losses(forward(replace(parameters, **{name: moved}), x), targets).sum())
        return float((ends[0] - ends[1]) / (2 * step))

    slopes = {
        name: np.array([slope(name, place) for place in product(*map(range, array.shape))]).reshape(array.shape)
        for name, array in parameters.arrays().items()
    }
    return Parameters(**slopes)
