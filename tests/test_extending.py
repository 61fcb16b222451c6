"""The example of docs/extending.md runs as it stands, prints what it says, and is the one that is measured."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from elman.benchmarks.example import NormedGate

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
EXAMPLE = re.search(r"<!-- example -->\n```python\n(.*?)```", PAGE, re.DOTALL)[1]
OUTPUT = re.search(r"<!-- output -->\n```\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.mark.native
def test_the_example_prints_what_the_page_says(tmp_path):
    script = tmp_path / "example.py"
    script.write_text(EXAMPLE)
    done = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True, check=True)
    assert done.stdout == OUTPUT


def test_the_example_is_the_cell_that_is_measured():
    shown = re.search(r"    def step.*?\n\n\n", EXAMPLE, re.DOTALL)[0].splitlines()[1:]
    assert [line.strip() for line in shown if line] == [
        line.strip() for line in inspect.getsource(NormedGate.step).splitlines()[1:]
    ]


def test_the_page_names_all_that_a_cell_may_say():
    for name in (
        "gates",
        "recurrent_gates",
        "states",
        "parameters",
        "initialize",
        "derive",
        "called",
        "fixed",
        "keep_gate",
    ):
        assert f"| `{name}" in PAGE
