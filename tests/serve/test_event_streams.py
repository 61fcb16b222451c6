"""/streams of an event model read as an `EventStream` does; it goes on from sets as well."""

import pytest
import torch
from fastapi.testclient import TestClient
from safetensors.torch import save

import elman
from elman.data import tables
from elman.serve import application


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A run over texts that come in turns."""
    folder = tmp_path_factory.mktemp("events")
    rows = [{"log": [["a", "b"], ["c"], []] * (1 + k % 3)} for k in range(40)]
    options = {"hidden": 8, "embedding": 8, "readout": 8, "epochs": 3.0, "precision": "float32", "quiet": True}
    return elman.train("event-modeling", tables.write(folder / "t.jsonl", rows), out=folder / "r", **options)


@pytest.fixture
def service(model):
    """A service of it."""
    return TestClient(application(model))


def test_a_stream_is_read_as_one_in_python_and_its_state_goes_elsewhere(model, service):
    steps, stream = [["a", "b"], ["c"], [], ["b"], ["z"]], model.stream()
    expected = pytest.approx(stream.read(steps), abs=1e-5)
    name = service.post("/streams").json()["id"]
    said = service.post(f"/streams/{name}", json={"sets": steps[:2]}).json()["log_probabilities"]
    with service.websocket_connect(f"/streams/{name}/feed") as socket:
        socket.send_json({"sets": [[]], "expected": 0})
        answer = socket.receive_json()
    assert answer["expected"] == []
    said += answer["log_probabilities"]
    elsewhere, state = TestClient(application(model)), service.get(f"/streams/{name}/state").content
    assert elsewhere.put(f"/streams/{name}/state", content=state).json()["read"] == 3
    answer = elsewhere.post(f"/streams/{name}", json={"sets": steps[3:], "expected": 2}).json()
    assert said + answer["log_probabilities"] == expected
    assert [each["event"] for each in answer["expected"]] == [event for event, _ in stream.expected(2)]


def test_streams_that_are_fed_at_once_do_not_mind_each_other(model, service, at_once):
    names = [service.post("/streams").json()["id"] for _ in range(4)]
    fed = [[["a", "b"], ["c"], [], ["a"]][:n] for n in range(1, 5)]
    answers = at_once(service.app, [(f"/streams/{n}", {"sets": f}) for n, f in zip(names, fed, strict=True)])
    for answer, steps in zip(answers, fed, strict=True):
        assert answer.json()["log_probabilities"] == pytest.approx(model.stream().read(steps), abs=1e-5)


@pytest.mark.parametrize("sets", [["a"], "a", [[1]], [[True]], [[None]], [[["a"]]]])
def test_what_is_no_set_is_told_and_changes_nothing(service, sets):
    name = service.post("/streams").json()["id"]
    answer = service.post(f"/streams/{name}", json={"sets": sets})
    assert answer.status_code == 422
    assert len(answer.json()["error"]) > 20
    assert service.post(f"/streams/{name}", json={"sets": [["a"]]}).json()["read"] == 1


@pytest.mark.parametrize("value", [3e38, -3e38])
def test_a_state_from_which_no_set_has_a_probability_is_refused(model, service, value):
    name, state = service.post("/streams").json()["id"], model.stream().state
    broken = save(state | {"features": torch.full_like(state["features"], value)}, {"run": model.fingerprint})
    answer = service.put(f"/streams/{name}/state", content=broken)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("the state's tensor 'features' holds values too large to be computed with")
    assert service.post(f"/streams/{name}", json={"sets": [["a"]]}).json()["read"] == 1


def test_rows_are_answered_sets_are_written_and_the_page_says_how_to_ask(model, service):
    answer = service.post("/predict", json={"rows": [{"log": [["a", "b"], ["c"]]}]}).json()["rows"]
    assert answer == model.predict([{"log": [["a", "b"], ["c"]]}])
    plain = {"Accept": "text/plain"}
    written = service.post("/generate", json={"prompt": '[["a", "b"]]', "length": 2}, headers=plain).text
    assert written == "".join(model.generate('[["a", "b"]]', 2))
    nested = service.post("/generate", json={"prompt": "[" * 10_000})
    assert nested.status_code == 422
    assert nested.json()["error"].startswith("the prompt is no list of sets of texts")
    page = service.get("/").text
    assert '{"sets": [[...]]}' in page
    assert "the answer is how probable the network finds it" in page
    assert service.get("/run").json()["streams"] == "sets"
