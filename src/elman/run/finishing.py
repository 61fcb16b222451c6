"""What follows training: a network is calibrated, scored beside the baselines, looked into, and all that written down.

It does not know how the network was trained.
"""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from elman import report
from elman.errors import UsageError
from elman.run import inspection, learnt
from elman.run.folder import Description, RunFolder
from elman.tasks.base import Prepared, Task
from elman.training import checkpoint
from elman.training.interrupt import Interruption
from elman.training.monitor import telling
from elman.training.options import TrainingOptions

LEFT_OUT = "Left out, as Ctrl-C came: {what}. Score the run with: elman evaluate {path}"


@dataclass(frozen=True)
class Trained:
    """A trained network and where its description lies, which every method adds to."""

    task: Task
    network: nn.Module
    prepared: Prepared
    options: TrainingOptions
    folder: RunFolder
    description: Description

    def finish(self, interruption: Interruption, *, quiet: bool) -> None:
        """Find out what is to be known of the network, but for what an interruption leaves out, and write it down."""
        self.description.update(scores={}, baselines={})
        self.folder.write(self.description | {"status": "training"})
        left: list[str] = []
        for what, look in self._looks():
            with telling(what, quiet=quiet):
                found = interruption.unless_cut(look)
            if found is None:
                left.append(what[0].lower() + what[1:])
            else:
                self.description.update(found)
        if left:
            path = shlex.quote(str(self.folder.path))
            self.description["message"] = LEFT_OUT.format(what=", ".join(left), path=path)
        with telling("Writing the report", quiet=quiet):
            self.folder.write(self.description)
            report.write(self.folder.path)

    def _looks(self) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        """What is found out: in words, and a function that returns entries of the description."""
        if type(self.task).calibrate is not Task.calibrate:
            yield "Calibrating the network", self._calibrated
        for part in scored(self.prepared):
            yield f"Scoring the network on the {part} part", partial(self._score, part)
            yield f"Scoring the baselines on the {part} part", partial(self._baselines, part)
        yield "Gathering what the report shows", self._shown
        yield "Looking inside the network", self._diagnosis

    def _calibrated(self) -> dict[str, Any]:
        temperatures = self.task.calibrate(self.network, self.prepared)
        if not temperatures:
            return {}
        checkpoint.write_tensors(self.folder.model, self.network.state_dict(), {})
        return {"temperatures": temperatures}

    def _score(self, part: str) -> dict[str, Any]:
        return {"scores": self.description["scores"] | {part: self.task.score(self.network, self.prepared, part)}}

    def _baselines(self, part: str) -> dict[str, Any]:
        found = learnt.before(self.description.get("pretrained", {}), part)
        found += self.task.baselines(self.prepared, part)
        return {"baselines": self.description["baselines"] | {part: found}}

    def _shown(self) -> dict[str, Any]:
        return self.task.showcase(self.network, self.prepared, self.options)

    def _diagnosis(self) -> dict[str, Any]:
        try:
            found = inspection.look_inside(self.task, self.network, self.prepared, self.options, self.folder)
        except UsageError:  # a network without layers to look into, or with sequences too short for it
            return {}
        return {"diagnosis": found.to_dict()}


def scored(prepared: Prepared) -> list[str]:
    """The parts that networks are scored on."""
    return [part for part in ("valid", "test") if part in prepared.facts]
