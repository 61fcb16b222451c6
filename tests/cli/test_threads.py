"""Threads that wait give their core away soon, unless the user or a benchmark says otherwise."""

import os

import pytest

from elman import cli


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
