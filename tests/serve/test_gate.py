"""The door of a service: whoever is too slow does not keep others out."""

import asyncio

import pytest

from elman.serve import application, gate


def answered(app, method, path, messages, query=b""):
    """What an application sends to a client that sends these messages, and then nothing more."""

    async def ask():
        sent, left = [], list(messages)

        async def receive():
            await asyncio.sleep(0 if left else 3600)
            return left.pop(0)

        async def send(message):
            sent.append(message)

        fields = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": method, "path": path, "headers": fields, "query_string": query, "asgi": {}}
        await asyncio.wait_for(app(scope | {"http_version": "1.1", "scheme": "http"}, receive, send), 60)
        return sent

    return asyncio.run(ask())


@pytest.mark.parametrize("sent", [[], [b'{"rows": ['], [b"{", b'"rows"']], ids=len)
def test_a_body_that_never_ends_is_sent_away(run, monkeypatch, sent):
    monkeypatch.setattr(gate, "PATIENCE", 0.05)
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in sent]
    start, body = answered(application(run), "POST", "/predict", messages)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert body["body"] == b'{"error":"the body has not come whole within 0.05 seconds; send it faster"}'


@pytest.mark.parametrize("more", [False, True])
def test_an_answer_may_take_as_long_as_it_takes(run, monkeypatch, more):
    monkeypatch.setattr(gate, "PATIENCE", 0.1)
    message = {"type": "http.request", "body": b"", "more_body": more}
    start, *pieces = answered(application(run), "GET", "/generate", [message], b"length=10000")
    assert start["status"] == 200
    assert b"".join(piece["body"] for piece in pieces).endswith(b"event: end\nid: end\ndata: {}\n\n")


@pytest.mark.parametrize(("size", "status"), [(8, 200), (9, 413)])
def test_a_body_may_have_as_many_bytes_as_are_let_in(size, status):
    async def whole(scope, receive, send):
        parts = [await receive() for _ in range(3)]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"".join(part["body"] for part in parts)})

    parts = b"12", b"345", b"6789"[: size - 5]
    messages = [{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts]
    start, body = answered(gate.Door(whole, gate.Gate(1), 8, ()), "POST", "/predict", messages)
    assert start["status"] == status
    assert body["body"] == (
        b"12345678" if status == 200 else b'{"error":"the request has more than 8 bytes; send less at a time"}'
    )
