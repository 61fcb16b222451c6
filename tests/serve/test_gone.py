"""Whoever goes away before the answer ends what is done for him, and leaves nothing half done."""

import asyncio
import json
import threading

from fastapi.testclient import TestClient

from elman.generation.streams import TextStreams
from elman.serve import application
from elman.serve.store import FolderStore

PIECES = 20
TEXT = "the cat sat on a mat.\n" * (PIECES * 256 // 22)


async def post(app, path, body, leaves=None):
    """Ask an application by POST; the status of its answer, None where there is none since the asker has gone."""
    sent, asked = [], [{"type": "http.request", "body": json.dumps(body).encode()}]

    async def receive():
        if not asked:
            await (asyncio.to_thread(leaves.wait, 10) if leaves else asyncio.sleep(3600))
            return {"type": "http.disconnect"}
        return asked.pop()

    async def send(message):
        sent.append(message)

    fields = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": fields, "query_string": b"", "asgi": {}}
    await asyncio.wait_for(app(scope | {"http_version": "1.1", "scheme": "http"}, receive, send), 20)
    return sent[0]["status"] if sent else None


def test_rows_that_nobody_waits_for_are_not_computed(classifier, monkeypatch):
    begun, go_on, computed = threading.Event(), threading.Event(), []

    def slow(requests):
        computed.extend(rows for (rows,) in requests)
        begun.set()
        assert go_on.wait(10)
        return [[{"label": "x"}] for _ in requests]

    monkeypatch.setattr(classifier, "predict_each", slow)
    app = application(classifier)

    async def ask():
        first = asyncio.create_task(post(app, "/predict", {"rows": ["first"]}))
        await asyncio.to_thread(begun.wait, 10)
        stays = asyncio.create_task(post(app, "/predict", {"rows": ["stays"]}))
        left = await post(app, "/predict", {"rows": ["leaves"]}, leaves=begun)
        go_on.set()
        return left, await first, await stays

    assert asyncio.run(ask()) == (None, 200, 200)
    assert computed == ["first", "stays"]
    assert TestClient(app).get("/health").json()["requests"] == 0


def test_a_text_that_nobody_waits_for_is_read_no_further_and_not_at_all(run, monkeypatch):
    begun, reads, real = threading.Event(), [], TextStreams.read

    def read(texts, feeds):
        reads.append(len(feeds))
        if len(reads) == 2:
            begun.set()
        return real(texts, feeds)

    monkeypatch.setattr(TextStreams, "read", read)
    app = application(run)
    client = TestClient(app)
    name = client.post("/streams").json()["id"]
    assert asyncio.run(post(app, f"/streams/{name}", {"text": TEXT}, leaves=begun)) is None
    assert len(reads) < PIECES
    assert client.post(f"/streams/{name}", json={"text": "the"}).json()["read"] == 3


def test_what_is_being_kept_is_kept_whole(run, tmp_path, monkeypatch):
    begun, go_on, real = threading.Event(), threading.Event(), FolderStore.put
    app = application(run, store=tmp_path / "streams")
    client = TestClient(app)
    name = client.post("/streams").json()["id"]

    def slow(store, *arguments):
        begun.set()
        assert go_on.wait(10)
        real(store, *arguments)

    monkeypatch.setattr(FolderStore, "put", slow)

    async def ask():
        left = asyncio.create_task(post(app, f"/streams/{name}", {"text": "the"}, leaves=begun))
        await asyncio.to_thread(begun.wait, 10)
        next_one = asyncio.create_task(post(app, f"/streams/{name}", {"text": " cat"}))
        await asyncio.sleep(0.1)
        go_on.set()
        return await left, await next_one

    assert asyncio.run(ask()) == (None, 200)
    assert client.post(f"/streams/{name}", json={"text": ""}).json()["read"] == 7
    app.state.sessions.close()
