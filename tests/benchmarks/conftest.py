"""The command line in this process, with short measurements."""

import json
import sys

import pytest

from elman import cli
from elman.benchmarks import race, timing


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(race, "MATMUL_SIZE", 32)
    monkeypatch.setattr(timing, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(timing, "TURN_SECONDS", 0)


@pytest.fixture
def bench(monkeypatch, capsys, tmp_path):
    """Run `elman bench` in an empty folder; return exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["elman", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


@pytest.fixture
def measured(bench):
    """The JSON object that a benchmark prints."""

    def call(*arguments):
        status, out, err = bench(*arguments, "--rounds", 2, "--json")
        assert status == 0, err
        assert out.count("\n") == 1
        return json.loads(out)

    return call
