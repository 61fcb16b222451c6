"""Layers of any cell with any option, by name, for the tests of what they promise."""

import torch
from torch import nn

import elman
from elman.cells import CELLS

STEPS, BATCH, INPUT, HIDDEN = 6, 3, 4, 5
OPTIONS = {
    "plain": {},
    "layer norm": {"layer_norm": True},
    "recurrent dropout": {"recurrent_dropout": 0.3},
    "zoneout": {"zoneout": 0.3},
    "weight dropout": {"weight_dropout": 0.4},
    "between layers": {"dropout": 0.2, "locked_dropout": 0.3, "residual": True},
    "learnt state": {"learn_state": True},
    "all": {
        "layer_norm": True,
        "recurrent_dropout": 0.2,
        "zoneout": 0.2,
        "weight_dropout": 0.2,
        "dropout": 0.1,
        "locked_dropout": 0.2,
        "residual": True,
        "learn_state": True,
    },
}
NEEDS_MATMUL = {"recurrent_dropout", "weight_dropout"}
CASES = [
    (name, option)
    for name, cell in CELLS.items()
    for option, given in OPTIONS.items()
    if cell.recurrent_gates or not NEEDS_MATMUL & given.keys()
]


def made(name, option, *, train=True, **more):
    """A layer in float64, and an input; its learnt state, if it has one, is not zero."""
    torch.manual_seed(0)
    layer = elman.Recurrent(name, INPUT, HIDDEN, 2, dtype=torch.float64, **OPTIONS[option], **more)
    for key, parameter in layer.named_parameters():
        if key.startswith("initial"):
            nn.init.normal_(parameter)
    return layer.train(train), torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)
