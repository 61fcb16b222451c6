"""Recordings with the tasks' defaults, beside their baselines: spoken digits, alone and in strings of three to seven.

    ELMAN_DATA=FOLDER python benchmarks/speech.py [--tables PLACE] [NAME ...] [OPTION ...]

FOLDER holds fsdd/recordings.tar.xz, the Free Spoken Digit Dataset: six speakers; recordings 0 to 4 of each digit are
its test part. A string is made of digits of one speaker, one behind the other: of recordings 10 to 49 for training, 5
to 9 for validation, 0 to 4 for the test, so that no recording is in two parts. --tables only makes the tables, in
PLACE. Options are passed on to `elman train`. Prints a row per run as it ends, and one JSON line. Needs the extras
`audio` and `metrics`.
"""

import csv
import json
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import real_data
import soundfile

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PARTS = {"train": range(10, 50), "valid": range(5, 10), "test": range(5)}
STRINGS = {"train": 3000, "valid": 300, "test": 300}
RUNS = {
    "digits": ("classification", "digits", ["--output", "label"], ("accuracy",), max),
    "speakers": ("classification", "digits", ["--output", "speaker"], ("accuracy",), max),
    "words": ("speech-recognition", "words", [], ("wer", "cer"), min),
    "strings": ("speech-recognition", "strings", [], ("wer", "cer"), min),
}


def make_tables(place):
    """Unpack the recordings, and write the tables of all parts."""
    with tarfile.open(real_data.place("fsdd/recordings.tar.xz")) as archive:
        archive.extractall(place, filter="data")
    (place / "strings").mkdir(exist_ok=True)
    files = sorted((place / "recordings").glob("*.wav"))
    told = [(path, *path.stem.split("_")) for path in files]
    for part, numbers in PARTS.items():
        rows = [(path, int(digit), speaker) for path, digit, speaker, number in told if int(number) in numbers]
        named = [(f"recordings/{path.name}", digit, speaker) for path, digit, speaker in rows]
        write(place / f"digits-{part}.csv", ["path", "label", "speaker"], named)
        write(place / f"words-{part}.csv", ["path", "text"], [(path, WORDS[digit]) for path, digit, _ in named])
        write(place / f"strings-{part}.csv", ["path", "text"], strings(place, part, rows))


def strings(place, part, rows):
    """Write recordings of several digits one behind the other, and yield their names and texts."""
    draw = random.Random(part)
    speakers = sorted({speaker for _, _, speaker in rows})
    for number in range(STRINGS[part]):
        own = draw.choice(speakers)
        chosen = draw.choices([(path, digit) for path, digit, speaker in rows if speaker == own], k=draw.randint(3, 7))
        name = f"strings/{part}-{number}-{own}.flac"
        soundfile.write(place / name, np.concatenate([soundfile.read(path)[0] for path, _ in chosen]), 8000)
        yield name, " ".join(WORDS[digit] for _, digit in chosen)


def write(path, names, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def measured(place, name, options):
    """What `elman train` says of one table."""
    task, table, own, measures, best = RUNS[name]
    files = [place / f"{table}-{part}.csv" for part in PARTS]
    line = ["train", task, files[0], "--valid", files[1], "--test", files[2], *own, *options]
    with tempfile.TemporaryDirectory() as out:
        begun = time.monotonic()
        command = [sys.executable, "-m", "elman", *line, "--out", Path(out) / "run", "--quiet", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    return {
        "name": name,
        "scores": {key: found["scores"]["test"][key] for key in measures},
        "baselines": {key: best(entry[key] for entry in found["baselines"]["test"]) for key in measures},
        "epochs": found["training"]["epochs"],
        "steps": found["training"]["steps"],
        "seconds": round(seconds, 1),
    }


def run(place, names, options):
    print("data       measure     elman  best baseline  epochs  steps      s")
    results = []
    for name in names:
        results.append(found := measured(place, name, options))
        for key, score in found["scores"].items():
            figures = f"{score:7.4f} {found['baselines'][key]:14.4f} {found['epochs']:7.1f} {found['steps']:6}"
            print(f"{name:10} {key:9} {figures} {found['seconds']:6.0f}", flush=True)
    print(json.dumps(results))


def main():
    words = sys.argv[1:]
    if words[:1] == ["--tables"]:
        make_tables(Path(words[1]))
        return
    with tempfile.TemporaryDirectory() as place:
        make_tables(Path(place))
        names = [word for word in words if word in RUNS] or list(RUNS)
        run(Path(place), names, [word for word in words if word not in RUNS])


main()
