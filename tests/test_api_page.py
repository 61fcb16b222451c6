"""docs/api.md says what the docstrings say, of all that is public."""

import runpy
from pathlib import Path

import elman

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_is_made_of_the_docstrings():
    made = runpy.run_path(str(DOCS / "api.py"))["page"]()
    assert made == (DOCS / "api.md").read_text(), "run: python docs/api.py"


def test_nothing_public_is_left_out():
    parts = runpy.run_path(str(DOCS / "api.py"))["PARTS"]
    shown = {thing for things in parts.values() for thing in things}
    assert not [name for name in elman.__all__ if getattr(elman, name) not in shown]
