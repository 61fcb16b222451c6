"""Phases of gestures, a tag for every frame of a video: every video in turn is the test, its neighbour validates.

    ELMAN_DATA=FOLDER python benchmarks/gestures.py [--tables FOLDER] [OPTION ...]

FOLDER/gesture_phase holds the csv files of UCI's Gesture Phase Segmentation (default: ../shared/data): positions of
hands, wrists, head and spine, 18 numbers a frame. The tables have a row per frame, and a column that names the video.
Options go to `elman train tagging`. Prints a row for each video; --tables only writes tables.
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


def frames(video):
    """A video, a row per frame."""
    table = pl.read_csv(DATA / f"{video}_raw.csv")
    phase = pl.col("phase").replace("Preparação", "Preparation")
    return table.select(pl.lit(video).alias("video"), pl.exclude("phase"), phase)


def write(folder, video):
    """The tables of which this video is the test; the next one validates."""
    valid = VIDEOS[(VIDEOS.index(video) + 1) % len(VIDEOS)]
    others = [other for other in VIDEOS if other not in (video, valid)]
    folder.mkdir(parents=True, exist_ok=True)
    for part, videos in {"train": others, "valid": [valid], "test": [video]}.items():
        pl.concat(map(frames, videos)).write_csv(folder / f"{part}.csv")


def trained(folder, options):
    """What `elman train` says of the tables in a folder."""
    files = [folder / "train.csv", "--valid", folder / "valid.csv", "--test", folder / "test.csv"]
    line = [sys.executable, "-m", "elman", "train", "tagging", *map(str, files), *options]
    done = subprocess.run(
        [*line, "--out", folder / "run", "--quiet", "--json"], capture_output=True, text=True, check=False
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
