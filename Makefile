# Pratique. `make help` lists the targets; each one does its own set-up first.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := .cache/tools
PACKAGES := pratique evaluators attestations reports webhook gateway pratiquectl
SOURCES := $(PACKAGES) tools tests bench
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint types layers rego bench cluster lock generated clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.ready ## judge the manifests under examples/ over HTTPS (KEEP=1 leaves the webhook serving)
	@$(BIN)/python -m pratiquectl demo $(if $(KEEP),--keep)

test: setup ## every check and every test
	@$(MAKE) --no-print-directory lint types layers rego
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m pytest -m "not e2e" -n auto --dist loadfile --cov --cov-report= --timeout 300
	@$(BIN)/python -m coverage report --skip-covered --fail-under $(COVERAGE_FLOOR)
	@$(BIN)/python -m pytest -m e2e --timeout 600

COVERAGE_FLOOR := 94

check: setup ## the quick half of `test`
	@$(MAKE) --no-print-directory lint types layers rego
	@$(BIN)/python -m pytest -m "not e2e and not slow" -n auto --dist loadfile --timeout 120 -q

lint:
	@echo "== ruff"
	@$(BIN)/ruff format --check --quiet $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)

types:
	@echo "== mypy"
	@$(BIN)/mypy $(SOURCES)

layers:
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo

rego:
	@echo "== opa fmt, check, test"
	@$(TOOLS)/opa fmt --fail --list policies
	@$(TOOLS)/opa check --strict --schema policies/schemas/input.json --ignore levels policies
	@$(TOOLS)/opa check --strict --capabilities evaluators/capabilities.json --ignore '*_test.rego' --ignore levels policies
	@$(TOOLS)/opa test --ignore levels policies

setup: $(VENV)/.ready $(TOOLS)/.ready ## the environment and the tools

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Pratique needs Python 3.11 or newer: run make PYTHON=python3.11 (found $$($(PYTHON) --version 2>&1))."; exit 1; }
	@echo "== environment in $(VENV), about half a minute"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@quiet=--quiet; test ! -t 1 || quiet=; \
	  $(BIN)/python -m pip install $$quiet --require-hashes --no-deps -r requirements/dev.txt && \
	  $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(TOOLS)/.ready: tools/versions.toml tools/provision.py
	@$(PYTHON) tools/provision.py
	@mkdir -p $(TOOLS) && touch $@

cluster: setup ## a real API server on loopback with the webhook in front; Ctrl-C ends it
	@$(BIN)/python -m tests.support.cluster

bench: setup ## measure against raw OPA and a no-op; results in bench/results/, table in bench/README.md
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.breakdown --write
	@$(BIN)/python -m bench.conftest --write
	@$(BIN)/python -m bench.evidence --write
	@$(BIN)/python -m bench.documents --write

lock: $(VENV)/.ready ## make the locks anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements/runtime.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra conftest pyproject.toml -c requirements/runtime.txt -o requirements/conftest.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra conftest pyproject.toml requirements/dev.in -c requirements/conftest.txt -o requirements/dev.txt

generated: setup ## write the generated documents anew
	@$(BIN)/python -m tests.generate
	@$(BIN)/python -m tests.generate_crds
	@$(BIN)/python -m tests.generate_kinds

clean: ## remove the environment, the caches and what runs left behind
	rm -rf $(VENV) .cache .run .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
