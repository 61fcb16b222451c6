"""The C++ extension `_native`, or why it is not there.

It knows how a build can be missing and how loading fails; nothing of what the extension does.
"""

import importlib
from pathlib import Path
from typing import Any


def load(package: str) -> tuple[Any, str | None]:
    """The extension of a package, or None and what is wrong with it: a predicate of "the native engine"."""
    try:
        return importlib.import_module(f"{package}._native"), None
    except ModuleNotFoundError:
        folder = Path(importlib.import_module(package).__path__[0])
        others = [path.name for path in sorted(folder.glob("_native.*")) if path.suffix in {".so", ".pyd"}]
        if others:
            return None, f"was built for another Python: {', '.join(others)}"
        return None, "was not built when Elman was installed"
    except ImportError as error:
        return None, f"was built, but does not load: {error}"


native, missing = load("elman.engine")
