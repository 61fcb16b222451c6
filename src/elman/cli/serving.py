"""`elman serve RUN`: a trained run as an HTTP service."""

import os
import sys
from typing import Annotated

import typer

from elman.cli import output
from elman.cli.runs import Json, RunArgument
from elman.errors import UsageError
from elman.serve.limits import Limits

USUAL = Limits()


def serve(
    run: RunArgument,
    host: Annotated[str, typer.Option(help="where to listen; 0.0.0.0 is every network")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free", min=0, max=65535)] = 8000,
    wait: Annotated[
        float, typer.Option(help="milliseconds that a request waits for others to be computed with")
    ] = USUAL.wait,
    rows: Annotated[int, typer.Option(help="rows computed at once at most; 1 gathers nothing")] = USUAL.rows,
    requests: Annotated[int, typer.Option(help="requests in work at most; more are answered 503")] = USUAL.requests,
    body: Annotated[int, typer.Option(help="bytes of a request at most")] = USUAL.body,
    streams: Annotated[int, typer.Option(help="streams in memory at most; the others lie on disk")] = USUAL.streams,
    store: Annotated[
        str | None, typer.Option(help="keep streams here over restarts: a folder, or redis://HOST", metavar="PLACE")
    ] = None,
    expire: Annotated[float, typer.Option(help="days after which an unused stream is forgotten")] = USUAL.expire,
    grace: Annotated[
        int, typer.Option(help="how long running requests may take when the end has come", min=0, metavar="SECONDS")
    ] = 30,
    root_path: Annotated[
        str, typer.Option(help="where a proxy has the service, as /intents; the proxy takes it off", metavar="PATH")
    ] = "",
    json: Json = False,
) -> None:
    """Serve a run over HTTP: predictions, generated text, streams. Ctrl-C ends it."""
    if root_path and not root_path.startswith("/"):
        raise UsageError(f"--root-path {root_path} is no path; begin it with /")
    limits = Limits(wait=wait, rows=rows, requests=requests, body=body, streams=streams, expire=expire)
    from elman.serve import application, require

    require("fastapi", "uvicorn")
    from elman.serve import process

    with process.bind(host, port) as listening:
        url = process.address(listening)
        app = application(run, limits, store)

        def ready() -> None:
            if json:
                task = app.title.rpartition(": ")[2]
                output.print_json({"url": url, "run": str(run), "task": task, "pid": os.getpid()})
                sys.stdout.flush()
            output.note(f"Serving {run} on {url}; Ctrl-C ends it")

        process.run(app, listening, ready, message=body, grace=grace, root_path=root_path.rstrip("/"))
        if app.state.worker.busy:  # with what nobody waits for any more
            if app.state.sessions is not None:
                app.state.sessions.close()
            process.leave()
