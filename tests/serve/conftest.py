"""Services of small runs, asked in this process."""

import asyncio

import httpx2
import pytest
from fastapi.testclient import TestClient
from tests.tasks.conftest import texts

from elman.data import tables
from elman.serve import Limits, application


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """A finished run that labels texts."""
    import elman

    place = tmp_path_factory.mktemp("classifier")
    tables.write(place / "texts.csv", texts(200))
    options = {"batch": 32, "hidden": 8, "embedding": 8, "epochs": 5.0, "rate": 0.02, "precision": "float32"}
    return elman.train("classification", place / "texts.csv", out=place / "run", quiet=True, **options)


@pytest.fixture
def service(run):
    """A service of the language model."""
    return TestClient(application(run))


@pytest.fixture
def labels(classifier):
    """A service of the classifier."""
    return TestClient(application(classifier))


@pytest.fixture
def at_once():
    """Send requests, of JSON or bytes, at the same time; return the answers in order."""

    def ask(app, requests):
        async def all_of_them():
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
                sent = [{"content" if isinstance(body, bytes) else "json": body} for _, body in requests]
                posts = zip(requests, sent, strict=True)
                return await asyncio.gather(*(client.post(path, **body) for (path, _), body in posts))

        return asyncio.run(all_of_them())

    return ask


@pytest.fixture
def limits():
    """Make limits."""
    return Limits
