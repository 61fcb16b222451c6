"""The page for people, the facts for programs."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from elman.serve import application


def test_the_page_needs_nothing_from_elsewhere(service, labels):
    for client, name in ((service, "mat"), (labels, "run")):
        page = client.get("/").text
        assert f"<h1>{name}</h1>" in page
        assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//|@import|url\(""", page)
    assert 'id="generate"' in service.get("/").text
    assert 'id="generate"' not in labels.get("/").text


def test_the_facts(service, labels, run, classifier):
    facts = service.get("/run").json()
    assert (facts["task"], facts["can"]) == ("language-modeling", ["predict", "generate", "streams"])
    assert facts["scores"] == run.scores
    assert facts["fingerprint"] == run.fingerprint
    facts = labels.get("/run").json()
    assert (facts["columns"], facts["can"]) == ({"read": ["text"], "answered": ["label"]}, ["predict"])


@pytest.mark.parametrize("path", ["/", "/health", "/run"])
def test_what_is_read_alone_can_be_asked_for_its_head(service, path):
    head, whole = service.head(path), service.get(path)
    assert head.status_code == whole.status_code == 200
    assert head.headers == whole.headers


def test_it_describes_itself(service, labels):
    paths = service.get("/openapi.json").json()["paths"]
    assert {"/predict", "/generate", "/streams", "/streams/{name}", "/streams/{name}/state", "/health"} <= paths.keys()
    assert "/streams" not in labels.get("/openapi.json").json()["paths"]


def test_it_can_be_mounted(classifier):
    app = FastAPI()
    app.mount("/mood", application(classifier.path))
    client = TestClient(app)
    assert client.post("/mood/predict", json={"rows": ["fine"]}).json()["rows"] == classifier.predict(["fine"])
    assert client.get("/mood/health").json()["status"] == "ok"
    assert client.get("/mood").url.path == "/mood/"
