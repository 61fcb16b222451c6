"""The README's measured tables are those of benchmarks/results."""

import importlib.util
from pathlib import Path

from elman.benchmarks import BENCHMARKS

ROOT = Path(__file__).parent.parent.parent
SPEC = importlib.util.spec_from_file_location("readme", ROOT / "benchmarks" / "readme.py")
readme = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(readme)


def test_the_readme_says_what_the_results_say():
    text = readme.README.read_text()
    assert text.count("<!-- bench ") == len(BENCHMARKS)
    assert readme.rendered(text, readme.RESULTS) == text, "run python benchmarks/readme.py"


def test_a_result_becomes_tables(measured, tmp_path):
    measured("lengths", "--cell", "gru", "--shape", "2,10,3,4", "--save", tmp_path)
    text = "before\n<!-- bench lengths -->\nold\n<!-- end -->\nafter\n<!-- bench step -->\n<!-- end -->\n"
    made = readme.rendered(text, tmp_path)
    assert "| gru | 1 | 2,10,3,4 |" in made
    assert "| gru | 2 | given |" in made
    assert made.startswith("before\n<!-- bench lengths -->\nGeometric means")
    assert "<!-- end -->\nafter\n<!-- bench step -->\nNot measured yet: `elman bench step`.\n<!-- end -->\n" in made
    assert readme.rendered(made, tmp_path) == made
