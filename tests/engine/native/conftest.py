"""These tests need the extension; every test of a kernel runs on every instruction set that this processor has."""

import pytest

from elman.engine.extension import missing
from elman.engine.native import library

native = library()
SETS = native.instruction_sets() if native else []


@pytest.fixture(autouse=True)
def _built():
    if native is None:
        pytest.skip(f"the native engine {missing}")


@pytest.fixture(params=SETS)
def instruction_set(request):
    """Select an instruction set for one test."""
    before = native.instruction_set()
    native.select_instruction_set(request.param)
    yield request.param
    native.select_instruction_set(before)
