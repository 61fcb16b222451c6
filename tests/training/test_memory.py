"""Kept pages: freed memory stays while training and is given back afterwards."""

import platform
from pathlib import Path

import pytest
import torch

from elman.training.memory import kept_pages

SIZE = 64 << 20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def touch() -> None:
    torch.ones(SIZE // 4)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_pages_are_kept_inside_and_returned_after():
    touch()
    before = resident()
    with kept_pages():
        touch()
        kept = resident() - before
    touch()
    assert kept > SIZE * 0.9
    assert resident() - before < SIZE * 0.3
