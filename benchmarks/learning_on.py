"""Pretrained networks that learn on from little new data, beside what they were and new ones on that data alone.

    ELMAN_DATA=FOLDER python benchmarks/learning_on.py [speakers | stations | texts ...] [--rate RATE]

`speakers`: which digit is said, by somebody who was not among the five speakers of the first run; for each of the six,
10 recordings of each digit are learnt from and 25 are the test. `stations`: the seven columns of ETTh1, then the first
2500 hours of ETTh2, split in time. `texts`: Tiny Shakespeare, 700 updates, then 150,000 characters of e-mails, 300
updates. FOLDER holds `fsdd`, `ett` and `aeslc` (default: ../shared/data). Prints a line for each test part, and one
JSON line. Needs the extra `audio`.
"""

import json
import sys
import tarfile
import tempfile
from pathlib import Path

import polars as pl
import real_data

import elman

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def speakers(place):
    """For each speaker the options of the first run, on all others, and of those on his recordings."""
    with tarfile.open(real_data.place("fsdd/recordings.tar.xz")) as archive:
        archive.extractall(place, filter="data")
    told = [(path, *path.stem.split("_")) for path in sorted((place / "recordings").glob("*.wav"))]

    def rows(chosen):
        return [{"path": str(p), "digit": digit} for p, digit, who, number in told if chosen(who, int(number))]

    for one in SPEAKERS:
        first = {"data": rows(lambda who, number, one=one: who != one and number >= 5)}
        new = rows(lambda who, number, one=one: who == one and 5 <= number < 15)
        test = rows(lambda who, number, one=one: who == one and number >= 25)
        yield one, "classification", "accuracy", first, {"data": new, "test": test}


def stations(_):
    """One station, then the first hours of another."""
    tables = [pl.read_csv(real_data.place(f"ett/ETTh{k}.csv")) for k in (1, 2)]
    shape = {"horizon": 24, "context": 336}
    yield "ETTh2", "forecasting", "mse", {"data": tables[0], **shape}, {"data": tables[1][:2500]}, shape


def texts(place):
    """Plays, then e-mails."""
    bodies = "\n\n".join(pl.read_ndjson(real_data.place("aeslc/train.jsonl"))["body"])
    parts = {"data": bodies[:150_000], "test": bodies[1_000_000:1_100_000]}
    for name, text in parts.items():
        (place / f"{name}.txt").write_text(text)
        parts[name] = place / f"{name}.txt"
    yield "e-mails", "language-modeling", "loss", {"data": "tinyshakespeare", "steps": 700}, parts | {"steps": 300}


def measured(place, name, task, measure, first, second, shape=None, given=()):
    """The measure on the new test part, of all contenders."""
    before = elman.train(task, out=place / f"{name}-first", quiet=True, **first)
    on = elman.train(task, out=place / f"{name}-on", quiet=True, pretrained=before, **second, **dict(given))
    new = elman.train(task, out=place / f"{name}-new", quiet=True, **second, **(shape or {}))
    start, *others = (each[measure] for each in on.description["baselines"]["test"])
    best = (max if measure == "accuracy" else min)(others)
    scores = {"as it was": start, "learnt on": on.scores["test"][measure], "new": new.scores["test"][measure]}
    return {"data": name, "measure": measure, **scores, "best baseline": best}


SETS = {"speakers": speakers, "stations": stations, "texts": texts}


def main():
    arguments = sys.argv[1:]
    given = {}
    if "--rate" in arguments:
        at = arguments.index("--rate")
        given = {"rate": float(arguments[at + 1])}
        del arguments[at : at + 2]
    found = []
    for name in arguments or SETS:
        with tempfile.TemporaryDirectory() as folder:
            for each in SETS[name](Path(folder)):
                found.append(measured(Path(folder), *each, given=given))
                said = (f"{key} {value:.4g}" if isinstance(value, float) else value for key, value in found[-1].items())
                print(", ".join(said), flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
