"""The running average: soon free of the initial weights, and then as slow as asked."""

import pytest
import torch

from elman.training.average import averaged


def test_it_forgets_the_beginning_and_then_follows_slowly():
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(100.0)
    average = averaged(module, 0.9)
    with torch.no_grad():
        module.weight.fill_(1.0)
    for _ in range(100):
        average.update_parameters(module)
    assert average.module.weight.item() == pytest.approx(1.0, abs=0.01)
    with torch.no_grad():
        module.weight.fill_(2.0)
    average.update_parameters(module)
    assert average.module.weight.item() == pytest.approx(1.1, abs=0.01)
