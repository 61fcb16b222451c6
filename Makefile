# The commands for people and for CI. Each makes the virtual environment that it needs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check format clean

demo: $(VENV)/user.stamp  ## train on Tiny Shakespeare for two minutes and show what was learnt
	$(BIN)/elman train language-modeling tinyshakespeare --minutes 2

test: $(VENV)/developer.stamp  ## run all tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

check: $(VENV)/developer.stamp  ## formatter, linter, types, direction of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/developer.stamp  ## let the formatter and the linter mend what they can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

$(VENV)/user.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/developer.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[dev]'
	touch $@ $(VENV)/user.stamp

clean:  ## remove what these commands made, runs excepted
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
