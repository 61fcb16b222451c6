# The commands for people and for CI. Each makes the virtual environment that it needs.

PYTHON ?= python3
VENV ?= .venv
RESULTS ?= benchmarks/results/here
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check format bench claims lags clean

demo: $(VENV)/user.stamp  ## train on Tiny Shakespeare for two minutes and show what was learnt
	$(BIN)/elman train language-modeling tinyshakespeare --minutes 2

test: $(VENV)/developer.stamp  ## run all tests, and those of the layers with two threads once more
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2
	OMP_NUM_THREADS=2 $(BIN)/pytest tests/layers tests/engine/native/test_layers.py

check: $(VENV)/developer.stamp  ## formatter, linter, types, direction of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/developer.stamp  ## let the formatter and the linter mend what they can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/bench.stamp  ## measure everything that the README's tables are made from; RESULTS is the machine's folder
	for name in layers bfloat16 lengths step memory cells scan; do \
	    $(BIN)/elman bench $$name --save $(RESULTS) || exit 1; done
	$(BIN)/python benchmarks/tables.py

claims: $(VENV)/user.stamp  ## measure what textbooks claim, into benchmarks/results/claims/ and docs/claims.md
	for name in $$($(BIN)/python -c 'from elman.experiments import EXPERIMENTS; print(*EXPERIMENTS)'); \
	    do $(BIN)/elman experiments $$name --save benchmarks/results/claims || exit 1; done
	$(BIN)/elman experiments --save benchmarks/results/claims --claims docs/claims.md

lags: $(VENV)/user.stamp  ## every cell over 200, 1000 and 5000 steps, about an hour; goes on where it was stopped
	$(BIN)/python benchmarks/lags.py

$(VENV)/user.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/developer.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[dev]'
	touch $@ $(VENV)/user.stamp

$(VENV)/bench.stamp: $(VENV)/developer.stamp
	$(PIP) --editable '.[bench]'
	touch $@

clean:  ## remove what these commands made, runs excepted
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
