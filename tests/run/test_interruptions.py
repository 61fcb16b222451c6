"""Ctrl-C in the midst of what takes long, a validation or a score, is answered at once, with a complete run.

Real signals go to real processes, in which validating and scoring take five minutes.
"""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

import elman

SLOWLY = """
import sys, time
import elman
from elman.tasks import language_modeling

quickly, slow = language_modeling.log_probabilities, sys.argv[3].split(",")

def log_probabilities(network, size, symbols):
    name = "scoring" if symbols is scored else "validating"
    times[name] = times.get(name, 0) + 1
    if f"{name}{times[name]}" in slow:
        print(name, flush=True)
        time.sleep(300)
    return quickly(network, size, symbols)

def score(self, network, prepared, part):
    global scored
    scored = prepared.parts[part].symbols
    return whole(self, network, prepared, part)

scored, times = None, {}
whole = language_modeling.LanguageModeling.score
language_modeling.log_probabilities, language_modeling.LanguageModeling.score = log_probabilities, score
sizes = {} if sys.argv[4] else {"hidden": 8, "embedding": 4}
elman.train("language-modeling", sys.argv[1], out=sys.argv[2], steps=12, validations=3, lanes=4, window=16,
            pretrained=sys.argv[4] or None, **sizes)
"""


@pytest.fixture
def train(text_file, tmp_path):
    """Train in a process, with Ctrl-C wherever something slow begins; return the run and what was told."""

    def train(*slow, ends=0, pretrained=""):
        words = [sys.executable, "-c", SLOWLY, str(text_file), str(tmp_path / "r"), ",".join(slow), str(pretrained)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            begun = time.monotonic()
            for each in slow:
                assert process.stdout.readline() == each[:-1] + "\n"
                time.sleep(1.1)  # else it is the same signal, passed on
                process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=280)[1]
        assert process.returncode == ends, told
        assert time.monotonic() - begun < 280  # a busy machine needs some of it
        return elman.load(tmp_path / "r"), told

    return train


@pytest.fixture
def whole(text_file, tmp_path):
    """The run that was not interrupted."""
    sizes = {"steps": 12, "validations": 3, "hidden": 8, "embedding": 4, "lanes": 4, "window": 16}
    return elman.train("language-modeling", text_file, out=tmp_path / "whole", quiet=True, **sizes)


@pytest.mark.parametrize(("slow", "best"), [("validating1", 4), ("validating2", 4)])
def test_a_validation_is_left_and_made_up_for_when_training_goes_on(train, whole, text_file, slow, best):
    run, told = train(slow)
    assert "Interrupted: keeping and scoring what was learnt so far" in told
    assert run.description["status"] == "interrupted"
    assert run.description["training"]["best_step"] == best
    assert run.scores["valid"] == run.evaluate()["score"]
    assert "message" not in run.description
    elman.train("language-modeling", text_file, out=run.path, quiet=True, resume=True)
    for name in ("model.safetensors", "state/checkpoint.safetensors"):
        ours, theirs = load_file(run.path / name), load_file(whole.path / name)
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
    validated = [
        [line["valid_loss"] for line in map(json.loads, each.read_text().splitlines()) if "valid_loss" in line]
        for each in (run.path / "metrics.jsonl", whole.path / "metrics.jsonl")
    ]
    assert validated[0] == validated[1]


def test_scores_after_training_are_left_out_and_that_is_told(train):
    run, told = train("scoring1")
    assert "Interrupted: leaving out what is not scored yet" in told
    assert run.description["status"] == "finished"
    assert run.scores == {}
    left = "scoring the network on the valid part, scoring the baselines on the valid part, gathering what the report "
    left = f"Left out, as Ctrl-C came: {left}shows, looking inside the network."
    assert run.description["message"] == f"{left} Score the run with: elman evaluate {run.path}"
    assert left in run.report.read_text()
    assert run.evaluate()["score"]["loss"] > 0


def test_the_second_one_leaves_out_the_scores(train):
    run, told = train("validating2", "scoring1")
    assert "Interrupted: leaving out what is not scored yet" in told
    assert run.description["status"] == "interrupted"
    assert run.scores == {}
    assert run.description["message"].startswith("Left out, as Ctrl-C came: scoring the network")
    assert run.report.exists()


def test_the_score_of_a_pretrained_network_is_left_out_and_made_up_for(train, whole, text_file):
    run, told = train("scoring1", pretrained=whole.path)
    assert "Interrupted: keeping and scoring what was learnt so far" in told
    assert run.description["status"] == "interrupted"
    assert "scores" not in run.description["pretrained"]
    assert run.scores["valid"] == run.evaluate()["score"]
    run = elman.train("language-modeling", text_file, out=run.path, quiet=True, resume=True)
    assert run.description["pretrained"]["scores"] == whole.scores
