"""What RNNCell, GRUCell and LSTMCell share: torch.nn's module for a single time step, computed by Elman's engine.

It does not know sequences. Constructor, parameters, initialisation and repr are those of torch.nn.RNNCellBase itself.
"""

from abc import abstractmethod

from torch import Tensor, nn

from elman import engine
from elman.cells import Cell, Weights
from elman.engine import Call, Explanation
from elman.engine.watching import recorded
from elman.layers.arguments import Hidden, as_hidden, as_state, torch_name
from elman.types import State


class StepLayer(nn.RNNCellBase):
    """One time step of one recurrent layer."""

    @property
    @abstractmethod
    def cell(self) -> Cell:
        """The time step, as mathematics."""

    @property
    def weights(self) -> Weights:
        """The weights, read from the named attributes each time."""
        found = self._parameters
        try:  # a tenth of what getattr takes, which finds those that are computed
            return Weights(found["weight_ih"], found["weight_hh"], found["bias_ih"], found["bias_hh"])  # type: ignore[arg-type]
        except KeyError:
            return Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def forward(self, input: Tensor, hx: Hidden | None = None) -> Hidden:
        """Take one step, as torch.nn does.

        Args:
            input: (B, I), or (I,) without a batch.
            hx: the state before, (B, H) or (H,): a tensor, or for LSTMCell the tuple (h, c); zeros if absent.

        Returns:
            The state after, in the form of `hx`.

        Raises:
            ValueError, RuntimeError: wrong shapes and dtypes, with torch.nn's texts.

        """
        if hx is not None:
            state = (hx,) if isinstance(hx, Tensor) else tuple(hx)
            done = engine.step_again(self.cell, self.weights, input, state)
            if done is not None:
                return as_hidden(done)
        rows, state = self._arguments(input, hx)
        state = engine.step(self.cell, self.weights, rows, state)
        return as_hidden(state if input.dim() == 2 else tuple(tensor.squeeze(0) for tensor in state))

    def explain(self, input: Tensor, hx: Hidden | None = None, *, program: bool = False) -> Explanation:
        """Which backend `forward` takes for these arguments, and why; runs nothing. `program` as in elman.explain."""
        rows, state = self._arguments(input, hx)
        alone = tuple(tensor.unsqueeze(0) for tensor in state)
        return engine.explain_step(Call(self.cell, (self.weights,), rows.unsqueeze(0), alone), program=program)

    def _arguments(self, input: Tensor, hx: Hidden | None) -> tuple[Tensor, State]:
        """Input (B, I) and state, checked as torch does it."""
        self._check_count(hx)
        state = None if hx is None else as_state(hx, self.cell)
        self._check_dimensions(input, state)
        rows = input if input.dim() == 2 else input.unsqueeze(0)
        if state is None:
            state = tuple(rows.new_zeros(len(rows), size) for size in self.cell.state_sizes(self.hidden_size))
        elif input.dim() == 1:
            state = tuple(tensor.unsqueeze(0) for tensor in state)
        if not recorded():  # a tracer warns of looks at sizes; torch's kernels, which it writes down, check them, too
            self._check_sizes(rows, state)
        return rows, state

    def _check_count(self, hx: Hidden | None) -> None:
        """Refuse h alone where there is more: its rows would be taken for h and c."""
        states = self.cell.states
        if len(states) == 1 or hx is None:
            return
        name = torch_name(self.cell).lower()
        if isinstance(hx, Tensor):
            raise TypeError(
                f"{name}_cell(): argument 'hx' (position 2) must be tuple of Tensors, not Tensor; give the state as "
                f"({', '.join(states)})"
            )
        if len(hx) < len(states):
            raise RuntimeError(f"{name}_cell expects two hidden states; give ({', '.join(states)})")

    def _check_sizes(self, rows: Tensor, state: State) -> None:
        if rows.shape[1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {rows.shape[1]} expected {self.input_size}")
        for position, tensor in enumerate(state):
            if len(tensor) != len(rows):
                raise RuntimeError(
                    f"Input batch size {len(rows)} doesn't match hidden{position} batch size {len(tensor)}"
                )
            if tensor.shape[1] != self.hidden_size:
                raise RuntimeError(
                    f"hidden{position} has inconsistent hidden_size: got {tensor.shape[1]}, expected {self.hidden_size}"
                )

    def _check_dimensions(self, input: Tensor, state: State | None) -> None:
        if input.dim() not in {1, 2}:
            raise ValueError(f"{torch_name(self.cell)}Cell: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for position, tensor in enumerate(state or ()):
            if tensor.dim() not in {1, 2}:
                what = "hidden" if len(self.cell.states) == 1 else f"hx[{position}]"
                name = f"{torch_name(self.cell)}Cell"
                raise ValueError(f"{name}: Expected {what} to be 1D or 2D, got {tensor.dim()}D instead")
