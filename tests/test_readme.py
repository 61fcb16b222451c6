"""The Python of the README and of the pages for users runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/layers.md", "docs/packages.md", "docs/transformers.md", "docs/diagnosis.md")
BLOCKS = [
    pytest.param(page, block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL), 1)
]


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_a_block_runs(page, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_pages_that_are_named_are_there(page):
    named = re.findall(r"`((?:docs/)?[\w-]+\.md)`", page.read_text())
    assert [name for name in named if not (page.parent / name).exists() and not (ROOT / name).exists()] == []
