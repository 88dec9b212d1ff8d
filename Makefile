# Works with GNU make 3.81 and bash 3.2. Nothing here installs a system package or asks for root.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
PY := $(BIN)/python
UV := $(shell command -v uv 2>/dev/null || echo .cache/uv/bin/uv)
INSTALLED := .venv/.installed
PYTEST := $(BIN)/pytest -q
# Tests run side by side, a file at a time, each side with servers of its own: the longest files begin. What holds
# wall-clock times or kills processes (the mark `alone`) follows with nothing beside it.
PURE := $(wildcard tests/unit tests/histories)
SERVED := $(wildcard tests/e2e tests/sequences tests/integration tests/chaos)
BESIDE := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help install servers demo test check lint type fmt unit mutants bench long up histories docs clean

help: ## List all targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## Set up .venv from uv.lock; leaves .venv/bin/perennial

$(INSTALLED): pyproject.toml uv.lock | $(UV)
	@echo "installing the locked dependencies into .venv"
	@$(UV) sync --locked --extra charts --compile-bytecode
	@$(PY) -m compileall -q trading activities workflows workers config
	@touch $@

.cache/uv/bin/uv:
	@echo "no uv on PATH: installing it into .cache/uv"
	@python3 -m venv .cache/uv
	@.cache/uv/bin/pip install --quiet --disable-pip-version-check uv

servers: install ## Find, fetch or build the servers that tests and the demo use
	@$(PY) -m workers.stack.provide --if-possible temporal timeskip postgres

demo: install ## Trade a recorded crash with one worker killed in the middle
	@$(PY) -m workers.stack.provide temporal
	@$(BIN)/perennial demo

test: check servers ## Everything: check, then sequences, integration, chaos and e2e on real servers
	$(PYTEST) $(BESIDE) --durations=10 -m "not alone" $(SERVED)
	$(PYTEST) --durations=10 -m alone $(SERVED)

check: lint type unit ## Lint, types, import contracts, unit tests, recorded histories; needs no server

lint: install ## ruff, formatting, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

type: install ## mypy, strict
	$(BIN)/mypy

unit: install ## Unit tests and the replay of recorded histories
	$(PYTEST) -n 2 $(PURE)

mutants: install ## Take each limit out of the gate and the desk in turn; each must be noticed
	@PYTHONPATH=.:tests $(PY) -P tests/mutants.py

fmt: install ## Format and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## Measure decisions, throughput, memory, start-up, replay speed
	@$(PY) -m workers.stack.provide temporal
	$(PYTEST) -s --timeout=1800 tests/benchmarks

long: install ## The full campaigns, an hour and more
	@$(PY) -m workers.stack.provide temporal
	PERENNIAL_TEST_LONG=1 $(PYTEST) --timeout=7200 --durations=10 tests/e2e tests/chaos

up: install ## Start the local stack and keep it running until Ctrl-C
	@$(BIN)/perennial up

histories: install ## Record the histories in tests/histories anew, after a deliberate change of a workflow
	@$(PY) -m workers.stack.provide temporal
	$(PY) -P tests/histories/record.py

docs: install ## Generate the reference pages
	$(PY) -P -m workers.reference docs/reference

clean: ## Remove caches and the virtual environment, not the fetched servers
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
