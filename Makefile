# make setup  the environment, in .venv        make demo  a first scene, in runs/demo
# make test   the whole test suite             make lint  format, lint, types, order of imports
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SPEC := pyproject.toml constraints.txt

.PHONY: setup demo test lint format clean

setup: .venv/.dev-done

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Fourfold needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# What a user needs. `make setup` adds what a developer needs.
.venv/.core-done: $(SPEC) | .venv/bin/python
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

.venv/.dev-done: $(SPEC) | .venv/bin/python
	$(PIP) install --quiet -c constraints.txt -e '.[dev,sfm,view,synthetic,pretrained]'
	@touch .venv/.core-done $@

demo: .venv/.core-done
	$(BIN)/fourfold demo

test: setup
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv runs .pytest_cache .ruff_cache .import_linter_cache .hypothesis
