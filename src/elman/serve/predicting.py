"""POST /predict: rows to answers, gathered with those of other requests; where a run reads files, a file to its answer.

A client's rows name no files of the server's: the file itself is what is sent.
"""

import re
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from elman.errors import ElmanError, UsageError
from elman.run.run import Run
from elman.serve.failures import RESPONSES
from elman.serve.gather import Gatherer
from elman.serve.limits import Limits
from elman.serve.metrics import Metrics
from elman.serve.worker import Worker

BYTES = "application/octet-stream"
ENDING = r"\.[a-z0-9]{1,8}"


class Rows(BaseModel):
    """Rows to answer."""

    model_config = ConfigDict(extra="forbid")

    rows: list[Any] = Field(
        description="As `run.predict` takes them: texts, or objects with a value for each column that is read"
    )


class Answers(BaseModel):
    """The answers."""

    rows: list[dict[str, Any]] = Field(description="As `run.predict` gives them")


def add(app: FastAPI, run: Run, worker: Worker, limits: Limits, metrics: Metrics) -> None:
    """Let an application predict."""
    gatherer: Gatherer[list[Any], list[dict[str, Any]]] = Gatherer(
        lambda requests: worker.do(run.predict_each, requests),
        wait=limits.wait,
        most=limits.rows,
        seen=metrics.batches("rows"),
    )
    (_add_files if run.prepared.reads_files else _add_rows)(app, run, gatherer)


def _add_rows(app: FastAPI, run: Run, gatherer: Gatherer[list[Any], list[dict[str, Any]]]) -> None:
    @app.post("/predict", response_model=Answers, responses=RESPONSES, summary="Answer rows")
    async def predict(asked: Rows) -> JSONResponse:
        return JSONResponse({"rows": await gatherer.ask(asked.rows, run.batch_rows(asked.rows))})


def _add_files(app: FastAPI, run: Run, gatherer: Gatherer[list[Any], list[dict[str, Any]]]) -> None:
    (column,) = run.prepared.columns["read"]

    @app.post(
        "/predict",
        response_model=Answers,
        responses=RESPONSES,
        summary="Answer a file",
        openapi_extra={"requestBody": {"required": True, "content": {BYTES: {}}}},
    )
    async def predict(
        request: Request, name: Annotated[str, Query(description="what the file is called, with its ending")] = ""
    ) -> JSONResponse:
        ending = Path(name).suffix.lower()
        if not re.fullmatch(ENDING, ending):
            raise UsageError(f"send a file, and say what it is called: /predict?name=x.png; got {name!r} for its name")
        content = await request.body()
        with tempfile.TemporaryDirectory(prefix="elman-file-") as folder:
            place = Path(folder) / f"file{ending}"
            place.write_bytes(content)
            try:
                rows = await gatherer.ask([str(place)])
            except ElmanError as error:
                raise type(error)(str(error).replace(str(place), name)) from error
        return JSONResponse({"rows": [row | {column: name} for row in rows]})
