"""Whose threads the runtime is given: those of the OpenMP library that torch has loaded, by what that exports."""

import ctypes
import importlib
import sys
from types import SimpleNamespace

import pytest

library = importlib.import_module("elman.engine.native.library")  # beside a function of its name
NUMBERS = {"omp_get_thread_num": 1, "omp_get_num_threads": 2}
FORK_CALL = {"__kmpc_fork_call": 3, "__kmpc_push_num_threads": 4, "__kmpc_global_thread_num": 5}
GOMP = {"GOMP_parallel": 6}


@pytest.fixture
def told(monkeypatch):
    """Look for the team among libraries by name; what the runtime was told."""

    def look(libraries, platform="linux"):
        found = []

        def load(place):
            if place not in libraries:
                raise OSError(place)
            addresses = {name: ctypes.c_void_p(address) for name, address in libraries[place].items()}
            return SimpleNamespace(**addresses)

        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(ctypes, "CDLL", load)
        ways = ("use_team", "use_team_by_fork_call")
        runtime = {way: lambda *addresses, way=way: found.append((way, *addresses)) for way in ways}
        monkeypatch.setattr(library, "_native", SimpleNamespace(**runtime))
        library._use_torchs_team()
        return found

    return look


def test_gnus_way_comes_first(told):
    assert told({None: {**NUMBERS, **FORK_CALL, **GOMP}}) == [("use_team", 6, 1, 2)]


def test_on_windows_it_is_intels_library_which_has_no_other_way(told):
    assert told({"libiomp5md.dll": {**NUMBERS, **FORK_CALL}}, "win32") == [("use_team_by_fork_call", 3, 4, 5, 1, 2)]


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_without_one_there_is_no_team(told, platform):
    assert told({None: {}}, platform) == []
