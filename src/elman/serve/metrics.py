"""/metrics: what a service has done, in the text format that Prometheus reads.

https://prometheus.io/docs/instrumenting/exposition_formats. It does not know what requests are about.
"""

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping

from fastapi import FastAPI, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
FORMAT = "text/plain; version=0.0.4; charset=utf-8"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "WS")
OTHER = "other"
"""Methods and paths that the service does not have: what callers make up must not become rows."""
LEFT = 499
"""The status of a request whose caller has gone before the answer began, as nginx has it."""


class Histogram:
    """How many values there were up to each bound, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds, self._counts, self._sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: Mapping[str, object]) -> Iterator[str]:
        """Yield it as Prometheus reads it: each count has those below in it."""
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield _line(f"{name}_bucket", {**labels, "le": bound}, total)
        yield _line(f"{name}_sum", labels, self._sum)
        yield _line(f"{name}_count", labels, total)


class Metrics:
    """Counts from the beginning of the process on.

    Attributes:
        gauges: what is read when it is asked for: name, kind, help, and how.

    """

    def __init__(self) -> None:
        self.gauges: list[tuple[str, str, str, Callable[[], float]]] = []
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: defaultdict[tuple[str, str], Histogram] = defaultdict(lambda: Histogram(SECONDS))
        self._batches: dict[str, Histogram] = {}

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request, or a message of a WebSocket ("WS")."""
        method = method if method in METHODS else OTHER
        self._requests[method, path, status] += 1
        self._seconds[method, path].add(seconds)

    def batches(self, of: str) -> Callable[[int], None]:
        """Return what counts batches, by their size, of rows or of streams."""
        self._batches[of] = Histogram(SIZES)
        return self._batches[of].add

    def text(self, info: Mapping[str, object]) -> str:
        """Return all of it; `info` says what is served."""
        return "\n".join(self._lines(info)) + "\n"

    def _lines(self, info: Mapping[str, object]) -> Iterator[str]:
        yield from _head("elman_info", "gauge", "What is served.")
        yield _line("elman_info", info, 1)
        for name, kind, help_text, value in self.gauges:
            yield from _head(name, kind, help_text)
            yield _line(name, {}, value())
        yield from _head("elman_requests_total", "counter", f"Answers by status; {LEFT}: the caller has gone before.")
        for (method, path, status), count in self._requests.items():
            yield _line("elman_requests_total", {"method": method, "path": path, "status": status}, count)
        yield from _head("elman_request_duration_seconds", "histogram", "From the request to the end of the answer.")
        for (method, path), found in self._seconds.items():
            yield from found.lines("elman_request_duration_seconds", {"method": method, "path": path})
        yield from _head("elman_batch_size", "histogram", "Rows, or pieces of streams, that were computed at once.")
        for of, found in self._batches.items():
            yield from found.lines("elman_batch_size", {"of": of})


class Counted:
    """Middleware: requests are counted, by the path as the service has it, without identifiers of streams."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), LEFT

        async def noticed(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noticed)
        except Exception:
            status = 500
            raise
        finally:
            path = getattr(scope.get("route"), "path", OTHER)
            self._metrics.answered(scope["method"], path, status, time.monotonic() - begun)


def add(app: FastAPI, metrics: Metrics, path: str, info: Mapping[str, object]) -> None:
    """Let an application count, and tell."""
    app.add_middleware(Counted, metrics=metrics)

    @app.get(
        path,
        response_class=Response,
        responses={200: {"content": {FORMAT: {}}}},
        summary="What was done, for Prometheus; never sent away",
    )
    async def tell() -> Response:
        return Response(metrics.text(info), headers={"Content-Type": FORMAT})


def _head(name: str, kind: str, help_text: str) -> tuple[str, str]:
    return f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"


def _line(name: str, labels: Mapping[str, object], value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(str(said))}"' for key, said in labels.items())
    return f"{name}{{{shown}}} {value}" if shown else f"{name} {value}"


def _escaped(said: str) -> str:
    return said.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
