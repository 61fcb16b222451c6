"""Which device a network trains on; whether there is a GPU is told to torch, as tests have none."""

import pytest
import torch
from torch import nn

import elman
from elman.errors import UsageError
from elman.training import device


@pytest.mark.parametrize(
    ("wanted", "cells", "found"),
    [
        ("auto", ["lstm", "gru"], "cuda"),
        ("auto", ["lstm", "indrnn"], "cpu"),
        ("cuda", ["lstm", "indrnn"], "cuda"),
        ("cpu", ["lstm"], "cpu"),
        ("auto", [], "cuda"),
    ],
)
def test_a_gpu_trains_the_cells_that_its_kernels_know(monkeypatch, wanted, cells, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "3")
    network = nn.ModuleList([elman.Recurrent(cell, 3, 4) for cell in cells])
    assert device.resolve(wanted, network) == torch.device(found, 1 if found == "cuda" else None)


def test_options_of_a_layer_that_the_gpu_has_no_kernel_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.resolve("auto", elman.LSTM(3, 4, layer_norm=True)).type == "cpu"


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.resolve("auto", elman.LSTM(3, 4)).type == "cpu"
    with pytest.raises(UsageError, match="--device cuda needs a GPU, and torch finds none here"):
        device.resolve("cuda", elman.LSTM(3, 4))
