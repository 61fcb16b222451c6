"""How threads wait: as is faster beside other work, and as they did where there is none."""

import os
import subprocess
import sys
from itertools import pairwise

import pytest

import elman
from elman.engine import openmp
from elman.training import waiting
from elman.training.waiting import LONGEST, SHORTEST

REGIONS = """
import time, torch
from pathlib import Path
from elman.training import waiting

def slept():
    lines = [line for task in workers for line in (task / "status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))

def regions():
    before = slept()
    for _ in range(100):
        numbers.add_(1)
        time.sleep(0.001)
    return slept() - before

tasks = Path("/proc/self/task")
before = set(tasks.iterdir())
numbers = torch.zeros(1 << 20)  # the first parallel region
workers = set(tasks.iterdir()) - before
spinning = regions()
wake = waiting.sleep()
sleeping = regions()
wake()
print(torch.get_num_threads(), spinning, sleeping, regions())
"""
"""How often the other threads sleep, in a hundred parallel regions each: spinning, asleep, spinning again."""

SHARED = """
import os, subprocess, sys, time
from elman.training import waiting

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
before, end = waiting.waited(), time.monotonic() + 1
while time.monotonic() < end:
    pass
other.kill()
print(waiting.waited() - before)
"""
"""The seconds that a thread waits while it shares a processor with another process for one."""


class Machine:
    """A clock, and threads that are slowed down by other work unless they sleep.

    Attributes:
        busy: whether there is other work.
        gain: how many times as fast training is asleep beside other work.
        each: the seconds of an update otherwise.
        changes: when threads began to sleep or to spin.
    """

    def __init__(self, monkeypatch):
        self.seconds, self.delayed, self.busy, self.gain, self.each = 0.0, 0.0, False, 3.0, 0.05
        self.asleep, self.changes = False, []
        monkeypatch.setattr(waiting.time, "perf_counter", lambda: self.seconds)
        monkeypatch.setattr(waiting, "waited", lambda: self.delayed)
        monkeypatch.setattr(waiting, "sleep", lambda: self.change(True) or (lambda: self.change(False)))

    def change(self, asleep):
        self.asleep = asleep
        self.changes.append((round(self.seconds, 1), asleep))

    def train(self, waits, seconds):
        """Update as fast as it goes, for so long."""
        end = self.seconds + seconds
        while self.seconds < end:
            took = self.each / self.gain if self.busy and self.asleep else self.each
            self.seconds += took
            self.delayed += took * (0.6 if self.busy else 0.02)
            waits.updated()


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_alone_threads_spin(machine):
    with elman.Waiting() as waits:
        machine.train(waits, 60)
    assert machine.changes == []


def test_beside_other_work_they_sleep_and_spinning_is_tried_ever_more_rarely(machine):
    machine.busy = True
    with elman.Waiting() as waits:
        machine.train(waits, 300)
        assert machine.asleep
    assert not machine.asleep
    begun = [when for when, asleep in machine.changes if asleep]
    pauses = [after - before for before, after in pairwise(begun)]
    assert pauses[0] < SHORTEST + 2
    assert pauses[-1] > LONGEST


def test_other_work_that_ends_is_noticed_at_once(machine):
    machine.busy = True
    with elman.Waiting() as waits:
        machine.train(waits, 20)
        assert machine.asleep
        machine.busy = False
        machine.train(waits, 1.5)
        assert not machine.asleep
        machine.train(waits, 60)
        assert not machine.asleep


def test_updates_that_take_seconds_are_looked_at_one_by_one(machine):
    machine.busy, machine.each = True, 3.0
    with elman.Waiting() as waits:
        machine.train(waits, 9)
        assert machine.asleep


def test_where_sleep_is_no_faster_threads_spin_on(machine):
    machine.busy, machine.gain = True, 0.8
    with elman.Waiting() as waits:
        machine.train(waits, 300)
    slept = [after - before for (before, asleep), (after, _) in pairwise(machine.changes) if asleep]
    assert len(slept) < 15
    assert max(slept) < 1


def run(code, **variables):
    """What a program prints, as numbers, with OpenMP's variables alone that are given."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env=own | variables, capture_output=True, text=True, check=True)
    return map(float, found.stdout.split())


def test_gnus_openmp_lets_threads_sleep():
    if openmp.torchs("GOMP_parallel") is None:
        pytest.skip("torch runs in another OpenMP")
    threads, spinning, sleeping, again = run(REGIONS, GOMP_SPINCOUNT="100000000")
    if threads == 1:
        pytest.skip("one thread waits for no other")
    assert sleeping >= 50 * (threads - 1)  # on a busy machine a region may begin before a thread has fallen asleep
    assert max(spinning, again) < sleeping / 2


def test_threads_that_were_kept_waiting_are_counted():
    if not waiting.TASKS.exists():
        pytest.skip("only Linux counts")
    (seconds,) = run(SHARED, OMP_NUM_THREADS="2")
    assert seconds > 0.1
