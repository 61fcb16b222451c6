"""A cell of a user's own by name: `module:Class`, as a run keeps it.

It does not know runs: the code is the user's, and stays where it is.
"""

import importlib
import sys
from functools import cache
from pathlib import Path

from elman.cells.base import Cell
from elman.cells.declaration import checked
from elman.errors import ElmanError, UsageError


@cache
def own(name: str) -> Cell:
    """Import it, from the working directory first, as Python does for scripts.

    Raises:
        ElmanError: if it cannot be imported here, as where a run is opened that was trained elsewhere.
        UsageError: if it is no cell.

    """
    module, _, place = name.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), place)
        cell = found() if isinstance(found, type) else found
    except Exception as error:  # whatever a user's module may raise
        raise ElmanError(
            f"the cell {name!r} cannot be had ({type(error).__name__}: {error}); have a module {module} in the working "
            f"directory or on Python's path, and in it {place}, a class derived from elman.Cell or a cell of one"
        ) from error
    finally:
        sys.path.remove(here)
    if not isinstance(cell, Cell):
        raise UsageError(f"{name!r} is no cell but of {type(cell).__name__}; derive the class from elman.Cell")
    return checked(cell)
