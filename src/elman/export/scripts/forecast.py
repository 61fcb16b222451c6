"""Forecast what follows a table with an exported network: python example.py table.csv.

It needs numpy and onnxruntime. All else is in model.json. The table has a row for each time step of one series, in
order.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def encode(modalities: dict[str, Any], rows: list[dict[str, str]]) -> Any:
    """Return the input for the last rows of a table: z-scores, (1, context, columns)."""
    forecast, context = modalities["forecast"], modalities["layout"]["context"]
    if len(rows) < context:
        sys.exit(f"{len(rows)} time steps are fewer than the context of {context}; give more")
    names = [*forecast["targets"], *forecast["covariates"]]
    values = np.array([[float(row[name]) for name in names] for row in rows[-context:]])
    return ((values - forecast["mean"]) / forecast["deviation"]).astype(np.float32)[None]


def decode(modalities: dict[str, Any], found: Any) -> Any:
    """Return z-scores of the targets, (horizon, targets) or with quantiles behind, in the table's units."""
    forecast = modalities["forecast"]
    count = len(forecast["targets"])
    shape = (count,) + (1,) * (found.ndim - 2)
    mean, deviation = (np.array(forecast[name][:count]).reshape(shape) for name in ("mean", "deviation"))
    return found * deviation + mean


def main(file: str) -> None:
    """Print the forecast of every target."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    modalities = description["modalities"]
    with Path(file).open(encoding="utf-8", newline="") as table:
        past = encode(modalities, list(csv.DictReader(table)))
    session = onnxruntime.InferenceSession(HERE / "model.onnx")
    quantiles, mean = (decode(modalities, found[0]) for found in session.run(None, {"past": past}))
    levels = [f"q{round(100 * level)}" for level in description["levels"]]
    print("step", "target", "mean", *levels, sep=",")
    for step in range(len(mean)):
        for k, name in enumerate(modalities["forecast"]["targets"]):
            print(step + 1, name, *(f"{value:.4f}" for value in (mean[step, k], *quantiles[step, k])), sep=",")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else sys.exit("give a table: python example.py table.csv"))
