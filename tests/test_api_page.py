"""docs/api.md says what the docstrings say."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_is_made_of_the_docstrings():
    made = runpy.run_path(str(DOCS / "api.py"))["page"]()
    assert made == (DOCS / "api.md").read_text(), "run: python docs/api.py"
