"""The service of a run, put together: what the run can do, and nothing else.

It does not know on which port it is served, nor by which server.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import HTMLResponse

from elman.errors import UsageError
from elman.run.run import Run
from elman.serve import absent, failures, generating, metrics, page, predicting, streaming
from elman.serve.gate import Door, Gate
from elman.serve.limits import Limits
from elman.serve.metrics import Metrics
from elman.serve.places import store_at
from elman.serve.sessions import Sessions
from elman.serve.worker import Worker
from elman.version import VERSION

HEALTH, METRICS = "/health", "/metrics"


class Health(BaseModel):
    """That the service is alive, and how much it does."""

    status: str
    requests: int
    streams: int


def assemble(run: Run, limits: Limits, store: str | Path | None) -> FastAPI:
    """Return the service as an ASGI application."""
    if store is not None and not run.streams:
        raise UsageError(f"this {run.task} run has no streams to keep; leave out --store")
    run.network  # noqa: B018 - read now: whatever is wrong with the run is told before anybody asks
    worker, gate, counted = Worker(), Gate(limits.requests), Metrics()
    app = FastAPI(
        title=f"{run.path.resolve().name}: {run.task}",
        version=VERSION,
        description="A run of Elman. docs/serving.md shows all of it with curl.",
        docs_url=None,  # its page loads scripts from elsewhere; `/` is the page for people
        redoc_url=None,
        redirect_slashes=False,  # an empty answer to /predict/ would tell nobody anything
    )
    app.add_middleware(Door, gate=gate, body=limits.body, free=(HEALTH, METRICS))
    failures.add(app)
    predicting.add(app, run, worker, limits, counted)
    if run.generates:
        generating.add(app, run, worker)
    sessions = None
    if run.streams:
        sessions = Sessions(store_at(store, limits.expire, run.fingerprint), limits.streams, limits.expire)
        streaming.add(app, streaming.streams_of(run, worker, limits, sessions, counted), gate, counted)
    absent.add(app, run)
    app.state.sessions, app.state.worker = sessions, worker
    known = facts(run)

    def live() -> int:
        return 0 if sessions is None else sessions.live

    _add_facts(app, known, page.render(run), gate, live)
    counted.gauges += [
        ("elman_requests_in_progress", "gauge", "Requests, and messages of WebSockets, in work.", lambda: gate.inside),
        ("elman_streams", "gauge", "Streams in memory.", live),
        ("elman_model_seconds_total", "counter", "Seconds that the model has worked.", lambda: worker.seconds),
    ]
    metrics.add(app, counted, METRICS, {name: known[name] for name in ("run", "task", "fingerprint", "elman")})
    return app


def _add_facts(app: FastAPI, known: dict[str, Any], shown: str, gate: Gate, live: Callable[[], int]) -> None:
    """Let an application say what it is, to programs and to people, and that it is alive."""

    @app.head("/", response_class=HTMLResponse, include_in_schema=False)
    @app.get("/", response_class=HTMLResponse, summary="A page for people")
    async def home() -> str:
        return shown

    @app.head(HEALTH, include_in_schema=False)  # as load balancers ask
    @app.get(HEALTH, summary="Whether the service is alive; never sent away")
    async def health() -> Health:
        return Health(status="ok", requests=gate.inside, streams=live())

    @app.head("/run", include_in_schema=False)
    @app.get("/run", summary="What the run is: task, columns, scores, version")
    async def about() -> dict[str, Any]:
        return known


def facts(run: Run) -> dict[str, Any]:
    """What there is to know of a run."""
    said = run.description
    return {
        "run": run.path.resolve().name,
        "task": run.task,
        "model": said.get("model", {}),
        "columns": run.prepared.columns,
        "scores": run.scores,
        "baselines": said.get("baselines", {}),
        "can": ["predict", *["generate"] * run.generates, *["streams"] * bool(run.streams)],
        "streams": run.streams or None,
        "created": said.get("created"),
        "fingerprint": run.fingerprint,
        "trained_by": said.get("elman"),
        "elman": VERSION,
    }
