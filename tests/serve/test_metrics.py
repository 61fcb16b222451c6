"""/metrics tells what was done, as Prometheus reads it."""

import re

from fastapi.testclient import TestClient

from elman.serve import application

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\\]|\\\\.)*",?)+)\})? (\S+)')


def told(client):
    """The values by name and labels, each of a kind that is told before."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    kinds, found = {}, {}
    for line in answer.text.removesuffix("\n").split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            name, labels, value = LINE.fullmatch(line).groups()
            assert {name, re.sub("_(bucket|sum|count)$", "", name)} & kinds.keys()
            found[name, labels or ""] = float(value)
    return found


def test_what_was_done_is_counted(service, run):
    name = service.post("/streams").json()["id"]
    for text in ("the", "cat"):
        service.post(f"/streams/{name}", json={"text": text})
    with service.websocket_connect(f"/streams/{name}/feed") as socket:
        for message in ('{"text": "a"}', "no JSON"):
            socket.send_text(message)
            socket.receive_json()
    service.post("/predict", json={"rows": ["the", "cat"]})
    service.post("/predict", json={"rows": [3]})
    found = told(service)
    requests = {labels: count for (name, labels), count in found.items() if name == "elman_requests_total"}
    assert requests == {
        'method="POST",path="/streams",status="201"': 1,
        'method="POST",path="/streams/{name}",status="200"': 2,
        'method="WS",path="/streams/{name}/feed",status="200"': 1,
        'method="WS",path="/streams/{name}/feed",status="422"': 1,
        'method="POST",path="/predict",status="200"': 1,
        'method="POST",path="/predict",status="422"': 1,
    }
    durations = 'method="POST",path="/predict"'
    assert found["elman_request_duration_seconds_count", durations] == 2
    assert found["elman_request_duration_seconds_bucket", f'{durations},le="+Inf"'] == 2
    assert 0 < found["elman_request_duration_seconds_sum", durations] < 60
    assert found["elman_batch_size_sum", 'of="rows"'] == 3
    assert [found["elman_batch_size_bucket", f'of="rows",le="{bound}"'] for bound in (1, 2, 4)] == [1, 2, 2]
    assert found["elman_batch_size_count", 'of="streams"'] == 3
    assert found["elman_streams", ""] == 1
    assert found["elman_requests_in_progress", ""] == 0
    assert found["elman_model_seconds_total", ""] > 0
    (info,) = (labels for name, labels in found if name == "elman_info")
    assert f'fingerprint="{run.fingerprint}"' in info


def test_what_callers_make_up_is_one_row_and_what_fails_is_counted(classifier, limits, monkeypatch):
    monkeypatch.setattr(classifier, "predict_each", lambda requests: 1 / 0)
    client = TestClient(application(classifier, limits(body=20)), raise_server_exceptions=False)
    client.post("/predict", json={"rows": ["a"]})
    client.post("/predict", content=b"x" * 21)
    for k in range(5):
        client.request(f"MADE{k}", f"/up{k}")
    found = {labels: count for (name, labels), count in told(client).items() if name == "elman_requests_total"}
    assert found == {
        'method="POST",path="/predict",status="500"': 1,
        'method="POST",path="other",status="413"': 1,
        'method="other",path="other",status="404"': 5,
    }


def test_it_is_told_also_where_nobody_else_is_let_in(classifier, limits):
    app = application(classifier, limits(requests=1))
    client = TestClient(app)
    with client.app.user_middleware[1].kwargs["gate"]:
        assert client.post("/predict", json={"rows": ["a"]}).status_code == 503
        assert told(client)["elman_requests_in_progress", ""] == 1


def test_no_more_is_computed_at_once_than_is_said(run, limits, at_once):
    app = application(run, limits(rows=2))
    names = [TestClient(app).post("/streams").json()["id"] for _ in range(5)]
    feeds = [(f"/streams/{name}", {"text": "the"}) for name in names]
    at_once(app, [*feeds, *[("/predict", {"rows": ["the"]})] * 5])
    found = told(TestClient(app))
    for of in ("rows", "streams"):
        batches = found["elman_batch_size_count", f'of="{of}"']
        assert found["elman_batch_size_bucket", f'of="{of}",le="2"'] == batches < 5
        assert found["elman_batch_size_sum", f'of="{of}"'] == 5
