"""A recurrent network has an internal memory: beside predictors that have none, or are shown a window of the past."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.diagnosis.hello.example import FLOOR, one_hot
from elman.diagnosis.hello.published import ALPHABET, WORD
from elman.experiments.base import Experiment, Outcome, Verdict, interval
from elman.experiments.learning import Learned, gate_bias, learn
from elman.experiments.problems import SYMBOLS, recall
from elman.layers import build

LAGS, HIDDEN, NARROW = (1, 4, 16, 64), 16, 8
WIDE = LAGS[-1] + 1
UPDATES, GOAL, RATE = 600, 0.1, 0.01


class Window(nn.Module):
    """A network without recurrence that is shown the last `steps` inputs at once, zeros before the first.

    The window stands outside of it: somebody keeps the past and shows it again at every step.

    Args:
        steps: W; with 1 it has no memory at all.
        inputs: I.
        outputs: O.
    """

    def __init__(self, steps: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.steps = steps
        self.hidden, self.head = nn.Linear(steps * inputs, HIDDEN), nn.Linear(HIDDEN, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores (T, B, O) for inputs (T, B, I)."""
        before = inputs.new_zeros(self.steps - 1, *inputs.shape[1:])
        seen = torch.cat([before, inputs]).unfold(0, self.steps, 1).flatten(2)
        scores: Tensor = self.head(self.hidden(seen).tanh())
        return scores


class Recurrent(nn.Module):
    """A recurrent layer of the named cell, and scores of each of its states; a GRU holds from the start."""

    def __init__(self, cell: str, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer, self.head = build(cell, inputs, HIDDEN), nn.Linear(HIDDEN, outputs)
        if cell == "gru":
            gate_bias(self.layer, "z", math.log(LAGS[-1]))

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores (T, B, O) for inputs (T, B, I)."""
        scores: Tensor = self.head(self.layer.scan(inputs)[0])
        return scores


NONE, SHORT, LONG, TANH, GRU = (
    *("no memory", f"window of {NARROW}", f"window of {WIDE}"),
    *("recurrent, tanh", "recurrent, GRU that holds"),
)
PREDICTORS: dict[str, Callable[[int, int], nn.Module]] = {
    NONE: partial(Window, 1),
    SHORT: partial(Window, NARROW),
    LONG: partial(Window, WIDE),
    TANH: partial(Recurrent, "rnn"),
    GRU: partial(Recurrent, "gru"),
}


class InternalMemory(Experiment):
    """No memory, a fixed window, recurrence: on "hello" and on delayed recall."""

    name = "internal-memory"
    claim = "A recurrent network is the only kind of neural network with an internal memory."
    expected = (
        f'On "hello" no predictor without memory gets below 2 ln 2 = {FLOOR:.3f} nats, and a recurrent one does; a '
        "symbol that was shown long ago is named by the recurrent one alone."
    )
    method = (
        f'Networks of {HIDDEN} tanh units (or a GRU of {HIDDEN}), {UPDATES} updates of Adam at {RATE}. "hello": the '
        "error summed over its four predictions, the lowest ever reached. Delayed recall: one of "
        f"{SYMBOLS} symbols is shown and, with others in between, asked for after a lag; the updates until the "
        f"cross-entropy is below {GOAL} for every seed, or how many seeds got there, and the worst cross-entropy; "
        f"guessing gives {math.log(SYMBOLS):.3f}. A window of W shows a plain network the last W inputs at once."
    )
    usual_seeds = 5

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, lowest, solved = [], {}, {}
        for name, predictor in PREDICTORS.items():
            tell(name)
            lowest[name] = [_hello(predictor, seed) for seed in seeds]
            found = {lag: [_recalled(predictor, lag, seed) for seed in seeds] for lag in LAGS}
            solved[name] = {lag for lag, each in found.items() if all(learned.solved for learned in each)}
            size = sum(parameter.numel() for parameter in predictor(2 * SYMBOLS, SYMBOLS).parameters())
            rows.append(
                {"predictor": name, "parameters": f"{size:,}", '"hello"': interval(lowest[name], 4)}
                | {f"lag {lag}": _shown(each) for lag, each in found.items()}
            )
        return Outcome(rows, _measured(lowest, solved), *_judged(lowest, solved), list(seeds))


def _shown(found: list[Learned]) -> str:
    solved = sum(each.solved for each in found)
    if solved == len(found):
        return f"{max(each.updates for each in found):,}"
    worst = f"error {max(each.error for each in found):.3g}"
    return f"{solved} of {len(found)}, {worst}" if solved else worst


def _measured(lowest: dict[str, list[float]], solved: dict[str, set[int]]) -> str:
    reach = {name: max(lags, default=0) for name, lags in solved.items()}
    return (
        f'"hello": without memory the error never falls below {min(lowest[NONE]):.4f} (2 ln 2 = {FLOOR:.4f}), with a '
        f"window of {NARROW} it falls to {max(lowest[SHORT]):.4f} or less, with recurrence to "
        f"{max(lowest[TANH] + lowest[GRU]):.4f} or less. Recall is learnt with every seed up to lag "
        f"{reach[SHORT]} by a window of {NARROW}, {reach[LONG]} by one of {WIDE}, {reach[TANH]} by tanh, "
        f"{reach[GRU]} by a GRU; by no memory " + (f"up to {reach[NONE]}." if solved[NONE] else "at none.")
    )


def _judged(lowest: dict[str, list[float]], solved: dict[str, set[int]]) -> tuple[Verdict, str]:
    """Verdict and reason."""
    above, below = min(lowest[NONE]) > FLOOR - 1e-4, max(lowest[TANH]) < FLOOR
    if not (above and below and solved[TANH]) or solved[NONE]:
        return "does not hold", "The recurrent network did no better than one without memory."
    if max(lowest[SHORT]) > FLOOR or not solved[LONG] >= solved[GRU]:
        return "holds", "What was shown before is used by the recurrent networks and by no other."
    failed = [lag for lag in LAGS if lag not in solved[TANH]]
    return "holds in part", (
        'It has a memory, and "the only one" is overstated: a plain network that is shown a window does the same as '
        "far as the window reaches, and a window can be as wide as one likes. The difference is the cost: a window "
        "ends at a fixed step, has weights for each of its steps, and somebody must keep the past for it; the state "
        "has one size and no fixed end."
        + "".join(
            f" How far it reaches in practice is another matter: tanh does not learn lag {lag} with every seed."
            for lag in failed[:1]
        )
    )


def _hello(predictor: Callable[[int, int], nn.Module], seed: int) -> float:
    """The lowest error on "hello", summed over its letters, that training comes by."""
    torch.manual_seed(seed)
    network = predictor(len(ALPHABET), len(ALPHABET))
    inputs = torch.tensor(one_hot(WORD[:-1]), dtype=torch.float32)[:, None]
    targets = torch.tensor(one_hot(WORD[1:])).argmax(-1)
    optimizer, lowest = torch.optim.Adam(network.parameters(), RATE), math.inf
    for _ in range(UPDATES):
        optimizer.zero_grad()
        error = F.cross_entropy(network(inputs)[:, 0], targets, reduction="sum")
        torch.autograd.backward(error)
        optimizer.step()
        lowest = min(lowest, error.item())
    return lowest


def _recalled(predictor: Callable[[int, int], nn.Module], lag: int, seed: int) -> Learned:
    torch.manual_seed(seed)
    network, problem = predictor(2 * SYMBOLS, SYMBOLS), partial(recall, lag)
    return learn(network, problem, rate=RATE, updates=UPDATES, goal=GOAL, seed=seed, loss=_at_the_end)


def _at_the_end(scores: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(scores[-1], targets)
