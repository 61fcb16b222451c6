"""What goes wrong, as answers: a status and {"error": one sentence}; what is the server's fault, in its log as well."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from elman.errors import DataError, ElmanError, UsageError

log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What is wrong, in one sentence."""

    error: str


RESPONSES: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The body comes too slowly"},
    413: {"model": Problem, "description": "The request is too large"},
    422: {"model": Problem, "description": "What was sent cannot be worked with"},
    503: {
        "model": Problem,
        "description": "Too many requests are in work; the header Retry-After says when to ask again",
    },
}


def add(app: FastAPI) -> None:
    """Let an application answer errors like this."""

    @app.exception_handler(ElmanError)
    async def elman_error(request: Request, error: ElmanError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, noted(error, f"{request.method} {_place(request)}"))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        kind = request.headers.get("content-type", "")
        unread = error.errors()[0]["loc"] == ("body",) and error.body and "json" not in kind
        said = (
            f"the request is said to be {kind or 'nothing'}; send JSON, with the header Content-Type: application/json"
        )
        return JSONResponse({"error": said if unread else in_a_sentence(error.errors())}, 422)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        detail, status = error.detail, error.status_code
        if status == 400 and isinstance(error.__cause__, ValueError | RecursionError):  # FastAPI's, of the body alone
            detail, status = "the request is no JSON that can be read (in UTF-8, not nested too deeply); mend it", 422
        elif status == 404 and detail == "Not Found":
            detail = f"there is no {request.url.path} here; /openapi.json lists what there is"
        elif status == 405:
            detail = f"{request.url.path} is not asked by {request.method}; /openapi.json says how"
        return JSONResponse({"error": detail}, status, error.headers)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        """The server writes the traceback to its log."""
        del request, error
        return JSONResponse({"error": "the server has failed at this request; its log says why"}, 500)


def noted(error: ElmanError, asked: str) -> int:
    """422 where the asker can mend it; 500 where it is the server's, whose log then says what was asked."""
    if isinstance(error, UsageError | DataError):
        return 422
    log.error("%s: %s", asked, error)
    return 500


def _place(request: Request) -> str:
    """The path without identifiers of streams, which are secrets."""
    route = request.scope.get("route")
    return str(getattr(route, "path", request.url.path))


def in_a_sentence(errors: Any) -> str:
    """The first thing that FastAPI found wrong with a request, and where."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"the request is no JSON ({first.get('ctx', {}).get('error', first['msg'])}); mend it"
    if first["loc"] == ("body",):
        return "the request is no JSON object; send one, with Content-Type: application/json"
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    what = first["msg"][0].lower() + first["msg"][1:]
    return f"{place}: {what}; /openapi.json says what is asked for"
