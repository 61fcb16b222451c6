"""Problems cut from the text that ships with Elman: letters, words and sentences of Tiny Shakespeare.

It does not know which network they are for.
"""

import re
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elman import assets
from elman.data.text import TextSource

HEADING = re.compile(r"(?:\A|(?<=\n\n))[^\n:]*:\n")
SENTENCE = re.compile(r"([^.?!:;]+)([.?!:;])")


@cache
def text() -> str:
    """Tiny Shakespeare."""
    return "".join(TextSource(assets.find("tinyshakespeare")).blocks())


def parts(whole: str) -> tuple[str, str]:
    """The first nine tenths, to learn from, and the last, to be judged by."""
    cut = int(0.9 * len(whole))
    return whole[:cut], whole[cut:]


@cache
def words(shortest: int = 4, longest: int = 10) -> tuple[str, ...]:
    """The different words of the text in lower case, sorted."""
    found = set(re.findall(r"[a-z]+", text().lower()))
    return tuple(sorted(word for word in found if shortest <= len(word) <= longest))


@cache
def sentences(sign: str, shortest: int = 10, longest: int = 50) -> tuple[str, ...]:
    """The different sentences that end with a sign, in lower case and without it, sorted."""
    found = SENTENCE.findall(HEADING.sub("", text()).lower())
    tidy = {" ".join(sentence.split()).strip("'- ") for sentence, end in found if end == sign}
    return tuple(sorted(sentence for sentence in tidy if shortest <= len(sentence) <= longest))


def split(items: Sequence[str], seed: int) -> tuple[list[str], list[str]]:
    """Shuffle, and hold a tenth back."""
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed)).tolist()
    shuffled = [items[place] for place in order]
    held_out = len(items) // 10
    return shuffled[held_out:], shuffled[:held_out]


class Letters:
    """Letters as numbers from 1 on; 0 is none.

    Args:
        letters: all that there are.
    """

    def __init__(self, letters: str) -> None:
        self.letters = "\0" + "".join(sorted(set(letters)))
        self._numbers = {letter: number for number, letter in enumerate(self.letters)}

    def __len__(self) -> int:
        return len(self.letters)

    def numbers(self, text: str) -> Tensor:
        """(T,) int64."""
        return torch.tensor([self._numbers[letter] for letter in text])

    def padded(self, rows: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(T, B), 0 beyond a row's end, and the lengths (B,)."""
        return pad_sequence([self.numbers(row) for row in rows]), torch.tensor([len(row) for row in rows])

    def said(self, numbers: Tensor) -> str:
        """The text of (T,) numbers, up to the first 0."""
        return "".join(self.letters[number] for number in numbers.tolist()).partition("\0")[0]
