"""/streams read as a `TextStream` does, wherever their states go in between."""

import asyncio
import errno
import json
import tempfile
from types import SimpleNamespace

import pytest
import torch
from fastapi import HTTPException
from fastapi.testclient import TestClient
from safetensors.torch import load, save

import elman
from elman.errors import RunError
from elman.serve import application, sessions
from elman.serve.store import Store

TEXT = "the cat sat on a mat.\nwe saw how the dog ran to the sun.\n" * 12


def begin(client):
    answer = client.post("/streams")
    assert answer.status_code == 201
    return answer.json()["id"]


def feed(client, name, text, expected=5):
    answer = client.post(f"/streams/{name}", json={"text": text, "expected": expected})
    assert answer.status_code == 200, answer.text
    return answer.json()


def error(answer, status):
    assert answer.status_code == status
    return answer.json()["error"]


def test_a_stream_says_what_a_text_stream_says(service, run):
    stream, name = run.stream(), begin(service)
    read = 0
    for text in (TEXT[:300], "", TEXT[300:301], TEXT[301:310]):
        found = feed(service, name, text, 3)
        read += len(text)
        assert found["log_probabilities"] == pytest.approx(stream.feed(text), abs=1e-4)
        pairs = [(each["text"], each["probability"]) for each in found["expected"]]
        assert [text for text, _ in pairs] == [text for text, _ in stream.expected(3)]
        assert [p for _, p in pairs] == pytest.approx([p for _, p in stream.expected(3)], abs=1e-4)
        assert (found["id"], found["read"]) == (name, read)


def test_a_state_goes_to_another_server_and_to_python(service, run):
    name = begin(service)
    feed(service, name, TEXT[:200])
    state = service.get(f"/streams/{name}/state").content
    assert len(state) < 10_000
    stream = run.stream()
    stream.state = load(state)
    expected = feed(service, name, TEXT[200:250])
    assert stream.feed(TEXT[200:250]) == pytest.approx(expected["log_probabilities"], abs=1e-4)

    elsewhere = TestClient(application(run))
    set_there = elsewhere.put(f"/streams/{name}/state", content=state)
    assert (set_there.status_code, set_there.json()["read"]) == (200, 200)
    assert feed(elsewhere, name, TEXT[200:250]) == expected

    ours = save(stream.state, {"run": run.fingerprint})
    assert elsewhere.put(f"/streams/{name}/state", content=ours).status_code == 200
    assert feed(elsewhere, name, "x", 1)["log_probabilities"] == pytest.approx(stream.feed("x"), abs=1e-4)


@pytest.fixture(scope="session")
def other(text_file, tmp_path_factory, tiny):
    """Another run of the same form."""
    return elman.train("language-modeling", text_file, out=tmp_path_factory.mktemp("other") / "r", quiet=True, **tiny)


def test_states_that_are_refused(service, run, other):
    name = begin(service)
    there = f"/streams/{name}/state"
    state = run.stream().state
    foreign = TestClient(application(other))
    theirs = foreign.get(f"/streams/{begin(foreign)}/state").content
    assert error(service.put(there, content=theirs), 422).startswith("this state is of another run (its weights are ")
    assert error(service.put(there, content=save(state)), 422).startswith("this state carries no mark of its run; ")
    marks = {"run": run.fingerprint}
    smaller = save({key: tensor[..., :3].contiguous() for key, tensor in state.items()}, marks)
    assert "has the tensors" in error(service.put(there, content=smaller), 422)
    double = save({key: tensor.double() for key, tensor in state.items()}, marks)
    assert "float64" in error(service.put(there, content=double), 422)
    infinite = save(state | {"h": state["h"] + torch.inf}, marks)
    assert "'h' holds values that are not finite" in error(service.put(there, content=infinite), 422)
    whole = service.get(there).content
    for damaged in (b"", b"abc", whole[:-1], whole[:40], b"\xff" * 100, b"[" * 100_000):
        assert error(service.put(there, content=damaged), 422).startswith("this is no state of a stream")
    for count in ("-1", "many", "9" * 4000, "9" * 5000):
        uncounted = save(state, marks | {"read": count})
        assert error(service.put(there, content=uncounted), 422).startswith("this is no state of a stream")
    assert error(service.put("/streams/..%2f..%2fx/state", content=whole), 404)
    assert "names no stream" in error(service.put("/streams/mine/state", content=whole), 422)
    assert feed(service, name, "t")["read"] == 1


def test_what_is_not_there(service):
    for name in ("0" * 32, "nothing"):
        message = f"there is no stream {name}; POST /streams makes one"
        assert error(service.post(f"/streams/{name}", json={"text": "x"}), 404) == message
        assert error(service.get(f"/streams/{name}/state"), 404) == message
        assert error(service.delete(f"/streams/{name}"), 404) == message
    assert error(service.post("/streams", json={"text": "x"}), 422).startswith("a stream begins with nothing read")
    assert service.post("/streams", json={}).status_code == 201
    name = begin(service)
    assert error(service.post(f"/streams/{name}", json={"expected": -1}), 422).startswith("expected: input should be")
    assert service.delete(f"/streams/{name}").status_code == 204
    assert error(service.delete(f"/streams/{name}"), 404)


@pytest.mark.parametrize("stored", [False, True])
def test_more_streams_than_memory_holds(run, limits, tmp_path, stored):
    store = tmp_path / "streams" if stored else None
    client = TestClient(application(run, limits(streams=2), store))
    pieces = [TEXT[k : k + 20] for k in range(6)]
    names = [begin(client) for _ in pieces]
    for name, piece in zip(names, pieces, strict=True):
        feed(client, name, piece)
    assert client.get("/health").json()["streams"] == 2
    for name, piece in zip(names, pieces, strict=True):
        stream = run.stream()
        stream.feed(piece)
        assert feed(client, name, "the")["log_probabilities"] == pytest.approx(stream.feed("the"), abs=1e-4)
    assert client.get("/health").json()["streams"] == 2
    assert client.delete(f"/streams/{names[0]}").status_code == 204
    assert error(client.post(f"/streams/{names[0]}", json={"text": "x"}), 404)


def test_streams_that_are_put_aside_leave_nothing_however_the_process_ends(run, limits, tmp_path, monkeypatch):
    for name in ("SQLITE_TMPDIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = application(run, limits(streams=1)).state.sessions
    values = {f"{k:032x}": bytes([k]) * 500_000 for k in range(20)}  # more than sqlite has in memory

    async def ask():
        for name, value in values.items():
            await kept.put(name, value)
        assert [*tmp_path.iterdir()] == []
        assert {name: await kept.get(name) for name in values} == values

    asyncio.run(ask())
    kept.close()


def test_a_store_on_a_file_system_without_locks_is_taken(run, tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    client = TestClient(application(run, store=tmp_path / "streams"))
    assert feed(client, begin(client), TEXT[:50])["read"] == 50
    client.app.state.sessions.close()


def test_streams_outlive_the_server_where_a_store_is_given(run, tmp_path):
    first = TestClient(application(run, store=tmp_path / "streams"))
    name, stream = begin(first), run.stream()
    feed(first, name, TEXT[:50])
    stream.feed(TEXT[:50])
    with pytest.raises(RunError, match="are served by another process; choose another --store"):
        application(run, store=tmp_path / "streams")
    first.app.state.sessions.close()  # as the end of the process does
    second = TestClient(application(run, store=tmp_path / "streams"))
    found = feed(second, name, TEXT[50:60])
    assert found["read"] == 60
    assert found["log_probabilities"] == pytest.approx(stream.feed(TEXT[50:60]), abs=1e-4)


def test_what_is_fed_to_one_stream_at_once_is_read_one_after_the_other(run, at_once):
    app = application(run)
    name = begin(TestClient(app))
    answers = at_once(app, [(f"/streams/{name}", {"text": "the cat"})] * 5)
    assert sorted(answer.json()["read"] for answer in answers) == [7, 14, 21, 28, 35]


def test_streams_at_once_are_read_as_if_alone(run, at_once):
    app = application(run)
    texts = [TEXT[k : 2 * k + 1 + 60 * k] for k in range(12)]
    names = [begin(TestClient(app)) for _ in texts]
    answers = at_once(app, [(f"/streams/{name}", {"text": t}) for name, t in zip(names, texts, strict=True)])
    for text, answer in zip(texts, answers, strict=True):
        assert answer.json()["log_probabilities"] == pytest.approx(run.stream().feed(text), abs=1e-4)


def test_a_websocket_is_fed_message_by_message(service, run):
    name, stream = begin(service), run.stream()
    with service.websocket_connect(f"/streams/{name}/feed") as socket:
        for text in ("the ", "cat"):
            socket.send_text(json.dumps({"text": text}))
            assert socket.receive_json()["log_probabilities"] == pytest.approx(stream.feed(text), abs=1e-4)
        socket.send_text("the cat")
        assert socket.receive_json()["error"].startswith("the request is no JSON")
        socket.send_text('{"text": "\\ud800"}')
        assert "error" in socket.receive_json()
    assert feed(service, name, "!")["read"] == 8
    with service.websocket_connect("/streams/nothing/feed") as socket:
        socket.send_text("{}")
        assert socket.receive_json() == {"error": "there is no stream nothing; POST /streams makes one"}


@pytest.mark.parametrize("stored", [False, True])
def test_streams_in_memory_that_nobody_uses_are_forgotten(run, limits, tmp_path, monkeypatch, stored):
    now = [0.0]
    monkeypatch.setattr(sessions, "time", SimpleNamespace(monotonic=lambda: now[0]))
    app = application(run, limits(expire=0.5, streams=2), tmp_path / "streams" if stored else None)
    client = TestClient(app)
    left, _, used = (begin(client) for _ in range(3))
    feed(client, left, "the")  # it has been on disk meanwhile, in an older state
    for hours in range(30):
        now[0] = 3600.0 * hours
        feed(client, used, "a")
    assert client.get("/health").json()["streams"] == 1
    assert error(client.post(f"/streams/{left}", json={"text": "x"}), 404)
    assert feed(client, used, "")["read"] == 30
    app.state.sessions.close()


@pytest.mark.parametrize("stored", [False, True])
def test_a_stream_whose_state_is_saved_is_used(run, limits, tmp_path, monkeypatch, stored):
    now = [0.0]
    monkeypatch.setattr(sessions, "time", SimpleNamespace(monotonic=lambda: now[0]))
    app = application(run, limits(expire=0.5), tmp_path / "streams" if stored else None)
    client = TestClient(app)
    left, used = begin(client), begin(client)
    for hours in (5, 10, 15, 20):
        now[0] = 3600.0 * hours
        assert client.get(f"/streams/{used}/state").status_code == 200
    now[0] = 3600.0 * 30
    assert error(client.get(f"/streams/{left}/state"), 404)
    assert feed(client, used, "the")["read"] == 3
    now[0] = 3600.0 * 50
    assert error(client.get(f"/streams/{used}/state"), 404)
    app.state.sessions.close()


class Shared(Store):
    """In memory, for several servers."""

    shared = True

    def __init__(self):
        self.values = {}

    def put(self, name, value):
        self.values[name] = value

    def replace(self, name, value, before):
        here = self.values[name] == before
        self.values[name] = value if here else self.values[name]
        return here

    def get(self, name):
        return self.values.get(name)

    def remove(self, name):
        self.values.pop(name, None)

    def close(self):
        pass


def test_of_a_store_that_others_use_nothing_is_remembered_and_nothing_of_theirs_is_lost():
    store, name = Shared(), "0" * 32
    one, two = (sessions.Sessions(store, most=10, expire=1.0) for _ in range(2))

    async def ask():
        await one.put(name, b"a")
        assert await two.get(name) == b"a"
        await two.put(name, b"b", b"a")
        with pytest.raises(HTTPException) as refused:
            await one.put(name, b"c", b"a")
        assert refused.value.status_code == 409
        assert await one.get(name) == await two.get(name) == b"b"
        await two.remove(name)
        with pytest.raises(HTTPException) as gone:
            await one.get(name)
        assert gone.value.status_code == 404

    asyncio.run(ask())
    assert one.live == two.live == 0


def test_what_is_the_servers_fault_is_in_its_log(run, tmp_path, caplog):
    client = TestClient(application(run, store=tmp_path / "streams"))
    name = begin(client)
    for path in (tmp_path / "streams").iterdir():
        path.unlink()
    (tmp_path / "streams").rmdir()
    said = error(client.post(f"/streams/{name}", json={"text": "x"}), 500)
    assert said.startswith("cannot write ")
    with client.websocket_connect(f"/streams/{name}/feed") as socket:
        socket.send_text('{"text": "x"}')
        assert socket.receive_json() == {"error": said}
    assert caplog.messages == [f"{how} /streams/{{name}}{end}: {said}" for how, end in (("POST", ""), ("WS", "/feed"))]
    client.app.state.sessions.close()


def test_a_damaged_state_is_the_servers_fault(run, tmp_path, caplog):
    name = "0" * 32
    (tmp_path / "streams").mkdir()
    (tmp_path / "streams" / f"{name}-{run.fingerprint[:16]}.safetensors").write_bytes(b"")
    client = TestClient(application(run, store=tmp_path / "streams"))
    said = "what was kept of this stream is damaged; delete it, and begin another"
    assert error(client.post(f"/streams/{name}", json={"text": "x"}), 500) == said
    assert caplog.messages == [f"POST /streams/{{name}}: {said}"]
    assert client.delete(f"/streams/{name}").status_code == 204
    client.app.state.sessions.close()


def test_runs_that_share_a_folder_do_not_touch_each_others_streams(run, other, tmp_path):
    place, asked = tmp_path / "streams", []
    for each in (run, other, run):
        client = TestClient(application(each, store=place))
        name = asked[0] if asked else begin(client)
        asked.append(name)
        if each is other:
            assert error(client.delete(f"/streams/{name}"), 404)
            state = client.get(f"/streams/{begin(client)}/state").content
            assert client.put(f"/streams/{name}/state", content=state).status_code == 200
        read = feed(client, name, "the")["read"]
        client.app.state.sessions.close()
    assert read == 6


def test_streams_that_were_kept_before_runs_stood_in_names_are_found(run, other, tmp_path):
    place, name = tmp_path / "streams", "0" * 32
    client = TestClient(application(run))
    source = begin(client)
    feed(client, source, "the")
    place.mkdir()
    (place / f"{name}.safetensors").write_bytes(client.get(f"/streams/{source}/state").content)
    for each, status in ((other, 404), (run, 200)):
        client = TestClient(application(each, store=place))
        assert client.post(f"/streams/{name}", json={"text": " cat"}).status_code == status
        client.app.state.sessions.close()
    client = TestClient(application(run, store=place))
    assert feed(client, name, "")["read"] == 7
    assert client.delete(f"/streams/{name}").status_code == 204
    assert error(client.get(f"/streams/{name}/state"), 404)
    client.app.state.sessions.close()


def test_what_is_no_stream_is_not_read_from_the_folder(run, tmp_path):
    client = TestClient(application(run, store=tmp_path / "streams"))
    name = begin(client)
    feed(client, name, "the")
    (kept,) = (tmp_path / "streams").glob("*.safetensors")
    kept.rename(kept.with_name(kept.name.replace(name, "mine")))
    assert error(client.get("/streams/mine/state"), 404) == "there is no stream mine; POST /streams makes one"
    client.app.state.sessions.close()


def test_a_store_that_cannot_be_written_is_told(run, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"cannot make the folder .*file: file exists; choose another one"):
        application(run, store=tmp_path / "file")
