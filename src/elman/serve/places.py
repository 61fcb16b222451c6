"""Where streams are kept, by what the user named: a folder or the address of a redis server.

It does not know what is kept there.
"""

from pathlib import Path

from elman.errors import UsageError
from elman.serve.store import FolderStore, Store

REDIS = ("redis://", "rediss://", "unix://")


def store_at(place: str | Path | None, expire: float, run: str) -> Store | None:
    """Return the store at a place, for the run with this fingerprint; None for None."""
    if place is None:
        return None
    if str(place).startswith(REDIS):
        from elman.serve.redis_store import RedisStore

        return RedisStore(str(place), expire, run)
    if "://" in str(place):
        raise UsageError(f"--store {place} is no place for streams; give a folder, or {REDIS[0]}HOST")
    return FolderStore(Path(place), expire, run)
