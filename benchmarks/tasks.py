"""Every task on real data with its defaults, beside its baselines and the mark that it should reach.

    ELMAN_DATA=FOLDER python benchmarks/tasks.py [NAME ...]

FOLDER holds a folder for each data set (default: ../shared/data); what `python benchmarks/pictures.py FOLDER` makes of
images lies in ELMAN_PICTURES (default: ../pictures), what `python benchmarks/calls.py FOLDER` makes of questions in
ELMAN_CALLS (default: ../calls). Prints a row per run as it ends, and one JSON line. Needs the extras `baselines` and
`metrics`.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(os.environ.get("ELMAN_DATA", "../shared/data"))
PICTURES = Path(os.environ.get("ELMAN_PICTURES", "../pictures")).absolute()
CALLS = Path(os.environ.get("ELMAN_CALLS", "../calls")).absolute()
BOTH = ["train.csv", "--test", "test.csv"]
PARTS = ["train.jsonl", "--valid", "valid.jsonl", "--test", "test.jsonl"]

RUNS = {
    "sst2": ("classification", "sst2", PARTS, [], {"accuracy": 0.80}),
    "banking77": ("classification", "banking77", ["train.csv", "--test", "test.csv"], [], {"accuracy": 0.88}),
    "pendigits": ("classification", "pendigits", ["train.jsonl", "--test", "test.jsonl"], [], {"accuracy": 0.983}),
    "japanese_vowels": (
        "classification",
        "japanese_vowels",
        ["train.jsonl", "--test", "test.jsonl"],
        [],
        {"accuracy": 0.975},
    ),
    "snips": (
        "tagging",
        "snips",
        PARTS,
        ["--output", "tags,intent"],
        {"entity_f1": 0.92, "label_accuracy": 0.973},
    ),
}
RUNS["jsb_chorales"] = ("event-modeling", "jsb_chorales", PARTS, [], {"step_loss": 5.56})
RUNS["multi30k"] = (
    "translation",
    "multi30k",
    ["train.jsonl", "--valid", "valid.jsonl", "--test", "test_2017.jsonl"],
    ["--input", "en", "--output", "fr"],
    {"bleu": 44.3},
)
RUNS["aeslc"] = ("summarization", "aeslc", PARTS, [], {"rouge_l": 16.0, "rouge1": 15.3, "rouge2": 7.39})
RUNS["digits"] = ("classification", PICTURES / "digits", BOTH, [], {"accuracy": 0.99})
RUNS["digits-rows"] = ("classification", PICTURES / "digits", BOTH, ["--reading", "rows"], {"accuracy": 0.985})
RUNS["scenes"] = ("captioning", PICTURES / "scenes", BOTH, [], {"exact": 0.8, "bleu": 90.0})
RUNS["films"] = ("video-tagging", PICTURES / "films", BOTH, [], {"tag_accuracy": 0.9})
RUNS["moves"] = ("classification", PICTURES / "moves", BOTH, [], {"accuracy": 0.98})
TURNS = ["--input", "turns", "--output", "tags,topic,outcome"]
RUNS["calls"] = ("call-analysis", CALLS, PARTS, TURNS, {"tag_accuracy": 0.93, "label_accuracy": 0.93})
RUNS["calls-causal"] = ("call-analysis", CALLS, PARTS, [*TURNS, "--no-bidirectional"], {"tag_accuracy": 0.93})
FLOORS = {  # mean squared errors of ridge regression on 336 hours, the best of the floors measured
    ("ETTh1", 24, "OT"): 0.026,
    ("ETTh1", 24, "all"): 0.306,
    ("ETTh1", 96, "OT"): 0.053,
    ("ETTh1", 96, "all"): 0.375,
    ("ETTh2", 24, "OT"): 0.067,
    ("ETTh2", 24, "all"): 0.168,
    ("ETTh2", 96, "OT"): 0.129,
    ("ETTh2", 96, "all"): 0.284,
}
for (file, horizon, target), floor in FLOORS.items():
    own = ["--split", "8640,2880,2880", "--horizon", str(horizon)] + ["--target", "OT"] * (target == "OT")
    RUNS[f"{file}-{horizon}-{target}"] = ("forecasting", "ett", [f"{file}.csv"], own, {"mse": floor})


def measured(name, options):
    """What `elman train` says of one data set, and the seconds that it took from start to end."""
    task, folder, files, own, marks = RUNS[name]
    named = [word if word.startswith("--") else DATA / folder / word for word in files]
    with tempfile.TemporaryDirectory() as out:
        line = [sys.executable, "-m", "elman", "train", task, *named, *own, *options, "--out", Path(out) / "run"]
        begun = time.monotonic()
        done = subprocess.run([*line, "--quiet", "--json"], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    scores, training = found["scores"]["test"], found["training"]
    best = min if marks.keys() & {"mse", "step_loss"} else max
    rivals = {key: best(entry[key] for entry in found["baselines"]["test"] if key in entry) for key in marks}
    return {
        "name": name,
        "scores": {key: scores[key] for key in marks},
        "baselines": rivals,
        "marks": marks,
        "epochs": training["epochs"],
        "steps": training["steps"],
        "training_seconds": training["seconds"],
        "seconds": round(seconds, 1),
    }


def main():
    if any(importlib.util.find_spec(name) is None for name in ("sklearn", "sacrebleu", "rouge_score")):
        raise SystemExit(
            "scores and baselines need scikit-learn, sacrebleu and rouge-score: pip install '.[baselines,metrics]'"
        )
    options = [word for word in sys.argv[1:] if word.startswith("--") or word not in RUNS]
    names = [word for word in sys.argv[1:] if word in RUNS] or list(RUNS)
    print("data             measure          elman  best baseline   mark  epochs  steps      s")
    results = []
    for name in names:
        found = measured(name, options)
        results.append(found)
        for key, mark in found["marks"].items():
            row = f"{name:16} {key:14} {found['scores'][key]:7.4f} {found['baselines'][key]:14.4f} {mark:6.3f}"
            print(f"{row}  {found['epochs']:6.1f} {found['steps']:6} {found['seconds']:6.0f}", flush=True)
    print(json.dumps(results))


main()
