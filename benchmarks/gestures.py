"""Phases of gestures, a tag for every frame of a video: every video in turn is the test, its neighbour validates.

    ELMAN_DATA=FOLDER python benchmarks/gestures.py [--tables FOLDER] [OPTION ...]

FOLDER/gesture_phase holds the csv files of UCI's Gesture Phase Segmentation (default: ../shared/data): positions of
hands, wrists, head and spine, 18 numbers a frame. Training rows are windows of 128 frames, one every 32 frames; the
others are whole videos. Options go to `elman train tagging`. Prints a row for each video; --tables only writes tables.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

DATA = Path(os.environ.get("ELMAN_DATA", "../shared/data")) / "gesture_phase"
VIDEOS = ("a1", "a2", "a3", "b1", "b3", "c1", "c3")
WINDOW, HOP = 128, 32


def rows(video, window=None):
    """A video as one row, or as windows."""
    table = pl.read_csv(DATA / f"{video}_raw.csv")
    phases = table["phase"].replace("Preparação", "Preparation").to_list()
    frames = table.drop("timestamp", "phase").to_numpy().round(4).tolist()
    size = window or len(frames)
    starts = range(0, len(frames) - size + 1, HOP if window else size)
    return [{"frames": frames[k : k + size], "phases": phases[k : k + size]} for k in starts]


def write(folder, video):
    """The tables of which this video is the test; the next one validates."""
    valid = VIDEOS[(VIDEOS.index(video) + 1) % len(VIDEOS)]
    others = [other for other in VIDEOS if other not in (video, valid)]
    parts = {"train": [row for other in others for row in rows(other, WINDOW)]}
    parts |= {"valid": rows(valid), "test": rows(video)}
    folder.mkdir(parents=True, exist_ok=True)
    for part, found in parts.items():
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))


def trained(folder, options):
    """What `elman train` says of the tables in a folder."""
    files = [folder / "train.jsonl", "--valid", folder / "valid.jsonl", "--test", folder / "test.jsonl"]
    line = [sys.executable, "-m", "elman", "train", "tagging", *files, "--input", "frames", "--output", "phases"]
    done = subprocess.run(
        [*map(str, line), *options, "--out", folder / "run", "--quiet", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return json.loads(done.stdout)


def main():
    options = sys.argv[1:]
    if options[:1] == ["--tables"]:
        for video in VIDEOS:
            write(Path(options[1]) / video, video)
        return
    print("video  elman  nearest frame  most frequent  steps      s")
    kept = []
    with tempfile.TemporaryDirectory() as scratch:
        for video in VIDEOS:
            write(folder := Path(scratch) / video, video)
            found = trained(folder, options)
            usual, nearest = (entry["tag_accuracy"] for entry in found["baselines"]["test"])
            kept.append((found["scores"]["test"]["tag_accuracy"], nearest, usual))
            training = found["training"]
            figures = f"{kept[-1][0]:6.3f}  {nearest:13.3f}  {usual:13.3f}"
            print(f"{video:5} {figures}  {training['steps']:5}  {training['seconds']:5.0f}", flush=True)
    mean = [sum(column) / len(column) for column in zip(*kept, strict=True)]
    print(f"mean  {mean[0]:6.3f}  {mean[1]:13.3f}  {mean[2]:13.3f}")


main()
