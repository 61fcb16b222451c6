"""When each symbol of a text is heard: the most probable way to lay the text over the time steps.

It knows ln P by time step, the last symbol a blank, and texts; nothing of networks and of what symbols stand for.
"""

import numpy as np
import torch
from torch import Tensor

from elman.data.ragged import Array, Ragged, row_of, within
from elman.generation.prefix_beam import certain


@torch.inference_mode()
def heard_at(said: Tensor, lengths: Tensor, texts: Ragged) -> list[Array]:
    """Return for each row at which time step each symbol of its text begins, by Viterbi's algorithm.

    Args:
        said: (T, B, V + 1).
        lengths: (B,).
        texts: B texts, each with as many time steps as it has symbols and repeats.
    """
    blank, rows = said.shape[-1] - 1, len(texts)
    places = torch.full((rows, 2 * int(texts.lengths.max(initial=0)) + 1), blank, device=said.device)
    owners, odd = row_of(texts.lengths), 2 * within(texts.lengths) + 1
    places[owners, odd] = torch.from_numpy(texts.values.astype(np.int64)).to(said.device)
    skips = torch.zeros_like(places, dtype=torch.bool)  # over the blank between two symbols that differ
    skips[:, 2:] = (places[:, 2:] != blank) & (places[:, 2:] != places[:, :-2])
    score = torch.full(places.shape, -torch.inf, device=said.device)
    score[:, 0] = 0.0  # before the first step, as if a blank had been there
    came = []
    for step in certain(said, lengths):
        before = torch.stack([score, _shifted(score, 1), _shifted(score, 2).masked_fill(~skips, -torch.inf)])
        score, origin = before.max(0)
        score = score + step.gather(1, places)
        came.append(origin.cpu().numpy())
    return _begun(came, score.cpu().numpy(), texts)


def _shifted(score: Tensor, by: int) -> Tensor:
    """The scores of the places so far before each, -inf where there is none."""
    return torch.nn.functional.pad(score, (by, 0), value=-torch.inf)[:, : score.shape[1]]


def _begun(came: list[Array], score: Array, texts: Ragged) -> list[Array]:
    """Follow each row's best way back, and note when it came to each symbol."""
    rows, ends = np.arange(len(texts)), 2 * texts.lengths
    ahead = np.maximum(ends - 1, 0)
    place = np.where(score[rows, ahead] > score[rows, ends], ahead, ends)
    begun = [np.zeros(int(length), np.int64) for length in texts.lengths]
    for step in range(len(came) - 1, -1, -1):
        for row in np.flatnonzero(place % 2):
            begun[row][place[row] // 2] = step
        place = place - came[step][rows, place]
    return begun
