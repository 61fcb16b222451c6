"""The engine without Python (`standalone.cpp`): on an emulated aarch64, by clang, and under sanitizers."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from tests.engine.native import cases
from tests.engine.native.conftest import SETS

ROOT = Path(__file__).parents[3]
AARCH64 = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64", "-DCMAKE_EXE_LINKER_FLAGS=-static"]
SANITIZERS = "-O0 -fsanitize=address,undefined -fno-sanitize-recover=undefined"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def case_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cases") / "cases"
    with pytest.MonkeyPatch.context() as patch:
        cases.write(path, patch)
    return path


def tool(*names):
    """The first of some programs that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{' or '.join(names)} is not installed")
    return found


def build(folder, compiler, *options):
    options = ["-DELMAN_STANDALONE=ON", f"-DCMAKE_CXX_COMPILER={compiler}", *options]
    subprocess.run([tool("cmake"), "-S", ROOT, "-B", folder, *options], check=True)
    subprocess.run([tool("cmake"), "--build", folder, "--parallel", "2"], check=True)
    return folder / "standalone"


def run(*command):
    """What the program prints at the end: on which instruction sets it ran."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_aarch64(case_file, tmp_path):
    emulator, compiler = tool("qemu-aarch64", "qemu-aarch64-static"), tool("aarch64-linux-gnu-g++")
    program = build(tmp_path, compiler, *AARCH64)
    assert "cases on baseline: 0 failures" in run(emulator, program, case_file)


def test_clang(case_file, tmp_path):
    """Of some versions in fewer instruction sets."""
    assert re.search("cases on .*avx2 baseline: 0 failures", run(build(tmp_path, tool("clang++")), case_file))


def test_under_sanitizers(case_file, tmp_path):
    flags = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-g1", f"-DCMAKE_CXX_FLAGS={SANITIZERS}"]
    program = build(tmp_path, tool("g++"), *flags)
    assert f"cases on {' '.join(SETS)}: 0 failures" in run(program, case_file)
    wrong = tmp_path / "wrong"
    wrong.write_bytes(case_file.read_bytes()[:-8] + struct.pack("d", 1e3))  # the last number that is expected
    with pytest.raises(AssertionError, match=r"float64, layer by columns, gradient of the parameter 3: wrong by"):
        run(program, wrong)
