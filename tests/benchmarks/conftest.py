"""The command line in this process, with short measurements."""

import json
from functools import partial

import pytest

from elman.benchmarks import race, timing


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(race, "MATMUL_SIZE", 32)
    monkeypatch.setattr(timing, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(timing, "TURN_SECONDS", 0)


@pytest.fixture
def bench(command, monkeypatch, tmp_path):
    """Run `elman bench` in an empty folder; return exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(command, "bench")


@pytest.fixture
def measured(bench):
    """The JSON object that a benchmark prints."""

    def call(*arguments):
        status, out, err = bench(*arguments, "--rounds", 2, "--json")
        assert status == 0, err
        assert out.count("\n") == 1
        return json.loads(out)

    return call
