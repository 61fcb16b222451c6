"""Kept pages: freed memory stays while training and is given back afterwards."""

import json
import platform
import subprocess
import sys

import pytest

SIZE = 64 << 20
MEASURE = f"""
import json
import torch
from elman.training.memory import kept_pages

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def touch():
    torch.ones({SIZE // 4})

touch()
before = resident()
with kept_pages():
    with kept_pages():
        touch()
    kept = resident() - before
touch()
print(json.dumps([kept, resident() - before]))
"""
"""In a process of its own: in one that has trained before, freed memory may serve that is there already."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_pages_are_kept_to_the_end_of_the_outermost_block_and_returned_after():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    kept, after = json.loads(done.stdout)
    assert kept > SIZE * 0.9
    assert after < SIZE * 0.3
