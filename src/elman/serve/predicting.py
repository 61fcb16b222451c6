"""POST /predict: rows to answers, gathered with those of other requests."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from elman.run import Run
from elman.serve.failures import RESPONSES
from elman.serve.gather import Gatherer
from elman.serve.limits import Limits
from elman.serve.worker import Worker


class Rows(BaseModel):
    """Rows to answer."""

    model_config = ConfigDict(extra="forbid")

    rows: list[Any] = Field(
        description="As `run.predict` takes them: texts, or objects with a value for each column that is read"
    )


class Answers(BaseModel):
    """The answers."""

    rows: list[dict[str, Any]] = Field(description="As `run.predict` gives them")


def add(app: FastAPI, run: Run, worker: Worker, limits: Limits) -> None:
    """Let an application predict."""
    gatherer: Gatherer[list[Any], list[dict[str, Any]]] = Gatherer(
        lambda requests: worker.do(run.predict_each, requests), wait=limits.wait, most=limits.rows
    )

    @app.post("/predict", response_model=Answers, responses=RESPONSES, summary="Answer rows")
    async def predict(asked: Rows) -> JSONResponse:
        return JSONResponse({"rows": await gatherer.ask(asked.rows, len(asked.rows))})
