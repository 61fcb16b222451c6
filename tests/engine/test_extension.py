"""Why there is no native engine: not built, built for another Python, or built and broken, each told apart."""

import importlib.machinery
import re
import shutil
import sys

import pytest

from elman.cli import listing
from elman.engine import extension, native
from elman.engine.extension import load

HERE = importlib.machinery.EXTENSION_SUFFIXES[0]
CASES = {
    "": "was not built when Elman was installed",
    "_native.cpython-27-other.so": "was built for another Python: _native.cpython-27-other.so",
    f"_native{HERE}": r"was built, but does not load: .*_native.*: .+",
}


@pytest.mark.parametrize("file", CASES)
def test_the_reason_is_told(file, tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").touch()
    if file:
        (tmp_path / "package" / file).write_bytes(b"not a library")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        found, missing = load("package")
    finally:
        sys.modules.pop("package")
    assert found is None
    assert re.fullmatch(CASES[file], missing)


def test_it_is_there_where_there_is_a_compiler():
    """Else all tests of it would be skipped, and nobody would notice."""
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("no C++ compiler is installed")
    assert extension.missing is None


def test_doctor_says_it(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
    monkeypatch.setattr(extension, "missing", "was built, but does not load: undefined symbol: x")
    assert listing._native_engine().startswith("was built, but does not load: undefined symbol: x. All runs without it")
    assert "apt install g++" in listing._native_engine()
