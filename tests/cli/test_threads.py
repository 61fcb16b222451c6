"""What the command tells OpenMP: threads that wait give their core away soon, and a container's limit is kept."""

import os

import pytest

from elman import cli, machine


@pytest.mark.parametrize(
    ("words", "given", "expected"),
    [
        (["train"], {}, "6000"),
        (["train"], {"GOMP_SPINCOUNT": "7"}, "7"),
        (["train"], {"OMP_WAIT_POLICY": "active"}, None),
        (["bench"], {}, None),
    ],
    ids=str,
)
def test_what_the_command_sets(monkeypatch, words, given, expected):
    monkeypatch.setattr(os, "environ", dict(given))
    monkeypatch.setattr("sys.argv", ["elman", *words])
    monkeypatch.setattr(cli, "_command", lambda: lambda prog_name: None)
    cli.main()
    assert os.environ.get("GOMP_SPINCOUNT") == expected


@pytest.mark.parametrize(
    ("limit", "given", "expected"), [(3, {}, "3"), (3, {"OMP_NUM_THREADS": "8"}, "8"), (None, {}, None)]
)
def test_a_containers_limit(monkeypatch, limit, given, expected):
    monkeypatch.setattr(os, "environ", dict(given))
    monkeypatch.setattr("sys.argv", ["elman", "tasks"])
    monkeypatch.setattr(cli, "_command", lambda: lambda prog_name: None)
    monkeypatch.setattr(machine, "thread_limit", lambda: limit)
    cli.main()
    assert os.environ.get("OMP_NUM_THREADS") == expected
