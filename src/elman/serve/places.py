"""Where streams are kept, by what the user named: a folder or the address of a redis server.

It does not know what is kept there.
"""

from pathlib import Path

from elman.serve.store import FolderStore, Store


def store_at(place: str | Path | None, expire: float) -> Store | None:
    """Return the store at a place; None for None."""
    if place is None:
        return None
    return FolderStore(Path(place), expire)
