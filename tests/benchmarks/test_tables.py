"""The measured tables of the README and of docs/benchmarks*.md are those of benchmarks/results."""

import importlib.util
from pathlib import Path

import pytest

from elman.benchmarks import BENCHMARKS

ROOT = Path(__file__).parent.parent.parent
SPEC = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tables)


def test_every_benchmark_has_a_table():
    text = "".join(page.read_text() for page in tables.PAGES)
    assert all(f"/{name} -->" in text for name in BENCHMARKS)


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_a_page_says_what_the_results_say(page):
    text = page.read_text()
    assert "<!-- bench " in text
    assert tables.rendered(text, tables.RESULTS, tables.PAGES[page]) == text, "run python benchmarks/tables.py"


def test_a_result_becomes_tables(measured, tmp_path):
    measured("lengths", "--cell", "gru", "--shape", "2,10,3,4", "--save", tmp_path / "here")
    text = "before\n<!-- bench here/lengths -->\nold\n<!-- end -->\nafter\n<!-- bench here/step -->\n<!-- end -->\n"
    short, long = (tables.rendered(text, tmp_path, section) for section in (tables.means, tables.rows))
    assert "| gru | 1 | 2,10,3,4 |" in long
    assert "| gru | 1 | 2,10,3,4 |" not in short
    assert "| gru | 2 | given |" in short
    assert short.startswith("before\n<!-- bench here/lengths -->\nGeometric means")
    assert "<!-- end -->\nafter\n<!-- bench here/step -->\nNot measured yet: `elman bench step`.\n<!-- end -->" in short
    assert tables.rendered(long, tmp_path, tables.rows) == long
