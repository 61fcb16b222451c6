"""Streams in redis belong to all servers of a run; with a real redis, where there is one."""

import math
import shutil
import socket
import subprocess
import time

import pytest
import redis
from fastapi.testclient import TestClient

from elman.errors import RunError, UsageError
from elman.serve import application
from elman.serve.redis_store import RedisStore

here = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a redis of our own."""
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder), "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.02)
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@here
def test_any_server_goes_on(run, address):
    applications = [application(run, store=address) for _ in range(2)]
    one, two = map(TestClient, applications)
    name, stream = one.post("/streams").json()["id"], run.stream()
    for client, text in ((one, "the cat"), (two, " sat"), (one, " on")):
        found = client.post(f"/streams/{name}", json={"text": text}).json()
        assert found["log_probabilities"] == pytest.approx(stream.feed(text), abs=1e-4)
    assert found["read"] == 14
    assert one.get("/health").json()["streams"] == 0
    assert two.delete(f"/streams/{name}").status_code == 204
    assert one.get(f"/streams/{name}/state").status_code == 404
    for each in applications:
        each.state.sessions.close()


@here
def test_what_was_fed_by_way_of_another_server_is_not_lost(run, address, monkeypatch):
    app = application(run, store=address)
    client, name = TestClient(app), "a" * 32
    state = client.get(f"/streams/{client.post('/streams').json()['id']}/state").content
    client.put(f"/streams/{name}/state", content=state)
    real = RedisStore.replace

    def late(store, *arguments):
        store.put(name, state[:-1] + b"x")  # another server was faster
        return real(store, *arguments)

    monkeypatch.setattr(RedisStore, "replace", late)
    answer = client.post(f"/streams/{name}", json={"text": "the"})
    assert answer.status_code == 409
    assert answer.json()["error"].endswith("was fed by way of another server meanwhile; send it again")
    app.state.sessions.close()


@here
def test_streams_expire(address):
    store = RedisStore(address, expire=0.00001, run="b" * 64)
    store.put("b" * 32, b"x")
    assert store.get("b" * 32) == b"x"
    until = time.monotonic() + 5
    while store.get("b" * 32) is not None and time.monotonic() < until:
        time.sleep(0.05)
    assert store.get("b" * 32) is None
    store.close()


@here
def test_streams_stay_as_many_days_as_is_said(address):
    store, name = RedisStore(address, expire=0.5, run="b" * 64), "e" * 32
    store.put(name, b"x")
    (key,) = store._client.keys(f"*{name}")
    assert 43_100 < store._client.ttl(key) <= 43_200
    store._client.expire(key, 10)
    assert store.replace(name, b"y", b"x")  # who feeds it begins the days anew
    assert 43_100 < store._client.ttl(key) <= 43_200
    store.close()


@here
def test_streams_may_stay_for_ever(address):
    store = RedisStore(address, expire=math.inf, run="b" * 64)
    store.put("c" * 32, b"x")
    assert store.replace("c" * 32, b"y", b"x")
    assert store.get("c" * 32) == b"y"
    store.close()


@here
def test_a_key_belongs_to_one_run(address):
    ours, theirs = (RedisStore(address, expire=1.0, run=digit * 64) for digit in "ab")
    name, value = "d" * 32, b"x" + b"a" * 64
    theirs.put(name, b"theirs")
    assert ours.get(name) is None
    ours.remove(name)
    ours._client.set(f"elman:stream:{name}", value, ex=1000)  # as before runs stood in keys
    assert ours.get(name) == value
    assert ours.replace(name, b"y", value)
    assert (ours.get(name), theirs.get(name)) == (b"y", b"theirs")
    ours.remove(name)
    assert ours.get(name) is None
    theirs.close(), ours.close()


def test_one_that_goes_away_meanwhile_is_told(monkeypatch):
    class Gone:
        def ping(self):
            return True

        def away(self, *_, **__):
            raise redis.ConnectionError("it is away")

        set = get = eval = delete = away

    monkeypatch.setattr(redis.Redis, "from_url", lambda *_, **__: Gone())
    store, name = RedisStore("redis://somewhere", expire=1.0, run="b" * 64), "f" * 32
    for ask in (
        lambda: store.put(name, b"x"),
        lambda: store.replace(name, b"y", b"x"),
        lambda: store.get(name),
        lambda: store.remove(name),
    ):
        with pytest.raises(RunError, match=r"^cannot keep streams in redis://somewhere: it is away; look after redis"):
            ask()


def test_where_there_is_none(run, classifier):
    address = f"redis://me:secret@127.0.0.1:{free_port()}"
    with pytest.raises(RunError, match=r"^cannot keep streams in redis://127.0.0.1:\d+: .*; look after redis there$"):
        application(run, store=address)
    with pytest.raises(UsageError, match="this classification run has no streams to keep; leave out --store"):
        application(classifier, store=address)
    with pytest.raises(UsageError, match="--store ftp://x is no place for streams; give a folder, or redis://HOST"):
        application(run, store="ftp://x")
