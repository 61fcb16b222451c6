"""What is said where processes that a launcher has started do not find each other."""

import pytest

from elman.errors import RunError
from elman.training import processes


@pytest.mark.parametrize(
    ("torch_says", "way"),
    [
        ("use_libuv was requested but PyTorch was build without libuv support", "set USE_LIBUV=0 in the environment"),
        ("The server socket has failed to listen", "look at its address and number of processes"),
    ],
)
def test_it_says_what_helps(monkeypatch, torch_says, way):
    def refuse(**_):
        raise RuntimeError(torch_says)

    monkeypatch.setattr(processes, "PartialState", refuse)
    with pytest.raises(RunError, match=f"{torch_says}.*; start one without it, or {way}$"):
        processes.Processes()
