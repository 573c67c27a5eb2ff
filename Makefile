# `make demo` builds the sample and writes its page; `make test` runs every default check.
# `make bench` prints the figures that need no data from outside; it takes an hour.
# `make notebooks` executes the notebooks in place, outputs included.
# Both make a virtual environment first, from the pinned versions in requirements.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two processes of one thread each; the one that is done first takes over tests of the other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

.PHONY: demo test test-slow test-realdata bench notebooks docs lint style format lock clean help

help:
	@sed -n 's/^# //p' Makefile; grep -E '^[a-z-]+:' Makefile | cut -d: -f1 | tr '\n' ' '; echo

demo: $(READY)
	$(BIN)/recsys demo

# Types are checked beside the tests; pytest's summary comes last: how many tests ran, and each skip with its reason.
test: $(READY) style
	@$(BIN)/mypy > .mypy.log 2>&1 & types=$$!; \
	$(PYTEST); tests=$$?; \
	wait $$types || { cat .mypy.log; exit 1; }; \
	exit $$tests

test-slow: $(READY)
	$(PYTEST) -m slow

test-realdata: $(READY)
	$(PYTEST) -m realdata

bench: $(READY)
	$(BIN)/recsys bench rank
	$(BIN)/recsys bench scale
	$(BIN)/recsys bench serve

notebooks: $(READY)
	$(BIN)/python notebooks/run.py

# The site in site/; its packages are the extra `docs`.
docs: $(READY)
	$(BIN)/python -m pip install --quiet --upgrade-strategy only-if-needed -c requirements.lock -e '.[docs]'
	$(BIN)/mkdocs build

lint: style
	$(BIN)/mypy

style: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

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
	$(BIN)/python -m pip list --format=freeze --exclude-editable --exclude pip | sed 's/+.*$$//' | LC_ALL=C sort -f > requirements.lock

clean:
	rm -rf $(VENV) build dist demo site .pytest_cache .mypy_cache .mypy.log .ruff_cache
