"""Knowing the previous symbols helps: the loss of a language model by how many of them it has seen."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman import assets
from elman.data.text import TextSource
from elman.experiments.base import Experiment, Outcome, interval
from elman.layers import build

CONTEXTS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
HIDDEN, EMBEDDING, WINDOW, LANES, UPDATES, RATE, SCORED = 128, 32, 64, 32, 1500, 0.005, 4000


class Context(Experiment):
    """One network, given less and less of the past."""

    name = "context"
    claim = "Knowing the previous symbols helps to predict the next one."
    expected = "The loss falls with the length of the context, ever less with every doubling."
    method = (
        f"A GRU of {HIDDEN} units learns the characters of Tiny Shakespeare ({UPDATES} updates of {LANES} windows of "
        f"{WINDOW}), then predicts {SCORED} held-out characters, each from an empty state and the characters just "
        "before it. Context 0 is the frequency of the characters in the training text."
    )
    usual_seeds = 2

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        symbols, size = _symbols(assets.find("tinyshakespeare"))
        cut = int(0.9 * len(symbols))
        train, held_out = symbols[:cut], symbols[cut:]
        losses: dict[int, list[float]] = {context: [] for context in CONTEXTS}
        for seed in seeds:
            tell(f"seed {seed}: training")
            network = _trained(train, size, seed)
            for context in CONTEXTS:
                losses[context].append(_loss(network, train, held_out, context))
        means = {context: sum(values) / len(values) for context, values in losses.items()}
        falls = [means[a] - means[b] for a, b in itertools.pairwise(CONTEXTS)]
        last = max(b for (_, b), fall in zip(itertools.pairwise(CONTEXTS), falls, strict=True) if fall > 0.01)
        holds = means[CONTEXTS[-1]] < means[1] < means[0]
        return Outcome(
            rows=[{"characters known": c, "nats per character": interval(v, 4)} for c, v in losses.items()],
            measured=(
                f"The loss falls from {means[0]:.2f} nats without context to {means[1]:.2f} with one character and "
                f"{means[CONTEXTS[-1]]:.2f} with {CONTEXTS[-1]}; the last doubling that gains more than 0.01 ends at "
                f"{last}."
            ),
            verdict="holds" if holds else "does not hold",
            reason="Most of it comes with the first few characters; what lies tens of them back adds next to nothing."
            if holds
            else "More context did not lower the loss.",
            seeds=list(seeds),
        )


class _Network(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.read = nn.Embedding(size, EMBEDDING)
        self.layer = build("gru", EMBEDDING, HIDDEN)
        self.head = nn.Linear(HIDDEN, size)

    def forward(self, symbols: Tensor) -> Tensor:
        """Scores (T, B, V) for symbols (T, B), from an empty state."""
        output, _ = self.layer.scan(self.read(symbols))
        scores: Tensor = self.head(output)
        return scores


def _symbols(path: Path) -> tuple[Tensor, int]:
    """A text as integers, and how many different ones there are."""
    text = "".join(TextSource(path).blocks())
    known = {character: number for number, character in enumerate(sorted(set(text)))}
    return torch.tensor([known[character] for character in text]), len(known)


def _trained(symbols: Tensor, size: int, seed: int) -> _Network:
    torch.manual_seed(seed)
    network = _Network(size)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, UPDATES)
    for _ in range(UPDATES):
        starts = torch.randint(0, len(symbols) - WINDOW - 1, (LANES,))
        window = symbols[starts + torch.arange(WINDOW + 1)[:, None]]
        optimizer.zero_grad()
        scores = network(window[:-1])
        torch.autograd.backward(F.cross_entropy(scores.flatten(0, 1), window[1:].flatten()))
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network


@torch.no_grad()
def _loss(network: _Network, train: Tensor, held_out: Tensor, context: int) -> float:
    """Nats per character, the same characters for every context."""
    ends = torch.linspace(CONTEXTS[-1], len(held_out) - 1, SCORED).long()
    targets = held_out[ends]
    if context == 0:
        counts = torch.bincount(train, minlength=network.head.out_features).double() + 1
        return float(-(counts / counts.sum()).log()[targets].mean())
    before = held_out[ends - context + torch.arange(context)[:, None]]
    return F.cross_entropy(network(before)[-1], targets).item()
