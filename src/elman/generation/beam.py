"""Beam search: the most probable text that a network writes of what it has read, for many rows at once.

It knows networks that write symbols, and nothing of what these stand for, nor of what is read.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from elman.data.ragged import Array


@dataclass(frozen=True, kw_only=True)
class Search:
    """How far is looked.

    Attributes:
        beams: how many unfinished texts of each row are followed; 1 takes the most probable symbol always.
        length_norm: texts are compared by ln P / length^length_norm, the end counted as a symbol; 0 favours short ones.
        longest: no text is longer than so many symbols.
        forbidden: a symbol that is never written.
    """

    beams: int = 5
    length_norm: float = 1.0
    longest: int = 200
    forbidden: int | None = None


@torch.inference_mode()
def beam_search(network: Any, inputs: Any, lengths: Tensor, search: Search) -> list[Array]:
    """Return the best text found for each row, as symbols without the end.

    A row is done when none of its unfinished texts is better, by length, than the best finished one; rows that are
    done leave the batch. What is found does not depend on the rows beside it.

    Args:
        network: an EncoderDecoder in eval mode.
        inputs: as its reader takes them.
        lengths: (B,).
        search: how far is looked.
    """
    end, K = network.writer.end, search.beams
    read, carried = network.read(inputs, lengths)
    rows, device = len(lengths), read.device
    alive = torch.arange(rows, device=device)
    carried = carried.rows(alive.repeat(K))
    totals = torch.full((K, rows), -torch.inf, device=device)
    totals[0] = 0.0  # all beams begin alike: one is enough
    texts = torch.empty((0, K, rows), dtype=torch.long, device=device)
    best = torch.full((rows,), -torch.inf, device=device)
    found: list[Array] = [texts[:, 0, 0].cpu().numpy()] * rows
    last = torch.full((1, K * rows), end, device=device)
    for step in range(1, search.longest + 2):
        written, carried = network.writer(last, carried, read)
        said = network.writer.log_probabilities(written, read) + totals.unsqueeze(-1)  # (K, B, V + 1)
        finished, beam = (said[..., end] / step**search.length_norm).max(0)
        for row in torch.nonzero(finished > best).flatten().tolist():
            found[int(alive[row])] = texts[:, int(beam[row]), row].cpu().numpy()
        best = torch.maximum(best, finished)
        said[..., end] = -torch.inf
        if search.forbidden is not None:
            said[..., search.forbidden] = -torch.inf
        totals, index = (tensor.t() for tensor in said.transpose(0, 1).flatten(1).topk(K))  # (K, B), best first
        origin, symbols = index // said.shape[-1], index % said.shape[-1]
        going = torch.nonzero(totals[0] / step**search.length_norm > best).flatten()
        if not len(going) or step > search.longest:
            break
        places = (origin * len(alive) + torch.arange(len(alive), device=device))[:, going].flatten()
        texts = torch.cat([texts.gather(1, origin.expand(len(texts), -1, -1)), symbols.unsqueeze(0)])[..., going]
        carried, totals, last = carried.rows(places), totals[:, going], symbols[:, going].reshape(1, -1)
        if len(going) < len(alive):
            read, best, alive = read.rows(going), best[going], alive[going]
    return found
