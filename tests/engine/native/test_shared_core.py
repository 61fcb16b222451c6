"""Threads that share a core, as they do beside another busy process: whoever waits gives it to whom he waits for."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, statistics, time, torch, elman

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
layer, x = elman.LSTM(32, 256), torch.randn(100, 1, 32)

def seconds(threads):
    torch.set_num_threads(threads)
    taken = []
    for _ in range(7):
        begun = time.perf_counter()
        layer(x)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)

with torch.no_grad():
    layer(x)
    print(seconds(2) / seconds(1))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system gives no process a core of its own")
def test_two_threads_on_one_core_take_a_few_times_as_long_as_one_thread():
    """They took a hundred times as long when each spun to the end of its time."""
    environment = os.environ | {"GOMP_SPINCOUNT": "0"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 20
