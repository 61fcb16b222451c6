"""What tasks share that answer a row, or every time step of it, with one of a few symbols.

A task says which modalities stand for its columns, how answers are scored and what they are compared with.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from elman import layers
from elman.data.tables import Column
from elman.modalities.base import Output
from elman.tasks.answering import Answers, answer, worded
from elman.tasks.base import Score
from elman.tasks.on_tables import TableOptions, TableTask
from elman.tasks.prepared import PreparedExamples
from elman.topologies.many_to_one import SUMMARIES, ManyToOne
from elman.topologies.shared import SharedEncoder, Synced
from elman.training.calibration import temperatures
from elman.training.examples import ANSWERING
from elman.training.options import option


@dataclass(frozen=True, kw_only=True)
class ExampleOptions(TableOptions):
    """What these tasks share."""

    budget: ClassVar[dict[str, float]] = {"epochs": 10.0}

    bidirectional: bool = option(True, "read each row from both ends")
    embedding: int = option(200, "features per word or symbol", minimum=2)
    input_dropout: float | None = option(
        None, "dropout of the input's features (default: 0.4; of images 0.1)", minimum=0, maximum=0.99, anew=True
    )
    dropout: float = option(0.4, "dropout between layers and before the output", minimum=0, maximum=0.99, anew=True)
    label_smoothing: float = option(
        0.1, "share of probability that all answers get alike", minimum=0, maximum=0.9, anew=True
    )


class ExampleTask(TableTask):
    """A task whose answers are one symbol each: abstract."""

    learning = ANSWERING
    skip: ClassVar[bool] = False
    """Whether tags are read off what was read at their time step, too."""

    @abstractmethod
    def figures(self, prepared: PreparedExamples, part: str, found: Mapping[str, Answers]) -> Score:
        """Return what answers are worth, the headline first."""

    def network(self, prepared: PreparedExamples, options: Any) -> SharedEncoder:
        """The input's reader, recurrent layers, and what each output needs after them."""
        o, reader = options, prepared.input.reader(options.embedding)
        recurrence = layers.build(
            o.cell,
            reader.features,
            o.hidden,
            o.layers,
            dropout=o.dropout,
            bidirectional=o.bidirectional,
        )
        each = recurrence.output_size + (reader.features if self.skip else 0)
        wired = {
            name: _wiring(output, each if output.stepwise else recurrence.output_size, o)
            for name, output in prepared.outputs.items()
        }
        before = prepared.input.dropout if o.input_dropout is None else o.input_dropout
        return SharedEncoder(reader, recurrence, wired, (before, o.dropout), skip=self.skip)

    def calibrate(self, network: SharedEncoder, prepared: PreparedExamples) -> dict[str, float]:
        """Divide each output's scores by a temperature, so that answers are right as often as they say."""
        found = temperatures(network, prepared.examples("valid"))
        for name, output in zip(network.names, network.outputs, strict=True):
            head: Any = output.head
            head.divide(found[name])
        return found

    def score(self, network: SharedEncoder, prepared: PreparedExamples, part: str) -> Score:
        """Answer every row, and measure the answers."""
        return self.figures(prepared, part, self.answered(network, prepared, part))

    def answered(self, network: SharedEncoder, prepared: PreparedExamples, part: str) -> dict[str, Answers]:
        """Return the network's answers to the rows of a part."""
        return answer(network, prepared.examples(part), prepared.outputs)

    def tell(self, network: SharedEncoder, prepared: PreparedExamples, column: Column) -> list[dict[str, Any]]:
        """Return for every row what was read, the answers, and the probability that the network gives to each."""
        found = answer(network, prepared.encode({prepared.input_name: column}), prepared.outputs)
        said = {name: worded(name, prepared.outputs[name], answers) for name, answers in found.items()}
        return [
            {column.name: value} | {key: values[k] for words in said.values() for key, values in words.items()}
            for k, value in enumerate(column.values.to_list())
        ]


def _wiring(output: Output, features: int, options: Any) -> ManyToOne | Synced:
    if output.stepwise:
        return Synced(output.head(features, options.label_smoothing))
    head = output.head(SUMMARIES * features, options.label_smoothing)
    return ManyToOne(head, features, options.dropout)
