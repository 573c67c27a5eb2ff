# `make demo` builds the sample and writes its page; `make test` runs every default check.
# `make bench` prints the figures that need no data from outside; it takes an hour.
# `make notebooks` executes the notebooks in place, outputs included.
# Both make a virtual environment first, from the pinned versions in requirements.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow test-realdata bench notebooks lint format lock clean help

help:
	@sed -n 's/^# //p' Makefile; grep -E '^[a-z-]+:' Makefile | cut -d: -f1 | tr '\n' ' '; echo

demo: $(READY)
	$(BIN)/recsys demo

test: $(READY) lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

test-slow: $(READY)
	$(BIN)/pytest -m slow

test-realdata: $(READY)
	$(BIN)/pytest -m realdata

bench: $(READY)
	$(BIN)/recsys bench rank
	$(BIN)/recsys bench scale
	$(BIN)/recsys bench serve

notebooks: $(READY)
	$(BIN)/python notebooks/run.py

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# torch is pinned without a local label: where pip is offered a CPU build (2.13.0+cpu), it takes that one.
$(READY): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade-strategy only-if-needed -c requirements.lock -e '.[dev]'
	touch $(READY)

# Writes what is installed now as the pins, without local labels and without this project itself.
lock: $(READY)
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache
