"""Units: what was seen comes back as it was, what was not seen is unknown, and streams decode as wholes do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.data.text import TextSource
from elman.errors import RunError, UsageError
from elman.modalities import units

TEXT = "To be, or not to be: that is the question.\n\nWhether 'tis nobler — où ça? 中文\n" * 3


@pytest.fixture(params=units.UNITS)
def unit(request):
    return units.UNITS[request.param].fit([TEXT], 400)


def test_encoding_and_decoding_are_inverse(unit):
    assert unit.decode(unit.encode(TEXT).tolist()) == TEXT


def test_characters_are_counted_whatever_a_text_is_cut_into(unit, monkeypatch):
    monkeypatch.setattr("elman.data.text.BLOCK", 7)  # blocks of bytes end within characters
    assert sum(count for _, count in unit.encode_source(TextSource("t", held=TEXT.encode()))) == len(TEXT)


def test_a_byte_that_is_no_text_counts_as_a_character():
    source = TextSource("t", held="ü".encode() + b"\xff\xe9a\xc3")
    assert sum(count for _, count in units.Byte().encode_source(source)) == 5


def test_symbols_are_within_the_size(unit):
    assert 0 <= unit.encode(TEXT).min() <= unit.encode(TEXT).max() < unit.size


def test_a_stream_decodes_as_the_whole(unit):
    decoder = unit.decoder()
    assert "".join(decoder.push(symbol) for symbol in unit.encode(TEXT).tolist()) == TEXT


def test_a_decoder_goes_on_where_another_one_was(unit):
    text = ""
    decoder = unit.decoder()
    for symbol in unit.encode(TEXT).tolist():
        other = unit.decoder()
        other.pending = decoder.pending
        text, decoder = text + other.push(symbol), other
    assert text + decoder.end() == TEXT


def test_what_no_byte_completes_any_more_is_told_at_the_end():
    for unit in (units.Byte(), units.Subword.fit(["été"], 300)):
        decoder = unit.decoder()
        first = next(symbol for symbol in range(unit.size) if unit.bytes_of(symbol) == b"\xc3")
        assert (decoder.push(first), decoder.pending, decoder.end(), decoder.end()) == ("", b"\xc3", "\ufffd", "")


def test_json_brings_it_back(unit):
    again = units.load(json.loads(json.dumps(units.dump(unit))))
    assert type(again) is type(unit)
    assert again.encode(TEXT).tolist() == unit.encode(TEXT).tolist()
    assert again.size == unit.size


def test_the_unseen_is_unknown_and_named(unit):
    text = " to Ω Ω be"
    symbols = unit.encode(text).tolist()
    if unit.unknown is None:
        assert unit.unseen(text) == []
        assert unit.decode(symbols) == text
    else:
        assert symbols.count(unit.unknown) == 2
        assert [piece.strip() for piece in unit.unseen(text)] == ["Ω"]


@given(st.text(max_size=60))
def test_bytes_and_subwords_know_every_text(text):
    for unit in (units.Byte(), SUBWORD):
        assert unit.decode(unit.encode(text).tolist()) == text.encode("utf-8", "surrogateescape").decode()


SUBWORD = units.Subword.fit([TEXT], 300)


def test_characters_above_the_table_are_unknown():
    unit = units.Character.fit(["abc"], 0)
    assert unit.encode("a\U0010ffffc").tolist() == [0, unit.unknown, 2]


def test_rare_words_are_unknown():
    unit = units.Word.fit(["the cat saw the dog\n"], 400)
    assert unit.unseen("the cat") == [" cat"] or unit.unseen("the cat") == ["the", " cat"]


def test_an_unknown_unit_is_refused_by_name():
    with pytest.raises(UsageError, match="unknown unit 'syllable'; choose one of char, byte, word, subword"):
        units.find("syllable")


def test_a_damaged_vocabulary_is_a_run_error():
    with pytest.raises(RunError, match="vocabulary cannot be read"):
        units.load({"unit": "char"})
