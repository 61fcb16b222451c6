"""What surrounds the arithmetic: the host's floating-point state, threads, forks, memory, symbols."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.engine.calls import make_call
from tests.engine.native.conftest import native

from elman.engine.native import Native

ROOT = Path(__file__).parents[3]


def test_denormals_are_off_inside_and_as_before_outside():
    off = native.DENORMALS_OFF
    for threads in (1, 2):
        before, *inside, after = native.float_states(threads)
        assert all(state & off == off for state in inside)
        assert before & off == 0
        assert after == before
    torch.set_flush_denormal(True)
    try:
        before, *_, after = native.float_states(2)
        assert before & after & off == off
    finally:
        torch.set_flush_denormal(False)
    tiny = torch.full((1 << 16,), 1e-39)
    assert (tiny * 0.5 > 0).all(), "denormals are on again on all of torch's threads"


def test_a_forked_process_runs_alone_and_ends():
    call = make_call("lstm", batch=8)
    with torch.no_grad():
        expected, _ = Native().run(call)
        child = os.fork()
        if child == 0:
            same = torch.equal(Native().run(call)[0], expected) and not native.team_available()
            os._exit(0 if same else 1)
        _, status = os.waitpid(child, 0)
    assert status == 0
    assert native.team_available()


PRELOADED = """
#define _GNU_SOURCE
#include <dlfcn.h>
int calls = 0;
void GOMP_parallel(void (*run)(void *), void *data, unsigned threads, unsigned flags) {
    ++calls;
    void (*torchs)(void (*)(void *), void *, unsigned, unsigned) = dlsym(RTLD_NEXT, "GOMP_parallel");
    torchs(run, data, threads, flags);
}
"""

IN_ITS_TEAM = """
import ctypes, torch
from elman.engine.native.library import library, multiply

library()
calls = ctypes.c_int.in_dll(ctypes.CDLL(None), "calls")
before = calls.value
multiply(torch.ones(64, 64), torch.ones(64, 64), torch.empty(64, 64), threads=2)
assert calls.value == before + 1, (before, calls.value)
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_an_openmp_that_was_preloaded_is_taken_as_torch_takes_it(tmp_path):
    source, team = tmp_path / "team.c", tmp_path / "team.so"
    source.write_text(PRELOADED)
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", team, source, "-ldl"], check=True)
    # The preloaded one hands on to torch's own, which has to be in sight of it.
    torchs = next((Path(torch.__file__).parent / "lib").glob("libgomp*"), None)
    if torchs is None:
        pytest.skip("torch has no OpenMP of its own")
    environment = os.environ | {"LD_PRELOAD": f"{team}:{torchs}", "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", IN_ITS_TEAM], check=True, env=environment)


def test_memory_is_used_again_up_to_a_limit():
    native.clear_workspace()
    block = native.Workspace(1_000_000)
    address, size = block.address, block.bytes
    assert size >= 1_000_000
    del block
    assert native.kept_workspace() == size
    assert native.Workspace(999_000).address == address
    try:
        native.limit_workspace(2_000_000)
        blocks = [native.Workspace(700_000) for _ in range(5)]
        del blocks
        assert 0 < native.kept_workspace() <= 2_000_000
    finally:
        native.limit_workspace(1 << 30)
    native.clear_workspace()
    assert native.kept_workspace() == 0


def test_a_tensor_keeps_its_memory():
    native.clear_workspace()
    call = make_call("gru", batch=3)
    with torch.no_grad():
        output, _ = Native().run(call)
    copy = output.clone()
    for _ in range(5):
        with torch.no_grad():
            Native().run(make_call("gru", batch=3, seed=1))
    assert torch.equal(output, copy)


def test_an_instruction_set_can_be_forced():
    for name in native.instruction_sets():
        code = "from elman.engine.native import library; print(library().instruction_set())"
        environment = {**os.environ, "ELMAN_ISA": name}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == name
    with pytest.raises(ValueError, match=r"There are: .*baseline"):
        native.select_instruction_set("abacus")


def test_no_second_openmp_is_loaded():
    maps = Path("/proc/self/maps").read_text()
    assert len(set(re.findall(r"\S*libgomp\S*", maps))) == 1


AVX512 = "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma"
SETS = {"avx512bf16": (64, f"{AVX512} -mavx512bf16"), "avx512": (64, AVX512), "avx2": (32, "-mavx2 -mfma")}
ALLOWED = re.compile(r"elman::\w+::((matmul|gradient|operations|drop)_(float|double)|gradient_pairs|hash_bytes)")
FROM_LIBC = {"erff", "erf", "sinf", "sin", "cosf", "cos", "atanf", "atan", "memcpy", "memset"}


@pytest.mark.slow
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_instruction_sets_share_no_symbols(compiler, level, tmp_path):
    """An inline function that two of them share would be kept once, perhaps with instructions that are not there."""
    if shutil.which(compiler) is None or not native.instruction_sets()[0].startswith("avx"):
        pytest.skip("this compiler or processor is not here")
    for name, (size, flags) in SETS.items():
        for source in sorted((ROOT / "src/elman/engine/cpp/isa").glob("*.cpp")):
            target = tmp_path / f"{source.stem}.o"
            command = f"{compiler} -std=c++17 {level} -fPIC -fno-exceptions -fno-rtti -ffp-contract=fast {flags} -w"
            command += f" -DELMAN_ISA={name} -DELMAN_VECTOR_BYTES={size} -c {source} -o {target}"
            subprocess.run(command.split(), check=True)
            listing = subprocess.run(["nm", "-C", str(target)], capture_output=True, text=True, check=True).stdout
            for line in listing.splitlines():
                kind, symbol = re.match(r"[0-9a-f ]*([A-Za-z]) (.*)", line).groups()
                if kind == "U":
                    assert symbol in FROM_LIBC or symbol.startswith("_GLOBAL_OFFSET"), line
                elif not kind.islower():
                    assert ALLOWED.fullmatch(symbol), line
                else:
                    assert "_GLOBAL__sub_I" not in symbol, "nothing may run when the library is loaded"


def members(node):
    """The public names that a class of the stub declares."""
    found = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    found |= {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}
    found |= {target.id for each in node.body if isinstance(each, ast.Assign) for target in each.targets}
    return {name for name in found if not name.startswith("_")}


def test_the_stub_declares_what_the_extension_has():
    tree = ast.parse((ROOT / "src/elman/engine/_native.pyi").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    assert members(classes.pop("_Numbers")) == {name for name in dir(native.float32) if not name.startswith("_")}
    for name, node in classes.items():
        real = getattr(native.float32, name[1:]) if name.startswith("_") else getattr(native, name)
        assert members(node) == {each for each in dir(real) if not each.startswith("_")}, name
    declared = members(tree) | {name for name in classes if not name.startswith("_")}
    assert declared == {name for name in dir(native) if not name.startswith("_")}
