"""Text files as streams: read in blocks, in constant memory, with errors that name the place.

A `TextSource` is a stretch of one file, so that a training part and a held-out part of the same file are two sources
and no text is ever copied. It does not know what a symbol is.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from elman.errors import DataError
from elman.files import reason

BLOCK = 1 << 20
RECODE = "iconv -f ENCODING -t UTF-8, where ENCODING is what wrote it, such as UTF-16 or WINDOWS-1252"
"""How to make UTF-8 of a text: without -f, iconv takes the terminal's own encoding, which mostly is UTF-8 already."""
FORMATS = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive or an office document",
    b"\xd0\xcf\x11\xe0": "an office document",
}
"""What files begin with that people take for texts and tables."""
ESCAPED = "surrogateescape"
r"""How bytes that are no text stand in a str (PEP 383): b"\xe9" as "\udce9"."""
OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def check_format(path: str | Path, begins: bytes) -> None:
    """Raise DataError where what a file begins with is that of another format, which is no text."""
    for mark, what in FORMATS.items():
        if begins.startswith(mark):
            raise DataError(f"{path} is {what}, not plain text; open it in the program it is of, and save it as text")


@dataclass(frozen=True)
class TextSource:
    """Bytes `start` to `stop` (exclusive; None: to the end) of a UTF-8 text file, plain or .gz, .bz2, .xz.

    A byte-order mark at the start of the file is skipped. Line ends are kept as they are. A text in memory is one too:
    `held` are its bytes, and `path` is what errors call it.
    """

    path: Path | str
    start: int = 0
    stop: int | None = None
    held: bytes | None = None

    def __str__(self) -> str:
        """Say where it came from."""
        return str(self.path)

    @cached_property
    def size(self) -> int:
        """The number of bytes in this stretch; DataError when the file cannot be read."""
        return sum(len(block) for block in self.byte_blocks())

    @cached_property
    def sha256(self) -> str:
        """The fingerprint of these bytes."""
        digest = hashlib.sha256()
        for block in self.byte_blocks():
            digest.update(block)
        return digest.hexdigest()

    def byte_blocks(self) -> Iterator[bytes]:
        """Yield the bytes in blocks of at most 1 MiB; DataError when the file cannot be read."""
        try:
            with self._open() as file:
                if self.start:
                    file.seek(self.start)
                left = None if self.stop is None else self.stop - self.start
                while block := file.read(BLOCK if left is None else min(BLOCK, left)):
                    left = None if left is None else left - len(block)
                    yield block
        except (OSError, EOFError, lzma.LZMAError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error).lower()
            raise DataError(f"cannot read {self.path}: {why}") from error

    def blocks(self) -> Iterator[str]:
        """Yield the text in pieces that end at line ends where there are any.

        DataError names the line and byte of the first bytes that are not UTF-8 text.
        """
        held, line, offset = b"", 1, self.start
        for number, block in enumerate(self.byte_blocks()):
            data = held + block
            if number == 0 and self.start == 0 and data.startswith(b"\xef\xbb\xbf"):
                data, offset = data[3:], 3
            cut = _cut(data)
            text = self._decode(data[:cut], line, offset)
            if text:
                yield text
            line, offset, held = line + text.count("\n"), offset + cut, data[cut:]
        if held:
            yield self._decode(held, line, offset)

    def split(self, wanted: int) -> tuple["TextSource", "TextSource"]:
        """Cut this stretch in two, the first with about `wanted` bytes, at the line end that follows.

        Where no line ends within the next hundredth of the text, it is cut between two characters.
        """
        at, blocks = 0, self.byte_blocks()
        near = max(4, self.size // 100)
        for block in blocks:
            if at + len(block) > wanted:
                rest = block[wanted - at :] + next(blocks, b"")
                cut = self.start + wanted + (rest.find(b"\n", 0, near) + 1 or _next_character(rest))
                return replace(self, stop=cut), replace(self, start=cut)
            at += len(block)
        return self, replace(self, start=self.start + at)

    def _open(self) -> IO[bytes]:
        if self.held is not None:
            return io.BytesIO(self.held)
        path = Path(self.path)
        found: IO[bytes] = OPENERS.get(path.suffix.lower(), open)(path, "rb")
        return found

    def _decode(self, data: bytes, line: int, offset: int) -> str:
        if offset == 0:
            check_format(self.path, data)
        try:
            text = data.decode("utf-8")
            zero = text.find("\0")
        except UnicodeDecodeError as error:
            zero, text = -1, data[: error.start].decode("utf-8")
            what = f"byte 0x{data[error.start]:02x} at offset {offset + error.start}, line {line + text.count(chr(10))}"
            raise DataError(
                f"{self.path} is not UTF-8 text ({what}); convert it ({RECODE}), or train on bytes with --unit byte"
            ) from error
        if zero >= 0:
            where = f"line {line + text.count(chr(10), 0, zero)}"
            raise DataError(f"{self.path} is a binary file (zero byte in {where}); to train on bytes, use --unit byte")
        return text


def joined(texts: Sequence[str], source: str) -> TextSource:
    """Return texts in memory as one, each of which begins on a line of its own; in errors they are called `source`."""
    *former, last = texts
    whole = "".join([*(text if text.endswith("\n") else f"{text}\n" for text in former), last])
    try:
        return TextSource(source, held=whole.encode())
    except UnicodeEncodeError as error:
        raise DataError(f"{source} holds half of a surrogate pair, which is no text; mend it") from error


def lines(path: Path | None) -> list[str]:
    """Return the lines of a text file, or of standard input for None; DataError where there is none."""
    if path is None:
        try:
            return split(sys.stdin.read().removeprefix("\ufeff"))
        except UnicodeDecodeError as error:
            raise DataError(f"standard input is not UTF-8 text (offset {error.start}); convert it first") from error
    found = split("".join(TextSource(path).blocks()))
    if not found:
        raise DataError(f"{path} is empty; there is nothing to predict")
    return found


def split(text: str) -> list[str]:
    """Return the lines of a text, which end as in a file, not at what ends one for Unicode, such as U+2028."""
    found = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return found if found[-1] else found[:-1]


def raw_lines(path: Path | None) -> list[str]:
    """Return the same of any file: bytes that are no text stand in the lines as "surrogateescape" has them."""
    data = sys.stdin.buffer.read() if path is None else b"".join(TextSource(path).byte_blocks())
    if path is not None and not data:
        raise DataError(f"{path} is empty; there is nothing to predict")
    return [line.decode("utf-8", ESCAPED) for line in data.splitlines()]


def shown(text: str) -> str:
    r"""Return a text that can be written: bytes that are none as \xe9."""
    return text if text.isascii() else text.encode("utf-8", ESCAPED).decode("utf-8", "backslashreplace")


def mended(text: str) -> str:
    """Return a text with U+FFFD in the place of bytes that are none."""
    return text if text.isascii() else text.encode("utf-8", ESCAPED).decode("utf-8", "replace")


def _cut(data: bytes) -> int:
    """Return where to cut so that no character, and if possible no line, is divided."""
    end = data.rfind(b"\n") + 1
    return end or len(data) - _unfinished(data)


def _next_character(data: bytes) -> int:
    """Return where the first character begins that does not begin before `data`."""
    return next((k for k, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), len(data[:4]))


def _unfinished(data: bytes) -> int:
    """Return how many bytes at the end belong to a character that is not complete."""
    for back, byte in enumerate(reversed(data[-4:]), 1):
        if byte & 0xC0 != 0x80:
            needed = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if needed > back else 0
    return 0
