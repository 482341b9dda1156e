# The two commands that a newcomer needs: `make fit COUNTRY=SAU` and `make test`.
# Each makes its environment in .venv first, if it is missing or out of date.

PYTHON ?= python3
VENV ?= .venv
COUNTRY ?= SAU
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: fit test test-slow real-models lint format

fit: $(VENV)/.installed
	$(BIN)/bbalign fit --country "$(COUNTRY)"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not slow" --numprocesses logical --dist loadfile

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

real-models: $(VENV)/.installed
	$(BIN)/python experiments/real_models/fetch.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml constraints.txt
	@echo "Installing blackbox-align into $(VENV); the first time this takes a few minutes."
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python setup.cfg pyproject.toml constraints.txt
	@echo "Installing blackbox-align with its test tools into $(VENV); the first time this takes a few minutes."
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.installed
