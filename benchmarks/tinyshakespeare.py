"""Language modelling against the plain script, the same seconds of training, one after the other, over and over.

    python benchmarks/tinyshakespeare.py FOLDER [SECONDS] [ROUNDS]

FOLDER holds train.txt and valid.txt. Prints a row per run and one JSON line. Both train on train.txt and are scored on
valid.txt: Elman on every character but the first, the plain script on what its eight lanes hold.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def plain(folder, seconds):
    line = [sys.executable, HERE / "plain_lstm.py", folder, str(seconds)]
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    loss, steps, speed = re.findall(r"[\d.]+", said)
    return float(loss), int(steps), int(speed)


def elman(folder, seconds):
    with tempfile.TemporaryDirectory() as out:
        line = [sys.executable, "-m", "elman", "train", "language-modeling", folder / "train.txt", "--quiet", "--json"]
        line += ["--valid", folder / "valid.txt", "--out", Path(out) / "run", "--minutes", str(seconds / 60)]
        described = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    training = described["training"]
    return described["scores"]["valid"]["loss"], training["steps"], round(training["symbols_per_second"])


def main():
    folder = Path(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 130.0
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    print("               nats per character    steps   characters/s")
    losses = {"plain torch": [], "elman": []}
    for _ in range(rounds):
        for name, work in (("plain torch", plain), ("elman", elman)):
            loss, steps, speed = work(folder, seconds)
            losses[name].append(loss)
            print(f"{name:12} {loss:20.4f} {steps:8,} {speed:14,}", flush=True)
    print(json.dumps({"seconds": seconds, **{name: statistics.median(found) for name, found in losses.items()}}))


main()
