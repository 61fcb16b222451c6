"""What an example makes of the answers of a classifier or tagger: words and probabilities."""

from typing import Any

import numpy as np


def decode(output: dict[str, Any], found: Any) -> list[tuple[str, float]]:
    """Return the answers and their probabilities, one of a whole row or one for each step."""
    chosen = best(output, found) if found.ndim == 2 else [int(found.argmax())]
    rows = found if found.ndim == 2 else found[None]
    return [(output["symbols"][k], float(np.exp(row[k]))) for k, row in zip(chosen, rows, strict=True)]


def best(output: dict[str, Any], found: Any) -> list[int]:
    """Return the most probable tags, (T,); where B- begins spans, the most probable that mark any (Viterbi)."""
    tags = output["symbols"]
    if not output.get("strict", True) or not all(tag == "O" or tag[:2] in ("B-", "I-") for tag in tags):
        return [int(k) for k in found.argmax(-1)]
    allowed = [[0 if tag[:2] != "I-" or before[2:] == tag[2:] else -1e4 for tag in tags] for before in [*tags, "O"]]
    ahead = np.array(allowed, np.float32)
    total, came = found[0] + ahead[-1], []
    for now in found[1:]:
        ways = total[:, None] + ahead[:-1]
        came.append(ways.argmax(0))
        total = ways.max(0) + now
    path = [int(total.argmax())]
    for origin in reversed(came):
        path.append(int(origin[path[-1]]))
    return path[::-1]


def told(outputs: list[dict[str, Any]], found: list[Any]) -> None:
    """Print the answers to one row, each with its probability."""
    for output, one in zip(outputs, found, strict=False):  # a model may show more behind its answers
        print(f"{output['column']}:", ", ".join(f"{said} ({sure:.4f})" for said, sure in decode(output, one[0])))
