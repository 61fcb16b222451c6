"""/streams of a recognizer hear as a `SpeechStream` does, whatever the pieces and wherever the states go in between."""

import json
import random
import shutil

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from safetensors.torch import load, save

import elman
from elman.data import tables
from elman.errors import UsageError
from elman.serve import application

soundfile = pytest.importorskip("soundfile")
RATE = 8000
PITCHES = {"do": 400, "re": 700, "mi": 1200, "fa": 2000}
OPTIONS = {"batch": 16, "hidden": 24, "embedding": 24, "bands": 12, "rate": 0.02, "warmup": 10, "average": 0.9}
OPTIONS |= {"precision": "float32", "dropout": 0.0, "input_dropout": 0.0, "epochs": 10.0, "beam": 1}


def sung(names, draw):
    """A tone for each name, of unequal length, with pauses between: 16 bits."""
    parts = []
    for name in names:
        seconds = draw.uniform(0.08, 0.16)
        parts += [np.sin(2 * np.pi * PITCHES[name] * np.arange(round(seconds * RATE)) / RATE), np.zeros(RATE // 20)]
    sound = np.concatenate(parts)
    noise = np.random.default_rng(draw.randint(0, 10**6)).standard_normal(len(sound))
    return np.round((0.3 * sound + 0.003 * noise) * 32_767).astype("<i2")


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    """A run that hears melodies, from the beginning on."""
    place, draw, rows = tmp_path_factory.mktemp("melodies"), random.Random(0), []
    for k in range(120):
        names = draw.choices(list(PITCHES), k=draw.randint(1, 4))
        soundfile.write(place / f"{k}.wav", sung(names, draw), RATE)
        rows.append({"path": f"{k}.wav", "text": " ".join(names)})
    tables.write(place / "train.csv", rows)
    out = place / "run"
    return elman.train("speech-recognition", place / "train.csv", out=out, quiet=True, bidirectional=False, **OPTIONS)


@pytest.fixture
def ear(recognizer):
    """A service of it."""
    return TestClient(application(recognizer))


@pytest.fixture(params=[0, 1])
def melody(request):
    """Samples of a sound of seconds."""
    draw = random.Random(request.param)
    return sung(draw.choices(list(PITCHES), k=9), draw)


def begin(client):
    answer = client.post("/streams")
    assert answer.status_code == 201
    return answer.json()["id"]


def hear(client, name, samples, **query):
    answer = client.post(f"/streams/{name}", content=samples.tobytes(), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def whole(run, samples, tmp_path):
    """What is heard in the recording."""
    soundfile.write(tmp_path / "whole.wav", samples, RATE)
    return run.predict([str(tmp_path / "whole.wav")])[0]["text"]


def error(answer, status):
    assert answer.status_code == status
    return answer.json()["error"]


@pytest.mark.parametrize("most", [400, 30_000])
def test_pieces_of_any_size_give_the_text_of_the_recording(ear, recognizer, melody, tmp_path, most):
    name, draw, right = begin(ear), random.Random(most), whole(recognizer, melody, tmp_path)
    assert len(right) > 4
    for again in range(2):  # what comes after the end is a sound of its own
        text, place = "", 0
        while place < len(melody):
            stop = place + draw.randint(0, most)
            found = hear(ear, name, melody[place:stop], rate=RATE)
            text, place = text + found["text"], stop
            assert (found["id"], found["rate"]) == (name, RATE)
            assert found["read"] == again * len(melody) + min(stop, len(melody))
        assert text + hear(ear, name, melody[:0], end=True)["text"] == right
    assert hear(ear, name, melody, end=True)["text"] == right


def test_text_comes_before_the_end(ear, melody):
    assert len(hear(ear, begin(ear), melody[: len(melody) // 2])["text"]) > 1


def test_a_websocket_takes_bytes_and_says_what_is_wrong(ear, recognizer, melody, tmp_path):
    name, text = begin(ear), ""
    with ear.websocket_connect(f"/streams/{name}/feed") as socket:
        socket.send_text(json.dumps({"rate": RATE}))
        assert socket.receive_json() == {"id": name, "rate": RATE, "read": 0, "text": ""}
        for place in range(0, len(melody), 777):
            socket.send_bytes(melody[place : place + 777].tobytes())
            text += socket.receive_json()["text"]
            socket.send_bytes(b"odd")
            assert socket.receive_json()["error"].startswith("3 bytes are no whole number of samples")
        socket.send_text("text")
        assert socket.receive_json()["error"].startswith("the request is no JSON")
        socket.send_text(json.dumps({"end": True}))
        assert text + socket.receive_json()["text"] == whole(recognizer, melody, tmp_path)
    with ear.websocket_connect("/streams/nothing/feed") as socket:
        socket.send_bytes(b"")
        assert socket.receive_json() == {"error": "there is no stream nothing; POST /streams makes one"}


@pytest.mark.parametrize("place", [0, 100, 5001])
def test_a_state_goes_to_another_server_and_to_python(ear, recognizer, melody, tmp_path, place):
    right, name = whole(recognizer, melody, tmp_path), begin(ear)
    text = hear(ear, name, melody[:place])["text"]
    state = ear.get(f"/streams/{name}/state").content
    assert len(state) < 6000
    stream = recognizer.stream()
    stream.state = load(state)
    rest = melody[place:] / 32_768
    assert text + stream.feed(rest[:1000]) + stream.feed(rest[1000:]) + stream.finish() == right

    elsewhere = TestClient(application(recognizer))
    found = elsewhere.put(f"/streams/{name}/state", content=state)
    assert (found.status_code, found.json()["read"]) == (200, place)
    assert text + hear(elsewhere, name, melody[place:], end=True)["text"] == right

    stream.feed(melody[:place] / 32_768)
    ours = save(stream.state, {"run": recognizer.fingerprint})
    assert elsewhere.put(f"/streams/{name}/state", content=ours).status_code == 200
    assert text + hear(elsewhere, name, melody[place:], end=True)["text"] == right


def test_memory_stays_the_same(ear, melody):
    name, sizes = begin(ear), []
    for _ in range(8):
        hear(ear, name, melody)
        sizes.append(len(ear.get(f"/streams/{name}/state").content))
    assert max(sizes) < 6000


def test_streams_outlive_the_server_where_a_store_is_given(recognizer, melody, tmp_path):
    first = TestClient(application(recognizer, store=tmp_path / "streams"))
    name = begin(first)
    text = hear(first, name, melody[:5001])["text"]
    first.app.state.sessions.close()
    second = TestClient(application(recognizer, store=tmp_path / "streams"))
    found = hear(second, name, melody[5001:], end=True)
    assert text + found["text"] == whole(recognizer, melody, tmp_path)
    assert found["read"] == len(melody)


def test_sounds_at_once_are_heard_as_if_alone(recognizer, tmp_path, at_once, monkeypatch):
    app, draw, gathered = application(recognizer), random.Random(5), []
    sounds = [sung(draw.choices(list(PITCHES), k=k), draw) for k in (1, 2, 9, 4, 5, 3, 7, 12)]
    names = [begin(TestClient(app)) for _ in sounds]
    read = recognizer.stream().listener.read.__func__
    monkeypatch.setattr("elman.generation.hearing.Listener.read", lambda s, f: gathered.append(len(f)) or read(s, f))
    asked = [(f"/streams/{n}?end=true", s.tobytes()) for n, s in zip(names, sounds, strict=True)]
    for samples, answer in zip(sounds, at_once(app, asked), strict=True):
        assert answer.json()["text"] == whole(recognizer, samples, tmp_path)
    assert max(gathered) > 1


def test_what_is_no_sound_is_told_in_a_sentence(ear, recognizer, limits, tmp_path):
    name = begin(ear)
    there = f"/streams/{name}"
    assert error(ear.post("/streams/" + "0" * 32, content=b""), 404).startswith("there is no stream 000")
    assert error(ear.post(there, content=b"12345"), 422).startswith("5 bytes are no whole number of samples, which")
    found = error(ear.post(there, content=b"", params={"rate": 16_000}), 422)
    assert found == "this run hears 8000 samples a second, not 16000; resample before you send"
    assert error(ear.post(there, params={"rate": "fast"}), 422).startswith("query.rate: input should be a valid int")
    assert error(ear.post(there, json={"text": "x"}), 422).startswith("a stream of sound takes samples as they are")
    for ending in ("wav", "flac", "ogg"):
        soundfile.write(tmp_path / f"x.{ending}", np.zeros(800), RATE)
        file = (tmp_path / f"x.{ending}").read_bytes()
        assert error(ear.post(there, content=file), 422).startswith("this is a whole sound file; a stream takes")
    state = load(ear.get(there + "/state").content)
    broken = save(state | {"samples": torch.tensor([torch.nan])}, {"run": recognizer.fingerprint})
    assert "'samples' holds values that are not finite" in error(ear.put(there + "/state", content=broken), 422)
    assert hear(ear, name, np.zeros(0)) == {"id": name, "rate": RATE, "read": 0, "text": ""}

    small = TestClient(application(recognizer, limits(body=100)))
    found = error(small.post(f"/streams/{begin(small)}", content=bytes(102)), 413)
    assert found == "the request has more than 100 bytes; send less at a time"


def test_what_the_service_says_of_itself(ear, recognizer):
    facts = ear.get("/run").json()
    assert (facts["can"], facts["streams"]) == (["predict", "streams"], "sound")
    page = ear.get("/").text
    assert 'id="listen"' in page
    assert 'id="stream"' not in page
    asked = ear.get("/openapi.json").json()["paths"]["/streams/{name}"]["post"]
    assert asked["requestBody"]["content"] == {"application/octet-stream": {}}
    assert {"rate", "end"} <= {each["name"] for each in asked["parameters"]}
    assert recognizer.streams == "sound"


def test_a_run_that_hears_from_both_ends_has_no_streams(recognizer, tmp_path):
    place = shutil.copytree(recognizer.path.parent, tmp_path / "melodies")
    options = OPTIONS | {"epochs": None, "steps": 2}
    run = elman.train("speech-recognition", place / "train.csv", out=place / "both", quiet=True, **options)
    client = TestClient(application(run))
    assert error(client.post("/streams"), 404).endswith("train one with --no-bidirectional to hear a stream")
    assert client.get("/run").json()["streams"] is None
    with pytest.raises(UsageError, match="this speech-recognition run has no streams to keep; leave out --store"):
        application(run, store=tmp_path / "streams")
    with pytest.raises(UsageError, match="train one with --no-bidirectional to hear a stream"):
        run.stream()
