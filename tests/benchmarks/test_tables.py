"""The measured tables of README and docs/benchmarks*.md are those of benchmarks/results."""

import importlib.util
import json
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
    assert "<!-- bench " in text or "<!-- summary " in text
    assert tables.rendered(text, tables.RESULTS) == text, "run python benchmarks/tables.py"


def test_a_result_becomes_tables(measured, tmp_path):
    measured("lengths", "--cell", "gru", "--shape", "2,10,3,4", "--save", tmp_path / "here")
    text = "before\n<!-- bench here/lengths -->\nold\n<!-- end -->\nafter\n<!-- bench here/step -->\n<!-- end -->\n"
    long = tables.rendered(text, tmp_path)
    assert "| gru | 1 | 2,10,3,4 |" in long
    assert "| gru | 2 | given |" in long
    assert long.startswith("before\n<!-- bench here/lengths -->\nGeometric means")
    assert "<!-- end -->\nafter\n<!-- bench here/step -->\nNot measured yet: `elman bench step`.\n<!-- end -->" in long
    assert tables.rendered(long, tmp_path) == long


def test_a_summary_has_a_column_for_each_machine(tmp_path):
    page = "<!-- summary zen4 nowhere -->\n<!-- end -->\n"
    lines = tables.rendered(page, tables.RESULTS).splitlines()
    assert lines[1] == "|  | beside | AMD EPYC, Zen 4 | nowhere |"
    shown = dict(zip([said.what for said in tables.SUMMARY], lines[3:], strict=False))
    least = json.loads((tables.RESULTS / "zen4" / "scan.json").read_text())["means"][0]["ratios"]["elman"]["peer"][
        "min"
    ]
    assert f"({least:.2f}) | - |" in shown["`linear_scan`"]
    assert len(lines) == 4 + len(tables.SUMMARY)
    assert all("x (" in line for line in lines[3:-1])
