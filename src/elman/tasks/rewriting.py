"""What tasks share that read a text and write another one.

A task says which columns these are, how texts are scored and what they are compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from elman.data.tables import Column
from elman.errors import UsageError
from elman.modalities.base import Answer, Encoded, Input, Reader
from elman.modalities.symbols import EncodedSymbols, SymbolTexts, WrittenTexts, learnt
from elman.tasks.prepared import PreparedExamples
from elman.tasks.writing import WritingOptions, WritingTask
from elman.training.options import option


@dataclass(frozen=True, kw_only=True)
class RewritingOptions(WritingOptions):
    """What these tasks share."""

    shared: bool = option(True, "one set of symbols for what is read and what is written")
    copying: bool = option(False, "let the decoder copy symbols that it looks at")

    def check(self) -> None:
        """What is copied must be a symbol that can be written."""
        super().check()
        if self.copying and not self.shared:
            raise UsageError(
                "--copying needs symbols that are read and written alike; leave out --no-shared, or give --no-copying"
            )


class RewritingTask(WritingTask):
    """A task that reads a text and writes another one: abstract."""

    inputs = ("text",)
    modalities = (SymbolTexts, WrittenTexts)
    shorten: ClassVar[bool] = False
    """Whether only the beginning of a text that is too long is read."""

    def fit(self, input: Column, outputs: list[Column], options: RewritingOptions) -> tuple[Input, Sequence[Answer]]:
        """One set of symbols for both columns, or one for each."""
        o, output = options, self.only(outputs)
        if o.shared:
            read = written = learnt([input, output], o.unit, o.symbols)
        else:
            read, written = (learnt([column], o.unit, o.symbols) for column in (input, output))
        return SymbolTexts(read, o.longest, shorten=self.shorten), [o.answer(written)]

    def reader(self, prepared: PreparedExamples, options: RewritingOptions) -> Reader | None:
        """None where symbols are shared, since their vectors are too."""
        return None if options.shared else super().reader(prepared, options)

    def copies(self, options: RewritingOptions) -> bool:
        """As the user says."""
        return options.copying

    def places(self, prepared: PreparedExamples, inputs: Encoded, row: int) -> dict[str, Any]:
        """The symbols that were read."""
        assert isinstance(prepared.input, SymbolTexts)
        assert isinstance(inputs, EncodedSymbols)
        return {"read": prepared.input.unit.texts(inputs.rows[row].tolist())}
