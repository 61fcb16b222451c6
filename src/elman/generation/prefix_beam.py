"""From what is heard at every time step to a text: symbol by symbol, or the most probable of many texts.

It knows ln P by time step, the last symbol a blank, and nothing of networks and of what symbols stand for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from elman.data.ragged import Array

FACTOR = 6_364_136_223_846_793_005
"""Multiplies the number that stands for a text before a symbol is added (Knuth's, for 64 bits)."""


def greedy(said: Tensor, lengths: Tensor, forbidden: int | None = None) -> list[Array]:
    """Return for each row its most probable symbol at every step, runs of one taken together, blanks left out.

    Args:
        said: (T, B, V + 1).
        lengths: (B,).
        forbidden: a symbol that is never written.
    """
    blank = said.shape[-1] - 1
    best = _allowed(said, lengths, forbidden).argmax(-1)
    begun = torch.ones_like(best, dtype=torch.bool)
    begun[1:] = best[1:] != best[:-1]
    kept = begun & (best != blank)
    return [best[kept[:, row], row].cpu().numpy() for row in range(best.shape[1])]


@dataclass(frozen=True)
class Beams:
    """K beginnings of texts for each of B rows, all tensors (B, K).

    Attributes:
        ended: ln P of all ways to lay the text over the steps so far that end in a blank.
        going: the same of those that end in the text's last symbol.
        last: that symbol; the blank where there is none yet.
        key: a number that stands for the text.
    """

    ended: Tensor
    going: Tensor
    last: Tensor
    key: Tensor

    @property
    def total(self) -> Tensor:
        """ln P of all ways."""
        return torch.logaddexp(self.ended, self.going)


@torch.inference_mode()
def prefix_beam_search(said: Tensor, lengths: Tensor, beams: int, forbidden: int | None = None) -> list[Array]:
    """Return the most probable text found for each row: that for which the sum over its ways is greatest.

    All rows and beams take a step at once. Source: Graves et al. 2006, section 3.2, with a beam as in Hannun et al.
    2014, First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs.

    Args:
        said: (T, B, V + 1).
        lengths: (B,).
        beams: K.
        forbidden: a symbol that is never written.
    """
    rows, symbols = said.shape[1:]
    said = _allowed(said, lengths, forbidden)
    nothing = said.new_full((rows, beams), -torch.inf)
    ended = nothing.clone()
    ended[:, 0] = 0.0
    last = torch.full_like(nothing, symbols - 1, dtype=torch.long)
    found = Beams(ended, nothing, last, torch.zeros_like(last))
    came: list[tuple[Array, Array]] = []
    for step in said:
        found, origin, added = _advance(found, step)
        came.append((origin.cpu().numpy(), added.cpu().numpy()))
    return _traced(came, found.total.argmax(1).cpu().numpy(), symbols - 1)


def _advance(beams: Beams, said: Tensor) -> tuple[Beams, Tensor, Tensor]:
    """One time step: ln P (B, V + 1) -> the best beams, which one each came from, and what it added, or the blank."""
    blank, kept = said.shape[-1] - 1, beams.last.shape[1]
    empty = beams.last == blank
    ended = beams.total + said[:, blank:]
    going = beams.going + said.gather(1, beams.last)
    grown = beams.total.unsqueeze(-1) + said.unsqueeze(1)  # (B, K, V + 1)
    # A symbol that follows itself begins anew only after a blank; the blank adds nothing.
    again = (beams.ended + said.gather(1, beams.last)).masked_fill(empty, -torch.inf)
    grown[..., blank] = -torch.inf
    grown.scatter_(2, beams.last.unsqueeze(-1), again.unsqueeze(-1))
    # Where a beam k grows to the text of another beam m, m gets what that is worth.
    place = beams.last.unsqueeze(1).expand(-1, kept, -1)
    same = (_grown(beams.key.unsqueeze(-1), place) == beams.key.unsqueeze(1)) & ~empty.unsqueeze(1)
    given = grown.gather(2, place).masked_fill(~same, -torch.inf)
    going = torch.logaddexp(going, given.amax(1))
    grown.scatter_add_(2, place, torch.zeros_like(given).masked_fill(same, -torch.inf))
    best, index = torch.cat([torch.logaddexp(ended, going), grown.flatten(1)], 1).topk(kept, 1)
    stays = index < kept
    origin = torch.where(stays, index, (index - kept) // (blank + 1))
    added = torch.where(stays, blank, (index - kept) % (blank + 1))
    none = torch.full_like(best, -torch.inf)
    dead = best == -torch.inf
    last = torch.where(stays, beams.last.gather(1, origin), added).masked_fill(dead, blank)
    key = beams.key.gather(1, origin)
    found = Beams(
        torch.where(stays, ended.gather(1, origin), none),
        torch.where(stays, going.gather(1, origin), best),
        last,
        torch.where(stays, key, _grown(key, added)),
    )
    return found, origin, added


def _grown(key: Tensor, symbol: Tensor) -> Tensor:
    """The number that stands for a text with a symbol more."""
    return key * FACTOR + symbol + 1


def _traced(came: list[tuple[Array, Array]], best: Array, blank: int) -> list[Array]:
    """Follow the best beam of each row back to the beginning."""
    rows, place = np.arange(len(best)), best
    added = np.full((len(came), len(best)), blank)
    for step in range(len(came) - 1, -1, -1):
        origin, symbols = came[step]
        added[step] = symbols[rows, place]
        place = origin[rows, place]
    return [column[column != blank] for column in added.T]


def _allowed(said: Tensor, lengths: Tensor, forbidden: int | None) -> Tensor:
    found = certain(said, lengths)
    if forbidden is not None:
        found[..., forbidden] = -torch.inf
    return found


def certain(said: Tensor, lengths: Tensor) -> Tensor:
    """Return a copy in which blanks are certain beyond each row's end, so that nothing more is told there."""
    over = torch.arange(len(said), device=said.device).unsqueeze(1) >= lengths.to(said.device)
    found = said.masked_fill(over.unsqueeze(-1), -torch.inf)
    found[..., -1].masked_fill_(over, 0.0)
    return found
