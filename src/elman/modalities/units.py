"""What a text is cut into: characters, bytes, words or subwords, and back again without loss.

A unit is fitted on the training text alone. Encoding and decoding are inverse for every text whose symbols were seen;
what was not seen becomes the unknown symbol, which is counted and never generated. Nothing here knows of a network.
"""

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar, Self

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from elman.data.stream import Symbols, symbol_type
from elman.data.text import ESCAPED, TextSource
from elman.errors import RunError, UsageError

PIECES = r" ?\w+| ?[^\s\w]+|\s+(?!\S)|\s+"
"""A word or a run of punctuation with the space before it, or a run of white space: their sequence is the text."""


ROWS = 10_000
"""Texts that are tokenized at a time."""


class Unit(ABC):
    r"""A way to cut text into symbols 0 ... size-1.

    Attributes:
        name: as on the command line.
        noun: one symbol, in words.
        size: V, the unknown symbol included.
        unknown: the number of the unknown symbol, or None where there can be none.
        spaced: whether the space before a word is a part of its symbol.
        raw: whether bytes that are no text have symbols. In a str they stand as PEP 383 has it: b"\xe9" as "\udce9".
    """

    name: ClassVar[str]
    noun: ClassVar[str]
    spaced: ClassVar[bool] = False
    raw: ClassVar[bool] = False
    size: int
    unknown: int | None

    @classmethod
    @abstractmethod
    def fit(cls, blocks: Iterable[str], limit: int) -> Self:
        """Learn the symbols from a text given in blocks; `limit` bounds their number where the unit has a choice."""

    def extended(self, blocks: Iterable[str]) -> Self:
        """Return the same with what is new in a further text, before the unknown symbol; itself if it cannot grow."""
        del blocks
        return self

    @abstractmethod
    def encode(self, text: str) -> Symbols:
        """Return the symbols of `text`, (T,)."""

    @abstractmethod
    def decode(self, symbols: Sequence[int]) -> str:
        """Return the text of `symbols`."""

    def texts(self, symbols: Iterable[int]) -> list[str]:
        """Return the text of every symbol by itself."""
        return [self.decode([symbol]) for symbol in symbols]

    def encode_rows(self, texts: Iterable[str]) -> list[Symbols]:
        """Return the symbols of each of many texts."""
        return [self.encode(text) for text in texts]

    def encode_source(self, source: TextSource) -> Iterator[tuple[Symbols, int]]:
        """Yield the symbols of a source block by block, each with the number of characters that they stand for."""
        for text in source.blocks():
            yield self.encode(text), len(text)

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return all that `from_dict` needs, for JSON."""

    @classmethod
    @abstractmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Make the unit that `to_dict` described."""

    def decoder(self) -> "Decoder":
        """Return a decoder for a stream of symbols."""
        return Decoder(self)

    def unseen(self, text: str) -> list[str]:
        """Return what in `text` becomes the unknown symbol, each once, in order of appearance."""
        if self.unknown is None:
            return []
        return list(dict.fromkeys(piece for piece in self._pieces(text) if self.unknown in self.encode(piece)))

    def _pieces(self, text: str) -> Iterable[str]:
        return text


class Decoder:
    """Decodes symbols as they come: `push` returns the text that a further symbol completes.

    Attributes:
        pending: bytes of a character whose others are to come; can be set, to go on where another decoder was.

    """

    pending: bytes = b""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    def push(self, symbol: int) -> str:
        """Return the text that `symbol` adds."""
        return self._unit.decode([symbol])

    def end(self) -> str:
        """Return the text that the end adds: a sign for a character that has not been completed."""
        return ""


class Utf8Decoder(Decoder):
    """The same for symbols that stand for bytes, of which several may make one character."""

    def __init__(self, unit: "Byte | Subword") -> None:
        super().__init__(unit)
        self._bytes = unit.bytes_of
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def pending(self) -> bytes:
        """What is waiting for more bytes."""
        return self._utf8.getstate()[0]

    @pending.setter
    def pending(self, value: bytes) -> None:
        self._utf8.setstate((value, 0))

    def push(self, symbol: int) -> str:
        """Return the characters that `symbol` completes, possibly none."""
        return self._utf8.decode(self._bytes(symbol))

    def end(self) -> str:
        """Return U+FFFD where bytes are waiting."""
        return self._utf8.decode(b"", final=True)


class Character(Unit):
    """Every distinct Unicode character of the training text, in code point order, and one symbol for all others.

    Those that a further text adds stand behind the first ones, and the symbol for all others at the end again.
    """

    name = "char"
    noun = "character"

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self.unknown = len(characters)
        self.size = len(characters) + 1
        points = np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), np.uint32)
        self._table = np.full(int(points.max(initial=0)) + 2, self.unknown, symbol_type(self.size))
        self._table[points] = np.arange(len(points))

    @classmethod
    def fit(cls, blocks: Iterable[str], limit: int) -> Self:
        """Collect the characters; `limit` plays no part."""
        del limit
        return cls("").extended(blocks)

    def extended(self, blocks: Iterable[str]) -> Self:
        """Add the characters that are new."""
        seen: set[str] = set()
        for block in blocks:
            seen.update(block)
        return type(self)(self.characters + "".join(sorted(seen.difference(self.characters))))

    def encode(self, text: str) -> Symbols:
        """Look up every character."""
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        found: Symbols = self._table[np.minimum(points, len(self._table) - 1)]
        return found

    def decode(self, symbols: Sequence[int]) -> str:
        """Join the characters; the unknown symbol becomes U+FFFD."""
        return "".join(self.characters[s] if s != self.unknown else "\ufffd" for s in symbols)

    def to_dict(self) -> dict[str, Any]:
        """Return the characters."""
        return {"characters": self.characters}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take the characters."""
        return cls(value["characters"])


class Byte(Unit):
    """The 256 bytes of the text's UTF-8 form; nothing is ever unknown."""

    name = "byte"
    noun = "byte"
    raw = True
    size = 256
    unknown = None

    @classmethod
    def fit(cls, blocks: Iterable[str], limit: int) -> Self:
        """Nothing to learn."""
        del blocks, limit
        return cls()

    def encode(self, text: str) -> Symbols:
        """Return the UTF-8 bytes."""
        return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8)

    def decode(self, symbols: Sequence[int]) -> str:
        """Return the text; bytes that are not UTF-8 become U+FFFD."""
        return bytes(symbols).decode("utf-8", "replace")

    def encode_source(self, source: TextSource) -> Iterator[tuple[Symbols, int]]:
        """Yield the bytes as they are, text or not; a byte that is no text counts as a character."""
        decoder = codecs.getincrementaldecoder("utf-8")(ESCAPED)
        for block in source.byte_blocks():
            yield np.frombuffer(block, np.uint8), len(decoder.decode(block))
        yield np.empty(0, np.uint8), len(decoder.decode(b"", final=True))

    def bytes_of(self, symbol: int) -> bytes:
        """Return the byte itself."""
        return bytes([symbol])

    def decoder(self) -> Decoder:
        """Return a decoder that waits for whole characters."""
        return Utf8Decoder(self)

    def to_dict(self) -> dict[str, Any]:
        """Return nothing: there is nothing to know."""
        return {}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Make the one there is."""
        del value
        return cls()


class Learnt(Unit):
    """A unit whose symbols the `tokenizers` library has learnt: abstract."""

    spaced = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.size = tokenizer.get_vocab_size()

    def encode(self, text: str) -> Symbols:
        """Tokenize."""
        return np.array(self.tokenizer.encode(text).ids, np.uint32)

    def encode_rows(self, texts: Iterable[str]) -> list[Symbols]:
        """Tokenize many texts at a time, on all cores."""
        rows: list[Symbols] = []
        waiting = iter(texts)
        while block := list(islice(waiting, ROWS)):
            rows += [np.array(found.ids, np.uint32) for found in self.tokenizer.encode_batch_fast(block)]
        return rows

    def decode(self, symbols: Sequence[int]) -> str:
        """Join the tokens' texts."""
        return str(self.tokenizer.decode(list(symbols), skip_special_tokens=False))

    def to_dict(self) -> dict[str, Any]:
        """Return the library's own description."""
        return {"tokenizer": self.tokenizer.to_str()}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Read the library's own description."""
        return cls(Tokenizer.from_str(value["tokenizer"]))


class Word(Learnt):
    """Words and runs of punctuation with the space before them, and runs of white space; the rare ones are unknown."""

    name = "word"
    noun = "word"
    unknown = 0

    @classmethod
    def fit(cls, blocks: Iterable[str], limit: int) -> Self:
        """Keep the `limit` most frequent pieces that occur at least twice."""
        tokenizer = Tokenizer(models.WordLevel({"<unknown>": 0}, unk_token="<unknown>"))  # noqa: S106
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECES), "isolated")
        tokenizer.decoder = decoders.Fuse()
        trainer = trainers.WordLevelTrainer(
            vocab_size=limit, min_frequency=2, special_tokens=["<unknown>"], show_progress=False
        )
        tokenizer.train_from_iterator(blocks, trainer)
        return cls(tokenizer)

    def _pieces(self, text: str) -> Iterable[str]:
        return (piece for piece, _ in self.tokenizer.pre_tokenizer.pre_tokenize_str(text))


class Subword(Learnt):
    """Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019); nothing is ever unknown."""

    name = "subword"
    noun = "subword"
    unknown = None

    @classmethod
    def fit(cls, blocks: Iterable[str], limit: int) -> Self:
        """Merge the most frequent pairs until there are `limit` symbols."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=limit, initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator(blocks, trainer)
        return cls(tokenizer)

    def bytes_of(self, symbol: int) -> bytes:
        """Return the bytes that a symbol stands for."""
        return bytes(BYTE_OF[character] for character in self.tokenizer.id_to_token(symbol) or "")

    def decoder(self) -> Decoder:
        """Return a decoder that waits for whole characters."""
        return Utf8Decoder(self)


def _byte_level_alphabet() -> dict[str, int]:
    """Return which byte each character of the byte-level alphabet stands for (Radford et al. 2019)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + k): b for k, b in enumerate(others)}


BYTE_OF = _byte_level_alphabet()
UNITS: dict[str, type[Unit]] = {unit.name: unit for unit in (Character, Byte, Word, Subword)}


def find(name: str) -> type[Unit]:
    """Return the unit of that name; UsageError lists those there are."""
    try:
        return UNITS[name]
    except KeyError:
        raise UsageError(f"unknown unit {name!r}; choose one of {', '.join(UNITS)}") from None


def load(value: dict[str, Any]) -> Unit:
    """Make a unit from what `dump` returned; RunError when it is damaged."""
    try:
        return UNITS[value["unit"]].from_dict(value)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"the run's vocabulary cannot be read ({error!r}); restore run.json, or train anew") from error


def dump(unit: Unit) -> dict[str, Any]:
    """Describe a unit for JSON."""
    return {"unit": unit.name, **unit.to_dict()}
