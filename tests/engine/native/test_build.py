"""What the build made: it runs on the plainest processor, links no OpenMP, and loading it changes nothing."""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.engine.native.conftest import native

ROOT = Path(__file__).parents[3]
FOLDER = next(ROOT.glob(f"build/cp{sys.version_info[0]}{sys.version_info[1]}-*/CMakeFiles"), ROOT / "none")
KERNELS = list(FOLDER.glob("kernels_*.dir/**/*.o"))
WIDE = [path for path in KERNELS if "kernels_avx" in str(path)]
PLAIN = sorted({*FOLDER.glob("**/*.o")} - {*WIDE})
LOAD = """
import importlib.util, sys
specification = importlib.util.spec_from_file_location("elman.engine._native", sys.argv[1])
native = importlib.util.module_from_spec(specification)
specification.loader.exec_module(native)
"""
MULTIPLY = """
from array import array
a, b, out = array("f", range(1, 10)), array("f", range(9)), array("f", [0] * 9)
native.float32.matmul(*(x.buffer_info()[0] for x in (a, b, out)), 3, 3, 3, False, 4, 1)
print(native.instruction_sets(), out.tolist())
"""
DENORMAL = """
print(native.float_states(1)[0] & native.DENORMALS_OFF, 5e-324 * float(len(sys.argv) - 1))
"""

x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="for x86-64 only")
objects = pytest.mark.skipif(not WIDE, reason="no objects of the build are left")


def told(*command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout


def load(code, *emulator):
    """What the extension alone, without torch, prints in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "ELMAN_ISA"}
    command = [*emulator, sys.executable, "-c", LOAD + code, native.__file__]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_no_openmp_is_linked():
    needed = re.findall(r"NEEDED.*\[(.*)\]", told("readelf", "--dynamic", native.__file__))
    assert any(name.startswith("libc.") for name in needed)
    assert [name for name in needed if "omp" in name] == []


def test_loading_leaves_denormals_on():
    assert load(DENORMAL) == "0 5e-324"


@x86
def test_a_processor_without_avx_runs_it():
    if shutil.which("qemu-x86_64") is None:
        pytest.skip("qemu-x86_64 is not installed")
    expected = "[24.0, 30.0, 36.0, 51.0, 66.0, 81.0, 78.0, 102.0, 126.0]"
    assert load(MULTIPLY, "qemu-x86_64", "-cpu", "Nehalem") == f"['baseline'] {expected}"


@x86
@objects
def test_wide_instructions_are_in_kernels_only():
    vector = re.compile(r"\t(v[a-z0-9]+) +.*%[xyz]mm")
    for path in WIDE:
        assert vector.search(told("objdump", "--disassemble", "--no-show-raw-insn", path))
    assert any(path.name == "module.cpp.o" for path in PLAIN)
    for path in PLAIN:
        assert vector.search(told("objdump", "--disassemble", "--no-show-raw-insn", path)) is None, path


@objects
def test_kernels_run_nothing_when_they_are_loaded():
    assert len(KERNELS) >= 3
    for path in KERNELS:
        assert "init_array" not in told("readelf", "--sections", "--wide", path)
