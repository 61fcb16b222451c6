"""What an example makes of ln P at every time step of a recording: the most probable text."""

from collections.abc import Iterator
from typing import Any

import numpy as np


def search(said: Any, beams: int) -> list[int]:
    """Return the most probable text of all that are found, for ln P (T, V + 1), last of the blank: beam search."""
    never, blank = -np.inf, said.shape[1] - 1
    found: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, never)}  # ln P, ended by a blank or by the text
    for now in said:
        ends = {text[-1] for text in found if text}
        symbols = ends | {int(k) for k in np.argsort(-now[:blank], kind="stable")[: beams + 1]}
        grown: dict[tuple[int, ...], list[float]] = {}
        for text, (ended, going) in found.items():
            whole, stays = np.logaddexp(ended, going), grown.setdefault(text, [never, never])
            stays[0] = np.logaddexp(stays[0], whole + now[blank])
            if text:
                stays[1] = np.logaddexp(stays[1], going + now[text[-1]])
            for k in symbols:
                longer = grown.setdefault((*text, k), [never, never])
                longer[1] = np.logaddexp(longer[1], (ended if text[-1:] == (k,) else whole) + now[k])
        best = sorted(grown, key=lambda text: -float(np.logaddexp(grown[text][0], grown[text][1])))[:beams]
        found = {text: (grown[text][0], grown[text][1]) for text in best}
    return list(next(iter(found)))


def stream(description: dict[str, Any], frames: Any, step: Any, pieces: Any) -> Iterator[int]:
    """Yield symbols as they are heard in pieces of samples (N,) of any length, the most probable at every time step."""
    read, last = description["modalities"]["input"], description["blank"]
    window, hop, stride = round(0.025 * read["rate"]), round(0.010 * read["rate"]), read["stride"]
    inputs = description["models"]["step"]["inputs"][1:]
    state = {each["name"]: np.zeros([1 if n == "batch" else n for n in each["shape"]], np.float32) for each in inputs}
    silence = np.zeros((stride, read["bands"]), np.float32)
    waiting, heard = np.zeros(0, np.float32), silence
    begun = False
    for piece in [*pieces, None]:
        waiting = waiting if piece is None else np.concatenate([waiting, piece])
        if len(waiting) >= window or (piece is None and len(waiting) and not begun):
            length = np.array([len(waiting)], np.int64)
            found, count = frames.run(None, {"samples": waiting[None], "lengths": length})
            heard, waiting, begun = np.concatenate([heard, found[0, : count[0]]]), waiting[count[0] * hop :], True
        if piece is None:
            heard = np.concatenate([heard, silence])
        while len(heard) > 2 * stride:
            said, *after = step.run(None, {"frames": heard[None, : 2 * stride + 1], **state})
            heard, state = heard[stride:], dict(zip(state, after, strict=True))
            if description["unknown"] is not None:
                said[0, description["unknown"]] = -np.inf
            symbol = int(said[0].argmax())
            if symbol not in (last, description["blank"]):
                yield symbol
            last = symbol
