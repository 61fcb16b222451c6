"""A trained run as an HTTP service: predictions, generated text, and streams whose state can be saved and moved.

    from elman.serve import application

    app = application("runs/train-1")  # an ASGI application: mount it, or let any ASGI server run it

It does not know tasks; it knows what a `Run` can do. FastAPI is imported when an application is made.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from elman.errors import UsageError
from elman.serve.limits import Limits

if TYPE_CHECKING:
    from fastapi import FastAPI

    from elman.run.run import Run

LIBRARIES = {"fastapi": "FastAPI", "uvicorn": "uvicorn", "redis": "redis"}
__all__ = ["Limits", "application"]


def application(run: "Run | str | Path", limits: Limits | None = None, store: str | Path | None = None) -> "FastAPI":
    """Return the service of a run as an ASGI application; docs/serving.md says what it answers.

    Args:
        run: a run, or its folder.
        limits: what it takes at most.
        store: where streams survive the end of the process: a folder, or redis://HOST; None keeps them for its time.

    Raises:
        UsageError: if FastAPI is not installed.
        RunError: if the run or the store cannot be used.

    """
    require("fastapi")
    from elman.run.run import load
    from elman.serve.assembly import assemble

    opened = load(run) if isinstance(run, str | Path) else run
    return assemble(opened, limits or Limits(), store)


def require(*libraries: str) -> None:
    """Raise UsageError where one of the libraries that serving takes is not installed."""
    if missing := [LIBRARIES[name] for name in libraries if find_spec(name) is None]:
        raise UsageError(f"serving needs {' and '.join(missing)}; pip install 'elman[serve]' brings what is missing")
