"""Forecasts of several series in one table, by what they are scaled by: errors of every series, beside the last season.

    ELMAN_DATA=FOLDER python benchmarks/grouped_series.py [made | ett ...] [--OPTION VALUE ...]

`made`: 20 series whose sizes lie between 1 and 10,000, generated: seasons with noise that lasts, some of them growing,
wandering or counts. `ett`: the seven columns of ETTh1 and of ETTh2, a series each, one under the other; FOLDER holds
`ett` (default: ../shared/data). Of each a few series are held out whole: a network that never saw them forecasts them.
Options go to `elman train forecasting`, --scale to choose one or more, with commas. Prints a table for each, and one
JSON line.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import elman

DATA = Path(os.environ.get("ELMAN_DATA", "../shared/data"))
SEASON = 24
KINDS = ("seasonal", "wandering", "growing", "counts")


def made(count=25):
    """Series of 700 to 1400 steps by name."""
    draw, found = np.random.default_rng(0), {}
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        time_steps = np.arange(int(draw.integers(700, 1400)))
        season = draw.uniform(0.1, 0.8) * np.sin(2 * np.pi * (time_steps / SEASON + draw.uniform()))
        noise = np.zeros(len(time_steps))
        for k, each in enumerate(draw.normal(0, draw.uniform(0.03, 0.2), len(time_steps) - 1), 1):
            noise[k] = 0.8 * noise[k - 1] + each
        trend = {
            "wandering": np.cumsum(draw.normal(0, 0.004, len(time_steps))),
            "growing": draw.uniform(-1, 2) * time_steps / len(time_steps),
        }.get(kind, 0.0)
        size = 10 ** (4 * number / (count - 1))
        counted = draw.poisson(draw.uniform(0.1, 1.5) * np.exp(2 * season))
        found[f"{number:02}-{kind}"] = size * (counted if kind == "counts" else np.exp(season + noise + trend))
    return found, list(found)[2::5], {"context": 192}


def ett():
    """The columns of both tables."""
    found = {}
    for name in ("ETTh1", "ETTh2"):
        table = pl.read_csv(DATA / "ett" / f"{name}.csv")[:14400]
        found |= {f"{name}-{column}": table[column].to_numpy() for column in table.columns[1:]}
    return found, ["ETTh1-OT", "ETTh2-HUFL", "ETTh2-MULL"], {}


SETS = {"made": made, "ett": ett}


def write(path, series):
    """Write series one under the other."""
    frames = [pl.DataFrame({"series": [name] * len(values), "value": values}) for name, values in series.items()]
    pl.concat([frame.cast({"value": pl.Float64}) for frame in frames]).write_parquet(path)
    return path


def measured(name, scales, options):
    """The figures of every series by scale, and those of the series that were held out."""
    series, new, own = SETS[name]()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        known = write(Path(folder) / "known.parquet", {k: v for k, v in series.items() if k not in new})
        # Of series that are new the last fifth is forecast, as of the others.
        ends = {k: series[k][-round(0.2 * len(series[k])) - own.get("context", 720) :] for k in new}
        others = write(Path(folder) / "new.parquet", ends)
        for scale in scales:
            begun = time.monotonic()
            run = elman.train(
                "forecasting", known, group="series", scale=scale, season=SEASON, out=Path(folder) / scale,
                quiet=True, **(own | options),
            )  # fmt: skip
            rows = run.description["forecasts"]["series"]["rows"]
            found[scale] = {
                "test": run.scores["test"],
                "new": run.evaluate(others)["score"],
                "season": run.description["baselines"]["test"][1],
                "series": {row["series"]: row for row in rows},
                "seconds": round(time.monotonic() - begun, 1),
            }
    return found


def show(name, found):
    """Print MASE of every series by scale."""
    scales = list(found)
    print(f"\n{name}: MASE" + "".join(f"{scale:>10}" for scale in scales) + "    last season", flush=True)
    for series in sorted(found[scales[0]]["series"]):
        row = [found[scale]["series"][series] for scale in scales]
        print(f"{series:16}" + "".join(f"{each['mase']:10.3f}" for each in row) + f"{row[0]['naive']:15.3f}")
    for what, part, key in (
        ("mean", "test", "mase"), ("mean, new series", "new", "mase"), ("pinball, scaled", "test", "pinball"),
        ("MAE, as they are", "test", "mae_original"), ("MSE, scaled", "test", "mse"),
    ):  # fmt: skip
        row = "".join(f"{found[scale][part][key]:10.4g}" for scale in scales)
        rival = f"{found[scales[0]]['season'][key]:15.4g}" if part == "test" else ""
        print(f"{what:16}" + row + rival)
    print(f"{'seconds':16}" + "".join(f"{found[scale]['seconds']:10.0f}" for scale in scales), flush=True)


def main():
    words, names, options = sys.argv[1:], [], {}
    while words:
        word = words.pop(0)
        if word.startswith("--") and words:
            value = words.pop(0)
            options[word[2:].replace("-", "_")] = (
                float(value) if "." in value else int(value) if value.isdigit() else value
            )
        elif word in SETS:
            names.append(word)
        else:
            raise SystemExit(f"{word!r} is unknown; there are {', '.join(SETS)}, and --OPTION VALUE")
    scales = options.pop("scale", "column,series,window").split(",")
    results = {}
    for name in names or SETS:
        results[name] = measured(name, scales, options)
        show(name, results[name])
    print(json.dumps(results))


main()
