"""In which numbers training multiplies, by what is asked for, what the machine gains by and how large a network is."""

import pytest
import torch
from torch import nn

from elman.engine import products
from elman.training import precision

CPU = torch.device("cpu")
SMALL, LARGE, CONVOLUTION = nn.Linear(8, 8), nn.Linear(512, 512), nn.Conv1d(4, 4, 3)


@pytest.fixture
def machine(monkeypatch):
    """What the processor has: products of bfloat16, matrix units."""

    def has(*, pairs, tiles):
        monkeypatch.setattr("elman.engine.multiplies_bfloat16", lambda: pairs)
        monkeypatch.setattr("elman.training.precision.has_matrix_units", lambda: tiles)

    return has


def seen(kind, module):
    """What is asked of the recurrent layers inside, and whether torch's layers are under autocast."""
    with precision.matmuls(kind, CPU, module)():
        return products.ASKED.get(), torch.is_autocast_enabled("cpu")


def test_the_recurrent_layers_alone_unless_torch_has_much_to_multiply(machine):
    machine(pairs=True, tiles=False)
    assert seen("bfloat16", SMALL) == ("bfloat16", False)
    assert seen("bfloat16", LARGE) == (None, True)
    assert seen("bfloat16", CONVOLUTION) == (None, True)
    assert seen("float32", LARGE) == (None, False)


@pytest.mark.parametrize("pairs", [False, True])
def test_with_matrix_units_everything(machine, pairs):
    machine(pairs=pairs, tiles=True)
    assert seen("bfloat16", SMALL) == (None, True)


def test_auto_takes_what_gains(monkeypatch):
    for gain, found in ((1.2, "float32"), (1.9, "bfloat16"), (6.0, "bfloat16")):
        monkeypatch.setattr(precision, "gain", lambda _, gain=gain: gain)
        assert precision.resolve("auto", CPU) == found
        assert precision.resolve("float32", CPU) == "float32"


@pytest.mark.parametrize("pairs", [False, True])
def test_a_gain_is_measured(machine, monkeypatch, pairs):
    monkeypatch.setattr(precision, "SIZE", 64)
    machine(pairs=pairs, tiles=False)
    assert precision.gain(CPU) > 0
