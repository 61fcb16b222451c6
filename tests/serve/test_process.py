"""`elman serve` as a process: it says where it is, answers, and ends when it is told to."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from websockets.sync.client import connect

from elman import cli, serve
from elman.errors import UsageError


@pytest.fixture
def serving(run):
    """A served language model: the process, and what it said on stdout."""
    command = [sys.executable, "-m", "elman", "serve", str(run.path), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process, json.loads(process.stdout.readline())
    process.kill()
    process.communicate()


def test_it_answers_and_stops_when_told_to(serving, run):
    process, said = serving
    assert said["run"] == str(run.path)
    with httpx2.Client(base_url=said["url"]) as client:
        assert client.post("/predict", json={"rows": ["the cat"]}).json()["rows"][0]["symbols"] == 7
        with client.stream("POST", "/generate", json={"length": 100_000_000}) as endless:
            lines = endless.iter_lines()  # kept, as a client that forgets them has gone away
            next(lines)
            assert client.get("/health").json()["requests"] == 1
        until = time.monotonic() + 10
        while client.get("/health").json()["requests"] and time.monotonic() < until:  # the client has gone away
            time.sleep(0.01)
        assert client.get("/health").json()["requests"] == 0

        port = int(said["url"].rpartition(":")[2])
        command = [sys.executable, "-m", "elman", "serve", str(run.path), "--port", str(port)]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        message = f"elman: cannot listen on 127.0.0.1:{port}: address already in use; give another --port\n"
        assert (second.returncode, second.stdout, second.stderr) == (1, "", message)

        with client.stream("POST", "/generate", json={"length": 300}) as running:
            lines = running.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            assert "event: end" in list(lines)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == f"Serving {run.path} on {said['url']}; Ctrl-C ends it\n"


def test_messages_are_not_compressed(serving):
    url = serving[1]["url"]
    name = httpx2.post(f"{url}/streams").json()["id"]
    with connect(f"{url.replace('http', 'ws', 1)}/streams/{name}/feed", compression="deflate") as socket:
        assert not socket.protocol.extensions  # a kilobyte can hold a megabyte of spaces
        socket.send('{"text": "the"}')
        assert json.loads(socket.recv())["read"] == 3


STALLED = """
import sys
from elman import cli
from elman.serve import process
process.STALLED = 1
sys.argv = ["elman", "serve", "--port", "0", "--json", sys.argv[1]]
cli.main()
"""


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux cuts such connections")
def test_who_does_not_read_the_answer_holds_no_place(run):
    command = [sys.executable, "-c", STALLED, str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = json.loads(process.stdout.readline())["url"]
        with socket.socket() as deaf, httpx2.Client(base_url=url) as client:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            deaf.connect(("127.0.0.1", int(url.rpartition(":")[2])))
            deaf.sendall(b"GET /generate?length=100000000 HTTP/1.1\r\nHost: x\r\n\r\n")
            found = []
            for wanted in (1, 0):
                until = time.monotonic() + 60
                while (now := client.get("/health").json()["requests"]) != wanted and time.monotonic() < until:
                    time.sleep(0.02)
                found.append(now)
        process.kill()
    assert found == [1, 0]


BUSY = """
import sys, time
from elman import cli
from elman.run.run import Run
Run.predict_each = lambda self, requests: time.sleep(600)
sys.argv = ["elman", "serve", "--port", "0", "--json", "--grace", "1", sys.argv[1]]
cli.main()
"""


def test_it_ends_though_the_model_works_on(run, tmp_path):
    command = [sys.executable, "-c", BUSY, str(run.path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp_path)}, **pipes)
    try:
        url = json.loads(process.stdout.readline())["url"]
        with httpx2.Client(base_url=url) as client, ThreadPoolExecutor(1) as beside:
            asked = beside.submit(client.post, "/predict", json={"rows": ["the"]}, timeout=60)
            while not client.get("/health").json()["requests"]:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=30)
            assert asked.result().status_code == 500
    finally:
        process.kill()
    assert process.returncode == 0
    assert list(tmp_path.glob("elman-*")) == []  # torch 2.6 keeps a folder of its own there
    told = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ERROR Cancel 1 running task.*"
    assert re.fullmatch(told, "\n".join(err.splitlines()[1:]))


def test_a_proxy_may_have_it_under_a_path(run):
    command = [sys.executable, "-m", "elman", "serve", str(run.path), "--port", "0", "--json", "--root-path", "/mat/"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with httpx2.Client(base_url=json.loads(process.stdout.readline())["url"]) as client:
            found = [client.get(path).status_code for path in ("/health", "/", "/openapi.json", "/nothing")]
            servers, name = client.get("/openapi.json").json()["servers"], client.post("/streams").json()["id"]
            assert client.delete(f"/streams/{name}").status_code == 204
        process.kill()
    assert found == [200, 200, 200, 404]
    assert servers == [{"url": "/mat"}]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nothing"], 1, "elman: there is no run folder nothing; `elman train` makes one\n"),
        (["nothing", "--streams", "0"], 2, "elman: --streams 0 is out of range; it must be at least 1\n"),
        (["nothing", "--root-path", "mat"], 2, "elman: --root-path mat is no path; begin it with /\n"),
        (["nothing", "--host", "no host"], 1, "elman: there is no address 'no host'"),
        (["nothing", "--host", "a" * 64], 1, f"elman: there is no address '{'a' * 64}' ("),
        (
            ["nothing", "--host", "192.0.2.1", "--port", "0"],
            1,
            "elman: cannot listen on 192.0.2.1:0: cannot assign requested address; give another --host\n",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_served(monkeypatch, capsys, tmp_path, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(sys, "argv", ["elman", "serve", "--port", str(port), *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    assert (stopped.value.code, out) == (status, "")
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_installed_is_named(monkeypatch, run):
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"serving needs FastAPI; pip install 'elman\[serve\]'"):
        serve.application(run)
