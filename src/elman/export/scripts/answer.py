"""Answer a row with an exported network: python example.py "a text", or a series as JSON: "[[1.5, 2], [1.4, 2]]".

It needs numpy and onnxruntime, and for texts in subwords also tokenizers. All else is in model.json.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from elman.export.scripts.answers import told
from elman.export.scripts.cutting import symbols
from elman.export.scripts.wording import numbers

HERE = Path(__file__).parent


def encode(read: dict[str, Any], row: Any) -> dict[str, Any]:
    """Return the inputs for one row: a text, a list of words, or a list with the numbers of each step."""
    if read["modality"] == "series":
        steps = np.array(row, np.float64).reshape(len(row), -1)
        found = {"values": ((steps - read["mean"]) / read["deviation"]).astype(np.float32)[None]}
    elif read["modality"] == "symbols":
        found = {"symbols": np.array([symbols(read, row)], np.int64)}
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
    """Return the row that is given: a series as JSON writes it; a text, or where words are read also a list of them."""
    try:
        row = json.loads(given)
    except ValueError:
        row = None
    if read["modality"] == "series":
        return row if fits(row, len(read["mean"])) else sys.exit(usage(read))
    if read["modality"] == "words" and row and isinstance(row, list) and all(isinstance(each, str) for each in row):
        return row
    return given if given.strip() else sys.exit(usage(read))


def fits(row: Any, channels: int) -> bool:
    """Say whether a row is a series of so many numbers in a step."""
    try:
        steps = np.array(row, np.float64).reshape(len(row), channels)
    except (TypeError, ValueError):
        return False
    return steps.size > 0 and bool(np.isfinite(steps).all())


def main(description: dict[str, Any], row: Any) -> None:
    """Print the answers to a row."""
    import onnxruntime

    session = onnxruntime.InferenceSession(HERE / "model.onnx")
    told(description["modalities"]["outputs"], session.run(None, encode(description["modalities"]["input"], row)))


if __name__ == "__main__":
    known = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    given = sys.argv[1] if len(sys.argv) > 1 else sys.exit(usage(known["modalities"]["input"]))
    main(known, taken(known["modalities"]["input"], given))
