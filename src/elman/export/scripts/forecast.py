"""Forecast what follows a table with an exported network: python example.py table.csv.

It needs numpy and onnxruntime. All else is in model.json. The table, a csv or tsv, has a row for each time step, those
of a series in order; a column tells several series apart, if one did in training.
"""

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def scale(description: dict[str, Any], name: str, values: Any) -> tuple[Any, Any]:
    """Return mean and deviation that the columns of a series are scaled by: as fitted, or of what is read of it.

    The deviation of what never changed is 0.
    """
    forecast = description["modalities"]["forecast"]
    if forecast["scale"] == "column":
        return np.array(forecast["mean"]), np.array(forecast["deviation"])
    mean, deviation = np.array(forecast["series"].get(name, np.zeros((2, values.shape[1]))))
    steady = (values == values[0]).all(0)
    level, spread = np.where(steady, values[0], values.mean(0)), np.where(steady, 0, values.std(0))
    left = np.abs(values - mean).max(0) > description["most"] * deviation  # also of a series that is new
    anew = (deviation == 0) | left | (forecast["scale"] == "window")
    least = forecast["least"] * deviation * (forecast["scale"] == "window")
    return np.where(anew, level, mean), np.where(anew, np.maximum(spread, least), deviation)


def read(file: str, description: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each series of a table; between semicolons its numbers may have decimal commas."""
    group = description["modalities"]["layout"]["group"]
    columns = [*description["modalities"]["forecast"]["targets"], *description["modalities"]["forecast"]["covariates"]]
    series: dict[str, list[dict[str, str]]] = {}
    with Path(file).open(encoding="utf-8-sig", newline="") as table:
        header = re.sub('"[^"]*"', "", table.readline())
        between = ";" if header.count(";") > header.count(",") else ","
        between = "\t" if file.lower().endswith(".tsv") else between
        table.seek(0)
        rows = csv.DictReader(table, delimiter=between)
        if lacking := [name for name in [*columns, group] if name and name not in (rows.fieldnames or [])]:
            sys.exit(f"{file} has no column {lacking[0]!r}; give a csv or tsv with the columns that training read")
        for row in rows:
            if between == ";":
                row |= {name: row[name].replace(",", ".") for name in columns}
            series.setdefault(row[group] if group else "", []).append(row)
    return series


def encode(description: dict[str, Any], name: str, rows: list[dict[str, str]]) -> tuple[Any, Any, Any]:
    """Return the input for the last rows of a series, scaled, (1, context, columns), and mean and deviation."""
    forecast, context = description["modalities"]["forecast"], description["modalities"]["layout"]["context"]
    if len(rows) < context:
        sys.exit(f"{name or 'the table'} has {len(rows)} time steps, fewer than the context of {context}; give more")
    columns = [*forecast["targets"], *forecast["covariates"]]
    values = np.array([[float(row[column]) for column in columns] for row in rows[-context:]])
    mean, deviation = scale(description, name, values)
    scaled = (values - mean) / np.where(deviation > 0, deviation, 1)
    return scaled.astype(np.float32)[None], mean, deviation


def decode(found: Any, mean: Any, deviation: Any) -> Any:
    """Return the targets in the table's units: scaled they are (horizon, targets), or with quantiles behind."""
    shape = (found.shape[1],) + (1,) * (found.ndim - 2)
    mean, deviation = (part[: found.shape[1]].reshape(shape) for part in (mean, deviation))
    return found * deviation + mean


def main(file: str) -> None:
    """Print the forecast of every target of every series."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    modalities, group = description["modalities"], description["modalities"]["layout"]["group"]
    series = read(file, description)
    session = onnxruntime.InferenceSession(HERE / "model.onnx")
    levels = [f"q{round(100 * level)}" for level in description["levels"]]
    write = csv.writer(sys.stdout, lineterminator="\n").writerow
    write([*[group] * bool(group), "step", "target", "mean", *levels])
    for name, rows in series.items():
        past, *scales = encode(description, name, rows)
        quantiles, mean = (decode(found[0], *scales) for found in session.run(None, {"past": past}))
        for step in range(len(mean)):
            for k, target in enumerate(modalities["forecast"]["targets"]):
                numbers = [f"{value:.8g}" for value in (mean[step, k], *quantiles[step, k])]
                write([*[name] * bool(group), step + 1, target, *numbers])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else sys.exit("give a table: python example.py table.csv"))
