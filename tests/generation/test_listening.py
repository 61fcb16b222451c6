"""A network that listens on and on: the same text as of the whole recording, wherever it is cut; a state that moves."""

import copy
import io

import numpy as np
import pytest
import torch

from elman import layers
from elman.errors import DataError, UsageError
from elman.generation.hearing import Listener, Sound
from elman.generation.listening import SpeechStream
from elman.generation.prefix_beam import greedy
from elman.modalities.recordings import STEP, Layout, Recordings
from elman.modalities.transcripts import Transcripts
from elman.modalities.units import Byte, Character
from elman.topologies.shared import SharedEncoder, Synced

TRANSCRIPTS = Transcripts(Character("ab "), 1)


def listener(stride=2, cell="lstm", bidirectional=False, transcripts=TRANSCRIPTS):
    """A network that says something at nearly every step."""
    torch.manual_seed(1)
    heard = Recordings(Layout(8000, 12, stride, 5.0, 2), np.full(12, -8.0), np.full(12, 2.0))
    recurrence = layers.build(cell, 16, 16, 2, bidirectional=bidirectional)
    wired = {"text": Synced(transcripts.head(recurrence.output_size))}
    network = SharedEncoder(heard.reader(16), recurrence, wired).eval()
    for parameter in network.parameters():
        parameter.data *= 3
    if transcripts is TRANSCRIPTS:
        network.outputs[0].head.linear.bias.data = torch.tensor([0.0, 0.0, 1.0, -99.0, 0.0])
    return network, heard


def sound(samples=9000, seed=0):
    draw = np.random.default_rng(seed)
    loudness, pitch = np.repeat(draw.uniform(0.01, [[1.0], [2.5]], (2, samples // 500 + 1)), 500, 1)[:, :samples]
    return (loudness * np.sin(np.cumsum(pitch)) + 0.01 * draw.standard_normal(samples)).astype(np.float32)


def whole(network, heard, samples, transcripts=TRANSCRIPTS):
    """What is heard in a recording that is there at once."""
    frames = heard.frames(torch.from_numpy(samples)).float().unsqueeze(1) / STEP
    batch = type("Batch", (), {"frames": frames, "to": lambda self, device: self})()
    lengths = torch.tensor([-(-len(frames) // heard.layout.stride)])
    with torch.inference_mode():
        said = network(batch, lengths)["text"].log_softmax(-1)
    return transcripts.unit.decode(greedy(said, lengths, transcripts.unit.unknown)[0].tolist())


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_pieces_of_any_length_give_the_text_of_the_whole(stride, cell):
    network, heard = listener(stride, cell)
    stream, draw = SpeechStream(network, heard, TRANSCRIPTS), np.random.default_rng(0)
    for length in (9000, 8999, 279, 200, 150, 1):
        samples = sound(length)
        right = whole(network, heard, samples)
        assert len(set(right)) > 1 or length < 300
        for most in (50, 700, 20_000):
            text, place = "", 0
            while place < length:
                step = int(draw.integers(0, most + 1))
                text, place = text + stream.feed(samples[place : place + step]), place + step
            assert text + stream.finish() == right


def test_text_comes_before_the_end():
    network, heard = listener()
    stream, samples = SpeechStream(network, heard, TRANSCRIPTS), sound()
    early = stream.feed(samples[:4000])
    assert len(early) > 2
    assert whole(network, heard, samples).startswith(early)


def test_memory_stays_the_same():
    network, heard = listener()
    stream, sizes = SpeechStream(network, heard, TRANSCRIPTS), set()
    for second in range(4):
        stream.feed(sound(8000, second))
        sizes.add(sum(tensor.numel() for tensor in stream.state.values()))
    assert max(sizes) < 1000


@pytest.mark.parametrize("place", [0, 100, 4321])
def test_a_state_goes_on_in_another_stream(place):
    network, heard = listener()
    first, other = (SpeechStream(network, heard, TRANSCRIPTS) for _ in range(2))
    samples = sound()
    text = first.feed(samples[:place])
    other.feed(sound(777, 5))
    other.state = first.state
    copied = copy.deepcopy(first)
    assert copied.listener is first.listener  # a copy shares the network
    first.feed(sound(3000, 6))
    assert text + copied.feed(samples[place:]) + copied.finish() == whole(network, heard, samples)
    assert text + other.feed(samples[place:]) + other.finish() == whole(network, heard, samples)
    with pytest.raises(UsageError, match="the state of a stream of this run has the tensors samples float32"):
        other.state = {}


class Unbuffered(io.BytesIO):
    """Gives what is there, as a pipe or a socket does, and so now and then half a sample."""

    def read(self, size=-1):
        return super().read(min(size, 333 if self.tell() % 2 else 1))


def test_raw_samples_are_followed_word_by_word():
    network, heard = listener()
    stream, samples = SpeechStream(network, heard, TRANSCRIPTS), np.round(sound(20_000) * 3000).astype("<i2")
    right = whole(network, heard, (samples / 32_768).astype(np.float32)).split()
    assert len(right) > 1
    raw = samples.tobytes()
    for source in (io.BytesIO(raw), io.TextIOWrapper(io.BytesIO(raw + b"x")), Unbuffered(raw)):
        rows = list(stream.follow(source))
        assert [row["text"] for row in rows] == right
        assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)
        assert rows[-1]["seconds"] == 2.5


def test_what_cannot_be_heard_is_said():
    network, heard = listener()
    stream = SpeechStream(network, heard, TRANSCRIPTS)
    for samples in (np.zeros((2, 3)), np.array([np.nan])):
        with pytest.raises(DataError, match="one channel of finite numbers at 8000 samples a second"):
            stream.feed(samples)
    with pytest.raises(UsageError, match="train one with --no-bidirectional"):
        SpeechStream(*listener(bidirectional=True), TRANSCRIPTS)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_character_that_has_come_in_part_goes_on_in_another_stream(seed):
    transcripts = Transcripts(Byte(), 1)
    network, heard = listener(transcripts=transcripts)
    bias = network.outputs[0].head.linear.bias.data
    bias[:128] = bias[224:256] = -99.0  # bytes that begin a character of two, or end it, or the blank
    samples, waiting, text = sound(20_000, seed), 0, ""
    streams = [SpeechStream(network, heard, transcripts) for _ in range(2)]
    for place in range(0, 20_000, 300):
        one, other = streams
        text += one.feed(samples[place : place + 300])
        waiting += len(one.state["bytes"])
        other.state = one.state
        streams = [other, one]
    right = whole(network, heard, samples, transcripts)
    assert waiting
    assert right.replace("\ufffd", "")
    assert text + streams[0].finish() == right


@pytest.mark.parametrize("seed", [0, 1])
def test_sounds_side_by_side_are_heard_as_if_alone(seed):
    network, heard = listener()
    together, draw = Listener(network, heard, TRANSCRIPTS), np.random.default_rng(seed)
    sounds = [sound(length, seed + length) for length in (9000, 6001, 4321, 150, 1, 0, 2000)]
    states, texts, places = [together.fresh] * len(sounds), [""] * len(sounds), [0] * len(sounds)
    while any(state is not None for state in states):
        live = [k for k, state in enumerate(states) if state is not None]
        feeds = []
        for k in live:
            stop = places[k] + int(draw.integers(0, 1500))
            end = stop > len(sounds[k])
            feeds.append((states[k], Sound(torch.from_numpy(sounds[k][places[k] : stop]), end)))
            places[k] = stop
        before = copy.deepcopy([state for state, _ in feeds])
        for k, feed, was, found in zip(live, feeds, before, together.read(feeds), strict=True):
            assert all(torch.equal(feed[0][name], tensor) for name, tensor in was.items())
            together.check(found.state)
            texts[k] += found.text
            states[k] = None if feed[1].end else found.state
            assert not feed[1].end or found.state is together.fresh
    assert texts == [whole(network, heard, each) if len(each) else "" for each in sounds]


def test_states_that_no_stream_of_the_run_has_are_refused():
    network, heard = listener()
    stream = SpeechStream(network, heard, TRANSCRIPTS)
    stream.feed(sound(1234))
    right = stream.state
    stream.listener.check(right)
    for changed, message in (
        ({"samples": torch.zeros(200)}, r"samples float32\[0 to 199\], .* got samples float32\[200\]"),
        ({"frames": torch.zeros(9, 12)}, r"frames float32\[2 to 4, 12\], .* got .*frames float32\[9, 12\]"),
        ({"bytes": torch.zeros(4, dtype=torch.uint8)}, r"got .*bytes uint8\[4\]"),
        ({"h": right["h"].double()}, r"got .*h float64"),
        ({"h": right["h"] * torch.nan}, "'h' holds values that are not finite"),
        ({"samples": right["samples"] + torch.inf}, "'samples' holds values that are not finite"),
        ({"counts": torch.tensor([5, 7])}, "'counts' holds 5 and 7, which no stream of this run has"),
        ({"counts": torch.tensor([0, -7])}, "'counts' holds 0 and -7"),
    ):
        with pytest.raises(UsageError, match=message):
            stream.state = right | changed
