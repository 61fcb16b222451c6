"""The house: exported names are complete and lazy, the map equals the tree, nothing is left behind."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import elman

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "elman"


def test_every_public_name_can_be_imported_and_says_what_it_is():
    for name in elman.__all__:
        assert getattr(elman, name).__doc__, name


def test_the_exported_names_are_those_of_the_lazy_table():
    assert sorted(elman.__all__) == sorted(elman._MODULE)


def test_importing_elman_does_not_import_torch():
    code = "import sys, elman, elman.cli; sys.exit(any(m in sys.modules for m in ('torch', 'matplotlib', 'polars')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_list_of_runs_does_not_import_torch():
    code = "import sys; from elman.cli import listing; from pathlib import Path; listing.runs(Path('.'), json=True)"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_layers_do_not_import_the_compiler_of_torch():
    code = "import sys, torch, elman; elman.LSTM(2, 3)(torch.randn(4, 5, 2))[0].sum().backward()"
    code += "; sys.exit('torch._dynamo' in sys.modules)"  # which takes a second, and 70 MiB
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_map_names_every_room_and_no_other():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \|", text, re.MULTILINE))
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert named == rooms - {"__init__", "__main__"}


def test_every_file_says_in_its_first_line_what_it_is():
    for path in SOURCE.rglob("*.py"):
        module = ".".join(["elman", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
        if not module.endswith("__main__"):
            assert (importlib.import_module(module).__doc__ or "").strip(), module


def test_files_are_short():
    paths = [path for folder in (SOURCE, ROOT / "tests") for path in folder.rglob("*.*")]
    lengths = {path: path.read_text().count("\n") for path in paths if path.suffix in {".py", ".pyi", ".cpp", ".h"}}
    assert {path.name: length for path, length in lengths.items() if length > 400} == {}
