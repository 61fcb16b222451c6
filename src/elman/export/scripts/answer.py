"""Answer a row with an exported network: python example.py "a text", or a series as JSON: "[[1.5, 2], [1.4, 2]]".

It needs numpy and onnxruntime, and for texts in subwords also tokenizers. All else is in model.json.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from elman.export.scripts.answers import told
from elman.export.scripts.cutting import cutting
from elman.export.scripts.wording import numbers

HERE = Path(__file__).parent


def encode(read: dict[str, Any], row: Any) -> dict[str, Any]:
    """Return the inputs for one row: a text, a list of words, or a list with the numbers of each step."""
    if read["modality"] == "series":
        steps = np.array(row, np.float64).reshape(len(row), -1)
        found = {"values": ((steps - read["mean"]) / read["deviation"]).astype(np.float32)[None]}
    elif read["modality"] == "symbols":
        found = {"symbols": np.array([cutting(read)[0](row)[: read["longest"]]], np.int64)}
    else:
        found = dict(zip(("words", "parts"), numbers(read, [row]), strict=False))
    return {**found, "lengths": np.array([next(iter(found.values())).shape[1]], np.int64)}


def usage(read: dict[str, Any]) -> str:
    """Return what to give: a text, or a series of as many numbers in a step as are read."""
    if read["modality"] != "series":
        return 'give a text: python example.py "a text"'
    step = [0.5 * (k + 1) for k in range(len(read["mean"]))]
    return f'give a series as JSON, {len(step)} numbers for each time step: python example.py "{[step, step]}"'


def taken(read: dict[str, Any], given: str) -> Any:
    """Return the row that is given: a list as JSON writes it, or a text, which may stand in brackets."""
    try:
        return json.loads(given) if given.startswith("[") else given
    except ValueError:
        return sys.exit(usage(read)) if read["modality"] == "series" else given


def main(description: dict[str, Any], row: Any) -> None:
    """Print the answers to a row."""
    import onnxruntime

    session = onnxruntime.InferenceSession(HERE / "model.onnx")
    told(description["modalities"]["outputs"], session.run(None, encode(description["modalities"]["input"], row)))


if __name__ == "__main__":
    known = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    given = sys.argv[1] if len(sys.argv) > 1 else sys.exit(usage(known["modalities"]["input"]))
    main(known, taken(known["modalities"]["input"], given))
