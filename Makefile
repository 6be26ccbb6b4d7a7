# `make demo` and `make test` do all their set-up themselves: a virtual environment in .venv with
# the versions of constraints.txt. Only Python >= 3.11 and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARALLEL := -n 2 --dist loadfile
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-thorough test-all lint clean

help:
	@echo "make demo           transfer a small network to new digits, write demo/report.html (no download)"
	@echo "make test           format, lint, import contracts, tests, doctests, README, recipes"
	@echo "make test-thorough  what it leaves out to stay short: larger networks, XLA, JAX, notebooks"
	@echo "make test-all       all tests, the slow ones too"

demo: $(VENV)/.installed
	@rm -rf demo
	$(BIN)/kerascnn demo --output demo

test: lint
	$(BIN)/python -m pytest -m "not slow and not thorough" $(PARALLEL)

test-thorough: lint
	$(BIN)/python -m pytest -m "thorough and not slow" $(PARALLEL)

test-all: lint
	$(BIN)/python -m pytest $(PARALLEL)

lint: $(VENV)/.installed-test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "kerascnn needs Python 3.11 to 3.13, as TensorFlow does; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "This Python lacks the venv module. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) (TensorFlow is large: this takes a minute or two) ..."
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP_INSTALL) --editable ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
