"""Answer a call with an exported network: python example.py call.txt, a file with a turn on each line.

It needs numpy and onnxruntime. All else is in model.json.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from elman.export.scripts.answers import told
from elman.export.scripts.wording import numbers

HERE = Path(__file__).parent


def encode(read: dict[str, Any], turns: Any) -> dict[str, Any]:
    """Return the inputs for one call: a list of turns, or a text with a turn on each line."""
    if isinstance(turns, str):
        turns = [line for line in re.split(r"[\r\n]", turns) if line.strip()]
    if not turns:
        sys.exit("give a call: a file with a turn on each line; this one has none")
    words, found, counts = numbers(read["words"], turns)
    lengths = np.array([len(turns)], np.int64)
    return {"words": words[None], "parts": found[None], "counts": counts[None], "lengths": lengths}


def main(turns: str) -> None:
    """Print the answers to a call."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(HERE / "model.onnx")
    told(description["modalities"]["outputs"], session.run(None, encode(description["modalities"]["input"], turns)))


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else sys.exit("give a call: python example.py call.txt")
    main(Path(given).read_text(encoding="utf-8"))
