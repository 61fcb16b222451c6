"""/streams of a tagger of series read as a `SeriesStream` does, however steps come and wherever the states go."""

import random

import pytest
from fastapi.testclient import TestClient

import elman
from elman.data import tables
from elman.serve import application


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    """A run that says whether a number is higher than the one before, from the beginning on."""
    folder, draw, rows = tmp_path_factory.mktemp("steps"), random.Random(0), []
    for _ in range(40):
        values = [draw.random() for _ in range(15)]
        moves = ["up" if b > a else "down" for a, b in zip([0.5, *values], values, strict=False)]
        rows.append({"values": values, "moves": moves})
    table, options = tables.write(folder / "t.jsonl", rows), {"hidden": 8, "epochs": 4.0, "precision": "float32"}
    return elman.train("tagging", table, bidirectional=False, out=folder / "r", quiet=True, **options)


@pytest.fixture
def service(tagger):
    """A service of it."""
    return TestClient(application(tagger))


def told(answer):
    """The answers of a request that is in order."""
    assert answer.status_code == 200, answer.text
    return answer.json()["answers"]


def alike(found, expected):
    """Whether answers are the same, to the rounding of probabilities."""
    assert [answer["moves"] for answer in found] == [answer["moves"] for answer in expected]
    sure = "moves_probability"
    assert [answer[sure] for answer in found] == pytest.approx([answer[sure] for answer in expected], abs=2e-6)


def test_a_stream_is_tagged_as_one_in_python_and_its_state_goes_elsewhere(tagger, service):
    values = [0.1 * (k * 7 % 10) for k in range(20)]
    expected = tagger.stream().feed(values)
    name = service.post("/streams").json()["id"]
    alike(told(service.post(f"/streams/{name}", json={"steps": values[:4]})), expected[:4])
    assert told(service.post(f"/streams/{name}", json={})) == []
    with service.websocket_connect(f"/streams/{name}/feed") as socket:
        socket.send_json({"steps": [[values[4]]]})
        alike(socket.receive_json()["answers"], expected[4:5])
    elsewhere, state = TestClient(application(tagger)), service.get(f"/streams/{name}/state").content
    assert elsewhere.put(f"/streams/{name}/state", content=state).json()["read"] == 5
    alike(told(elsewhere.post(f"/streams/{name}", json={"steps": values[5:]})), expected[5:])


def test_streams_that_are_fed_at_once_do_not_mind_each_other(tagger, service, at_once):
    names = [service.post("/streams").json()["id"] for _ in range(5)]
    fed = [[0.1 * (k * n % 9) for k in range(1 + 3 * n)] for n in range(1, 6)]
    answers = at_once(service.app, [(f"/streams/{n}", {"steps": f}) for n, f in zip(names, fed, strict=True)])
    for answer, values in zip(answers, fed, strict=True):
        alike(told(answer), tagger.stream().feed(values))


@pytest.mark.parametrize("steps", [[[1.0, 2.0]], "1", [["a"]], [[]], [1.0, [2.0]]])
def test_what_is_no_time_step_is_told_and_changes_nothing(service, steps):
    name = service.post("/streams").json()["id"]
    answer = service.post(f"/streams/{name}", json={"steps": steps})
    assert answer.status_code == 422
    assert len(answer.json()["error"]) > 20
    assert service.post(f"/streams/{name}", json={"steps": [0.5]}).json()["read"] == 1


def test_the_page_says_how_to_ask(service):
    assert '{"steps": [[...]]}' in service.get("/").text
    assert service.get("/run").json()["streams"] == "steps"
