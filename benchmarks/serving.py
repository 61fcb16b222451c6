"""A served run under load: `python benchmarks/serving.py RUN [SECONDS]`.

Two servers of the run, one that gathers requests and one that does not, are asked by 1, 8 and 64 clients, each with one
request on its way at a time, for SECONDS (default 1) in turn, five times each; server and clients share this machine.
Rates are medians of the five, times are of all requests, and beside them stands what one takes of the server's
processor. A request is a row, to forecast a series of the context that is read; every answer is compared with
`run.predict`. Of a language model also streams of text, of a recognizer streams of sound alone, and what a stream
takes. Prints a row per measurement, and one JSON line.
"""

import asyncio
import itertools
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import websockets

import elman

CLIENTS = (1, 8, 64)
SERVERS = {"gathered": (), "one by one": ("--rows", "1", "--wait", "0")}
ROUNDS = 5
ROWS = 500
STREAMS = 5000
"""How many are made to see what one takes."""


class Connection:
    """One connection that is kept: as little Python as possible, since the clients share the server's processor."""

    def __init__(self, port):
        self.port = port

    async def __aenter__(self):
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self._writer.close()

    async def ask(self, method, path, body=b""):
        fields = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
        status, *fields = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        length = next(int(field[15:]) for field in fields if field.lower().startswith(b"content-length:"))
        answer = await self._reader.readexactly(length)
        assert status.split()[1] in {b"200", b"201"}, answer
        return answer


class Server:
    """A served run, as a process of its own."""

    def __init__(self, run, options):
        command = [sys.executable, "-m", "elman", "serve", str(run), "--port", "0", "--json", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        said = json.loads(self._process.stdout.readline())
        self.port = int(said["url"].rpartition(":")[2])

    def memory(self):
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def seconds(self):
        """Of the processor's time, so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self._process.terminate()
        self._process.wait()


def load(port, clients, seconds, client):
    """Let so many clients work; `client(connection, number, until)` yields after each of its requests."""

    async def work(number, until, times):
        async with Connection(port) as connection:
            begin = time.perf_counter()
            async for _ in client(connection, number, until):
                now = time.perf_counter()
                times.append(now - begin)
                begin = now

    async def all_of_them():
        times = []
        begin = time.perf_counter()
        await asyncio.gather(*(work(k, begin + seconds, times) for k in range(clients)))
        return times, time.perf_counter() - begin

    return asyncio.run(all_of_them())


def compared(servers, clients, seconds, client):
    """The figures of each server under the same load, in turn."""
    rates, times, spent = {name: [] for name in servers}, {name: [] for name in servers}, dict.fromkeys(servers, 0.0)
    for number, (name, server) in itertools.product(range(ROUNDS + 1), servers.items()):
        before = server.seconds()
        found, took = load(server.port, clients, seconds, client)
        if number:  # the first one is for warming up
            spent[name] += server.seconds() - before
            rates[name].append(len(found) / took)
            times[name] += found
    return {
        name: {
            "requests_per_second": statistics.median(rates[name]),
            "p50_ms": 1e3 * statistics.median(times[name]),
            "processor_ms": 1e3 * spent[name] / len(times[name]),
            "p99_ms": 1e3 * sorted(times[name])[math.ceil(0.99 * len(times[name])) - 1],
        }
        for name in servers
    }


def lines_of(run):
    """Lines of the held-out part of a text."""
    prepared = run.prepared
    text = prepared.text.unit.decode(prepared.parts["valid"].symbols[:50_000].tolist())
    return [line for line in text.splitlines() if line][:ROWS]


def requests_of(run):
    """What is asked of the held-out part: a row, or all rows of a series."""
    prepared = run.prepared
    if run.streams:
        return [[line] for line in lines_of(run)]
    if run.task == "forecasting":
        track, layout = prepared.tracks("test" if "test" in prepared.facts else "valid")[0], prepared.layout
        times = range(len(track)) if track.times is None else map(str, track.times)
        names = [*layout.targets, *layout.covariates]
        rows = [
            {layout.time or "step": when} | dict(zip(names, values, strict=True))
            for when, values in zip(times, track.values.tolist(), strict=True)
        ]
        return [rows[k : k + layout.context] for k in range(min(ROWS, len(rows) - layout.context))]
    (name,) = prepared.columns["read"]
    return [[{name: value}] for value in prepared.column(prepared.shown, name).values[:ROWS].to_list()]


def predicting(run):
    """A client that asks one thing after the other, and looks at the answers."""
    requests = requests_of(run)
    bodies = [json.dumps({"rows": rows}).encode() for rows in requests]
    right = [run.predict(rows) for rows in requests]

    async def client(connection, number, until):
        for k in itertools.count(7 * number):
            answer = json.loads(await connection.ask("POST", "/predict", bodies[k % len(bodies)]))["rows"]
            for ours, theirs in zip(answer, right[k % len(bodies)], strict=True):
                check(ours, theirs)
            yield
            if time.perf_counter() > until:
                return

    return client


def check(ours, theirs):
    for name, value in theirs.items():
        same = math.isclose(ours[name], value, rel_tol=1e-4) if isinstance(value, float) else ours[name] == value
        assert same or name == "perplexity", (name, ours, theirs)


def reading(run, size):
    """A client that feeds a stream of its own, so many characters at a time."""
    text = "\n".join(lines_of(run))
    bodies = [
        json.dumps({"text": text[k : k + size], "expected": 1}).encode() for k in range(0, len(text) - size, size)
    ]

    async def client(connection, _, until):
        name = json.loads(await connection.ask("POST", "/streams"))["id"]
        for body in itertools.cycle(bodies):
            await connection.ask("POST", f"/streams/{name}", body)
            yield
            if time.perf_counter() > until:
                return

    return client


def talking(run):
    """The same, a character at a time over a WebSocket."""
    text = "\n".join(lines_of(run))
    messages = [json.dumps({"text": character, "expected": 1}) for character in text]

    async def client(connection, _, until):
        name = json.loads(await connection.ask("POST", "/streams"))["id"]
        async with websockets.connect(f"ws://127.0.0.1:{connection.port}/streams/{name}/feed") as socket:
            for message in itertools.cycle(messages):
                await socket.send(message)
                assert "error" not in json.loads(await socket.recv())
                yield
                if time.perf_counter() > until:
                    return

    return client


def listening(run):
    """A client that lets a stream of its own hear noise, a tenth of a second at a time, over a WebSocket."""
    rate = run.stream().rate
    sound = random.Random(0).randbytes(20 * rate)
    messages = [sound[k : k + rate // 10 * 2] for k in range(0, len(sound), rate // 10 * 2)]

    async def client(connection, _, until):
        name = json.loads(await connection.ask("POST", "/streams"))["id"]
        async with websockets.connect(f"ws://127.0.0.1:{connection.port}/streams/{name}/feed") as socket:
            for message in itertools.cycle(messages):
                await socket.send(message)
                assert "error" not in json.loads(await socket.recv())
                yield
                if time.perf_counter() > until:
                    return

    return client


def memory_of_a_stream(run):
    """What the server's memory grows by for each stream, and the bytes of its state."""
    server = Server(run.path, ("--streams", str(2 * STREAMS)))

    async def make(count):
        async with Connection(server.port) as connection:
            for _ in range(count):
                name = json.loads(await connection.ask("POST", "/streams"))["id"]
            return len(await connection.ask("GET", f"/streams/{name}/state"))

    asyncio.run(make(500))
    before = server.memory()
    state = asyncio.run(make(STREAMS))
    grown = server.memory() - before
    server.end()
    return {"state_bytes": state, "memory_bytes": grown / STREAMS}


def main(path, seconds=1.0):
    run = elman.load(path)
    servers = {name: Server(path, options) for name, options in SERVERS.items()}
    work = {"0.1 s of sound over a WebSocket": listening(run)} if run.streams == "sound" else {"rows": predicting(run)}
    if run.streams == "text":
        work |= {f"{size} character{'s' * (size > 1)} of a stream": reading(run, size) for size in (1, 64)}
        work["1 character over a WebSocket"] = talking(run)
    found = {"run": run.task, "model": run.description["model"]["summary"], "load": []}
    print(
        f"{'a request is':34}{'clients':>8}  {'server':12}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'server ms':>11}"
    )
    for (what, client), clients in itertools.product(work.items(), CLIENTS):
        for name, row in compared(servers, clients, float(seconds), client).items():
            found["load"].append({"request": what, "clients": clients, "server": name} | row)
            times = f"{row['p50_ms']:9.1f}{row['p99_ms']:9.1f}{row['processor_ms']:11.2f}"
            print(f"{what:34}{clients:8}  {name:12}{row['requests_per_second']:11,.0f}{times}", flush=True)
    for server in servers.values():
        server.end()
    if run.streams:
        found["stream"] = memory_of_a_stream(run)
        print("a stream: state of {state_bytes:,} bytes; memory of {memory_bytes:,.0f} bytes".format(**found["stream"]))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
