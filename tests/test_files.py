"""Files as Windows has them, where a system is strict: what is flushed may be written to, locks are msvcrt's."""

import errno
import fcntl
import os
import sys
import types

import pytest
import torch

from elman import files
from elman.training.checkpoint import read_tensors, write_tensors


def test_what_is_flushed_may_be_written_to(tmp_path, monkeypatch):
    flush = os.fsync

    def strict(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", strict)
    assert files.write_text(tmp_path / "text", "a\nσ\n").read_bytes() == "a\nσ\n".encode()


def test_a_file_is_held_by_the_locks_of_windows(tmp_path, monkeypatch):
    held = []

    def locking(descriptor, mode, count):
        assert (mode, count) == (2, 1)
        place = os.fstat(descriptor).st_ino
        if place in held:
            raise PermissionError(errno.EACCES, "Permission denied")
        held.append(place)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    with files.lock(tmp_path / "lock"):
        assert len(held) == 1
        with pytest.raises(BlockingIOError):
            files.lock(tmp_path / "lock")


def test_tensors_that_were_read_do_not_map_their_file(tmp_path):
    path = tmp_path / "tensors.safetensors"
    write_tensors(path, {"a": torch.arange(5000.0)}, {})
    tensors, _ = read_tensors(path)
    with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123
        assert str(path) not in maps.read()
    assert tensors["a"].equal(torch.arange(5000.0))
