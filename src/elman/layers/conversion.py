"""Give a model Elman's layers: every recurrent module of torch.nn in it is replaced by its twin.

It does not know what the twins compute, only that they take the same attributes.
"""

from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from elman.layers.gru import GRU, GRUCell
from elman.layers.lstm import LSTM, LSTMCell
from elman.layers.rnn import RNN, RNNCell

TWINS: dict[type[nn.Module], type[nn.Module]] = {
    nn.RNN: RNN,
    nn.GRU: GRU,
    nn.LSTM: LSTM,
    nn.RNNCell: RNNCell,
    nn.GRUCell: GRUCell,
    nn.LSTMCell: LSTMCell,
}


def convert(module: nn.Module) -> nn.Module:
    """Replace torch.nn's RNN, GRU, LSTM and their cells by Elman's, in place.

    The twins hold the very same Parameter objects, hooks, parametrizations and training flag, under the same names; so
    an optimizer made before goes on working, and state_dict does not change. A module that stands in two places is
    replaced by one twin. Subclasses that users wrote are left alone: a twin has neither their methods nor their class,
    which the rest of the module may ask for.

    Args:
        module: any module, or a recurrent layer itself.

    Returns:
        The module; if it is itself a recurrent layer of torch.nn, its twin.

    """
    twins: dict[nn.Module, nn.Module] = {}
    for path, child in list(module.named_modules(remove_duplicate=False)):
        if type_before_parametrizations(child) in TWINS:
            twin = twins.setdefault(child, twin_of(child))
            if path == "":
                return twin
            module.set_submodule(path, twin)
    return module


def torch_kind(module: nn.Module) -> type[nn.Module] | None:
    """Which of torch.nn's recurrent classes a module computes as, itself or inheriting its `forward`; None if none."""
    return next((each for each in TWINS if isinstance(module, each) and type(module).forward is each.forward), None)


def twin_of(module: nn.Module) -> nn.Module:
    """A module of Elman's class that shares everything with this one, which has a `torch_kind`."""
    torchs = torch_kind(module)
    assert torchs is not None
    kind = TWINS[torchs]
    if is_parametrized(module):
        kind = _parametrized(kind, type(module))
    twin = kind.__new__(kind)
    # torch's own list of the weights stays behind: SequenceLayer reads them from the named attributes.
    twin.__dict__.update({name: value for name, value in vars(module).items() if name != "_flat_weights"})
    return twin


def _parametrized(kind: type[nn.Module], like: type[nn.Module]) -> type[nn.Module]:
    """`kind` with the properties that torch.nn.utils.parametrize gave to the class `like`."""
    own = {name: value for name, value in vars(like).items() if name not in {"__dict__", "__weakref__"}}
    return type(like.__name__, (kind,), own)
