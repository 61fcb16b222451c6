"""POST /predict answers as `run.predict`, alone or beside others."""

import asyncio
import threading

import pytest
from fastapi.testclient import TestClient

from elman.serve import application
from elman.serve.worker import Worker

LINES = ["the cat sat on a mat.", "tac eht", "", "we saw how the dog ran to the sun."]
TEXTS = ["a lovely day", "the film was sad", "it was very very grey and dull", "fine"]


def rows(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def approx(found, expected):
    """The same, numbers to the rounding of float32."""
    assert [row.keys() for row in found] == [row.keys() for row in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for name, value in theirs.items():
            assert ours[name] == (pytest.approx(value, rel=1e-5, abs=2e-6) if isinstance(value, float) else value), name


def test_lines_of_a_language_model(service, run):
    approx(rows(service.post("/predict", json={"rows": LINES})), run.predict(LINES))
    assert rows(service.post("/predict", json={"rows": []})) == []


def test_rows_of_a_table(labels, classifier):
    asked = [*TEXTS, {"text": "a bright day", "beside": 3}]
    approx(rows(labels.post("/predict", json={"rows": asked})), classifier.predict(asked))


@pytest.mark.parametrize("which", ["run", "classifier"])
def test_requests_at_the_same_time_are_one_batch_and_answered_as_if_alone(which, request, at_once, monkeypatch):
    of, asked = request.getfixturevalue(which), LINES if which == "run" else TEXTS
    batches, real = [], of.predict_each
    monkeypatch.setattr(of, "predict_each", lambda requests: batches.append(len(requests)) or real(requests))
    parts = [asked[k:][:k] for k in range(4)] * 4  # also of nothing
    answers = at_once(application(of), [("/predict", {"rows": part}) for part in parts])
    for part, answer in zip(parts, answers, strict=True):
        approx(rows(answer), of.predict(part))
    assert max(batches) > 1
    assert sum(batches) == len(parts)


def test_what_is_wrong_with_one_disturbs_no_other(classifier, at_once):
    bad = [[""], [3], [None], [{"txt": "x"}], ["fine", ["fine"]]]
    asked = [part for each in bad for part in (TEXTS, each)]
    answers = at_once(application(classifier), [("/predict", {"rows": part}) for part in asked])
    assert [answer.status_code for answer in answers] == [200, 422] * len(bad)
    for answer in answers[::2]:
        approx(rows(answer), classifier.predict(TEXTS))
    assert "row 1, column 'text' is empty" in answers[1].json()["error"]


BAD = [
    ('{"rows": [3]}', "the table given, row 1, column 'text' holds number, not text"),
    ('{"rows": [{"txt": "x"}]}', "the table given has no column 'text'; did you mean 'txt'?; it has 'txt'"),
    ('{"rows": ["\\ud800"]}', "the table given cannot be read: 'utf-8' codec can't encode"),
    ('{"rows": "some text"}', "rows: input should be a valid list; /openapi.json says what is asked for"),
    ('{"row": []}', "rows: field required; /openapi.json says what is asked for"),
    ('{"rows": [', "the request is no JSON (Expecting value); mend it"),
    (b'{"rows": ["\xe9"]}', "the request is no JSON that can be read"),
    (
        '{"rows": ' + "[" * 200 + "]" * 200 + "}",
        "the table given, row 1, column 'text' holds lists in lists, more than",
    ),
    ("[]", "the request is no JSON object; send one, with Content-Type: application/json"),
    ("", "the request is no JSON object; send one, with Content-Type: application/json"),
]


@pytest.mark.parametrize(("body", "message"), BAD)
def test_bad_rows_get_one_sentence(labels, body, message):
    answer = labels.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize("depth", [900, 8000, 20000])
def test_no_depth_of_lists_ends_the_server(labels, depth):
    """Python reads about 1000 until 3.11, 10000 until 3.13, and more since."""
    body = '{"rows": ' + "[" * depth + "]" * depth + "}"
    answer = labels.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(("the request is no JSON that can be read", "the table given, row 1,"))


def test_json_that_is_not_said_to_be_json(labels):
    """What curl sends with -d alone."""
    for headers in ({"Content-Type": "application/x-www-form-urlencoded"}, {}):
        answer = labels.post("/predict", content=b'{"rows": ["fine"]}', headers=headers)
        assert answer.status_code == 422
        assert answer.json()["error"].endswith("; send JSON, with the header Content-Type: application/json")


@pytest.mark.parametrize("row", [3, None, {"text": "x"}, "\ud800"])
def test_what_is_no_line_of_text(service, row):
    body = '{"rows": ["\\ud800"]}' if row == "\ud800" else None
    answer = service.post("/predict", content=body, headers={"Content-Type": "application/json"}) if body else (
        service.post("/predict", json={"rows": [row]})
    )  # fmt: skip
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("row 1 ")


def test_places_that_are_not_there(labels):
    assert labels.get("/predict").json() == {"error": "/predict is not asked by GET; /openapi.json says how"}
    for path in ("/nothing", "/predict/"):
        answer = labels.post(path, follow_redirects=False)
        assert answer.status_code == 404
        assert answer.json() == {"error": f"there is no {path} here; /openapi.json lists what there is"}


def test_what_a_run_cannot_do_is_said(labels):
    answer = labels.post("/generate", json={"prompt": "a"})
    assert answer.status_code == 404
    assert answer.json() == {"error": "a classification run does not generate; let it predict rows"}
    for ask, path in (labels.post, "/streams"), (labels.post, "/streams/x"), (labels.put, "/streams/x/state"):
        answer = ask(path, content=b"samples")
        assert answer.status_code == 404
        assert answer.json()["error"].startswith("a classification run reads whole rows, nothing without end; ")
        assert answer.json()["error"].endswith("that are trained with --no-bidirectional)")
    with labels.websocket_connect("/streams/x/feed") as socket:
        assert socket.receive_json() == answer.json()
    assert not any(path.startswith("/streams") for path in labels.get("/openapi.json").json()["paths"])


def test_too_many_bytes(classifier, limits):
    client = TestClient(application(classifier, limits(body=100)))
    for body in (b"x" * 101, iter([b"x" * 60, b"x" * 60])):
        answer = client.post("/predict", content=body)
        assert answer.status_code == 413
        assert answer.json() == {"error": "the request has more than 100 bytes; send less at a time"}


def test_too_many_requests(classifier, limits, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(requests):
        begun.set()
        assert go_on.wait(10)
        return [[] for _ in requests]

    monkeypatch.setattr(classifier, "predict_each", slow)
    client = TestClient(application(classifier, limits(requests=1)))
    inside = threading.Thread(target=client.post, args=("/predict",), kwargs={"json": {"rows": ["fine"]}})
    inside.start()
    assert begun.wait(10)
    refused, health = client.post("/predict", json={"rows": ["fine"]}), client.get("/health")
    balancer = client.head("/health")
    go_on.set()
    inside.join()
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert refused.json() == {"error": "1 requests are in work already; ask again in a second"}
    assert health.json() == {"status": "ok", "requests": 1, "streams": 0}
    assert balancer.status_code == 200
    assert client.get("/health").json()["requests"] == 0


@pytest.mark.parametrize("raised", [StopIteration, ValueError])
def test_whatever_a_model_raises_reaches_who_waits(raised):
    def fail():
        raise raised

    with pytest.raises((RuntimeError, ValueError)):
        asyncio.run(asyncio.wait_for(Worker().do(fail), 20))


def test_a_fault_of_the_server_is_no_traceback(classifier, monkeypatch):
    monkeypatch.setattr(classifier, "predict_each", lambda requests: 1 / 0)
    client = TestClient(application(classifier), raise_server_exceptions=False)
    answer = client.post("/predict", json={"rows": ["fine"]})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server has failed at this request; its log says why"}
