"""Where states of streams lie forgets what has expired, and touches nothing else."""

import os
import time
from types import SimpleNamespace

import pytest

from elman.errors import RunError
from elman.serve import store as stores
from elman.serve.store import FolderStore, TemporaryStore

RUN = "b" * 64


def test_streams_that_are_put_aside_expire(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(stores, "time", SimpleNamespace(time=lambda: now[0]))
    store = TemporaryStore(expire=0.5)
    for hours, name in enumerate("abc"):
        now[0] = 3600.0 * 6 * hours + hours
        store.put(name, name.encode())
    assert [store.get(name) for name in "abc"] == [None, b"b", b"c"]
    store.remove("b")
    store.remove("b")
    assert store.get("b") is None
    store.close()
    with pytest.raises(RunError, match="cannot put streams aside"):
        store.put("d", b"d")


def test_streams_that_nobody_feeds_are_forgotten(tmp_path):
    folder = tmp_path / "streams"
    store = FolderStore(folder, expire=0.5, run=RUN)
    old, recent, new = "0" * 32, "1" * 32, "2" * 32
    for name, hours in ((old, 13), (recent, 11)):
        store.put(name, b"x")
        then = time.time() - 3600 * hours
        os.utime(folder / f"{name}-{RUN[:16]}.safetensors", (then, then))
    store.close()
    store = FolderStore(folder, expire=0.5, run=RUN)
    store.put(new, b"y")
    assert [store.get(name) for name in (old, recent, new)] == [None, b"x", b"y"]
    store.close()


def test_what_is_no_stream_stays_in_the_folder(tmp_path):
    folder, two_days_ago = tmp_path / "streams", time.time() - 2 * 86_400
    folder.mkdir()
    precious = [folder / name for name in ("model.safetensors", f"{'A' * 32}.safetensors", ".notes.safetensors.1.tmp")]
    torn = folder / f".{'a' * 32}.safetensors.1.tmp"
    for path in (*precious, torn):
        path.write_bytes(b"x")
        os.utime(path, (two_days_ago, two_days_ago))
    store = FolderStore(folder, expire=1.0, run=RUN)
    store.put("0" * 32, b"y")
    store.close()
    assert all(path.exists() for path in precious)
    assert not torn.exists()


def test_a_stream_that_cannot_be_read_or_removed_is_told(tmp_path):
    store, name = FolderStore(tmp_path, expire=1.0, run=RUN), "0" * 32
    store.remove(name)
    (tmp_path / f"{name}-{RUN[:16]}.safetensors").mkdir()
    with pytest.raises(RunError, match="cannot read "):
        store.get(name)
    with pytest.raises(RunError, match="cannot remove "):
        store.remove(name)
    store.close()
