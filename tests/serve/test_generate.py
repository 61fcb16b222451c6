"""/generate writes what `run.generate` writes, as events or as plain text."""

import json

import pytest

WANTED = {"prompt": "the ", "length": 60, "temperature": 0.7, "top_p": 0.9, "seed": 3}


def events(text):
    """The name, identifier and data of each event, as a browser reads them."""
    found = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields.get("event"), fields.get("id"), json.loads(fields["data"])))
    return found


@pytest.mark.parametrize("method", ["post", "get"])
def test_events(service, run, method):
    given = {"json": WANTED} if method == "post" else {"params": WANTED}
    answer = getattr(service, method)("/generate", **given)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *written, last = events(answer.text)
    assert {(name, number) for name, number, _ in written} == {(None, None)}
    assert "".join(data["text"] for _, _, data in written) == "".join(run.generate(**WANTED))
    assert last == ("end", "end", {})


def test_plain_text(service, run):
    answer = service.post("/generate", json=WANTED, headers={"Accept": "text/plain"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "".join(run.generate(**WANTED))


def test_the_defaults_are_those_of_the_command(service, run):
    answer = service.post("/generate", json={}, headers={"Accept": "text/plain"})
    assert answer.text == "".join(run.generate())


def test_nothing_can_be_written(service):
    assert events(service.post("/generate", json={"length": 0}).text) == [("end", "end", {})]


def test_a_browser_that_connects_again_after_the_end_is_told_to_stay_away(service):
    assert service.get("/generate", headers={"Last-Event-ID": "end"}).status_code == 204


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"prompt": "the Ü"}, "the prompt holds characters that the network has never seen: 'Ü'"),
        ({"length": -1}, "--length -1 is out of range"),
        ({"temperature": -1}, "--temperature -1.0 is out of range"),
        ({"top_p": 2}, "--top-p 2.0 is out of range"),
        ({"length": "many"}, "length: input should be a valid integer"),
        ({"lenght": 3}, "lenght: extra inputs are not permitted"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_told_before_the_first_event(service, wanted, message):
    answer = service.post("/generate", json=wanted)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(message)
