"""Where the real data sets lie: in ELMAN_DATA, or beside the checkout; a sentence where they do not."""

import os
from pathlib import Path

ROOT = Path(os.environ.get("ELMAN_DATA", "../shared/data"))


def place(name):
    """The folder, or file, of that name; ends the script where there is none."""
    found = ROOT / name
    if not found.exists():
        raise SystemExit(f"{found} is not there; set ELMAN_DATA to the folder that holds {name}")
    return found
