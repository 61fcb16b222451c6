"""Memory that ends in the middle of a call: a MemoryError in whichever thread, and nothing is broken after it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

FAILING = """
#include <atomic>
#include <cstdlib>
#include <new>
extern "C" {
std::atomic<int> left{1 << 30};  // so many allocations succeed
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    void* memory = nullptr;
    return left-- > 0 && posix_memalign(&memory, std::size_t(alignment), bytes) == 0 ? memory : nullptr;
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    if (void* memory = ::operator new(bytes, alignment, std::nothrow)) return memory;
    throw std::bad_alloc();
}
"""

RUN = """
import ctypes, sys, torch, elman
from elman.engine.native import library

rows, precision = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(2)
torch.manual_seed(0)
layer, x = elman.LSTM(20, 150), torch.randn(400 // rows, rows, 20)

def train():
    layer.zero_grad()
    with torch.no_grad():
        layer.weight_hh_l0.add_(0)  # so that it is packed again
    with elman.precision(precision):
        output = layer(x)[0]
        output.square().sum().backward()
    return [output.detach().clone(), *(weight.grad.clone() for weight in layer.parameters())]

expected, left = train(), ctypes.c_int.in_dll(ctypes.CDLL(None), "left")
library().limit_workspace(0)
for succeeding in range(1000):
    left.value = succeeding
    try:
        train()
        break
    except MemoryError:
        left.value = 1 << 30
    assert all(map(torch.equal, train(), expected)), succeeding
assert 5 < succeeding < 1000, succeeding
"""


@pytest.mark.skipif(shutil.which("c++") is None or sys.platform != "linux", reason="needs a C++ compiler, and Linux")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("rows", [4, 40], ids=["columns shared", "rows shared"])
def test_a_failing_allocation_is_an_error_and_no_more(rows, precision, tmp_path):
    source, failing = tmp_path / "failing.cpp", tmp_path / "failing.so"
    source.write_text(FAILING)
    subprocess.run(["c++", "-std=c++17", "-shared", "-fPIC", "-o", failing, source], check=True)
    environment = os.environ | {"LD_PRELOAD": str(failing), "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", RUN, str(rows), precision], check=True, env=environment, timeout=120)


KEPT = """
import resource
from pathlib import Path
from elman.engine.native import library

block = library().Workspace(300 << 20)
del block
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), resource.RLIM_INFINITY))  # glibc may reserve 64 MiB more
library().Workspace(450 << 20)
try:
    library().Workspace(700 << 20)
except MemoryError:
    pass
else:
    raise AssertionError("more than there is")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_what_is_kept_is_given_back_before_memory_ends():
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", KEPT], check=True, env=environment, timeout=120)
