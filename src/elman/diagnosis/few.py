"""A few rows of a passage, as they went in at the bottom and as the loss came back, in the order of time.

They can be taken through the whole stack once more. It does not know what for.
"""

import torch
from torch import Tensor

from elman.diagnosis.flow import Ends
from elman.diagnosis.passage import Passage
from elman.diagnosis.sample import Stretch, beginning, stretch
from elman.types import State


class Few:
    """Rows of all layers of a passage.

    Attributes:
        passage: of which they are rows.
        ends: the loss gradient at what the passage hands on.
        where: the stretch in the order of time.
        input: (T, R, I).
        first: by depth the states that they begin with, tensors (D, R, ·).
        at_output: the loss gradient at the output, (T, R, D*P).
        at_final: by depth the loss gradient at the final states, tensors (D, R, ·); zeros where a stretch ends before.

    """

    def __init__(self, passage: Passage, ends: Ends, rows: int) -> None:
        self.passage, self.ends = passage, ends
        stretches = [stretch(passage, direction, rows) for direction in range(passage.directions)]
        self.where: Stretch = stretches[0]
        self.input, self.at_output = self.where.of([passage.input, ends.output])
        self.first: list[State] = []
        for depth in range(0, passage.depths, passage.directions):
            states = [beginning(passage, depth + number, each) for number, each in enumerate(stretches)]
            self.first.append(tuple(torch.stack(each) for each in zip(*states, strict=True)))
        self.ended = torch.tensor([each.ended for each in stretches], device=self.input.device)
        chosen = self.where.rows.to(self.input.device)
        self.at_final = [tuple(tensor[:, chosen] * self.ended[..., None] for tensor in state) for state in ends.final]

    def last_step_only(self) -> tuple[Tensor, list[State]]:
        """`at_output` and `at_final` with the loss of each row's last step alone, in the order of each direction.

        Where the loss uses the final state, that is the last step, with whatever reads the last output. The rows are
        there once for each direction, one below the other, with the loss at what this direction reads last.
        """
        steps, rows, directions = *self.at_output.shape[:2], self.passage.directions
        values = self.at_output.reshape(steps, rows, directions, -1)
        order = torch.arange(1, steps + 1, device=values.device)
        read = torch.stack([order, order.flip(0)][:directions], 1)[:, None]
        places = values.ne(0).any(-1) * read
        last = self.ended.T * steps if self.ends.uses_final else places.amax(0)
        values = (values * (read == last)[..., None]).reshape(steps, rows, -1).repeat(1, directions, 1)
        own = torch.eye(directions, device=values.device).repeat_interleave(rows, 1)[..., None]
        final = [tuple(each.repeat(1, directions, 1) * own.to(each) for each in state) for state in self.at_final]
        return of_own_direction(values, directions), final


def of_own_direction(values: Tensor, directions: int) -> Tensor:
    """(T, D*R, D*P) with the features of each direction in its own rows alone."""
    if directions == 1:
        return values
    apart = values.reshape(len(values), directions, -1, directions, values.shape[-1] // directions)
    other = ~torch.eye(directions, dtype=torch.bool, device=values.device)
    return apart.masked_fill(other[:, None, :, None], 0).view_as(values)
