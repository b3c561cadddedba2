# The one entrance: `make help` lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
SOURCES := crds worker_image operator tests examples bench make

include $(wildcard make/*.mk)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

.venv/.installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Headrace needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -U pip
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[operator,otel,protobuf,avro]' --group dev
	@touch $@

.PHONY: venv
venv: .venv/.installed ## install Headrace and its development tools into .venv

.PHONY: format
format: venv ## rewrite the code in the one format
	$(BIN)/ruff check --fix-only -q $(SOURCES)
	$(BIN)/ruff format -q $(SOURCES)

.PHONY: lint
lint: venv ## ruff, strict types, import layers
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy crds/headrace_api worker_image/headrace operator/headrace_operator tests
	$(BIN)/lint-imports

.PHONY: check
check: lint ## everything that needs no server: lint, generated files, manifests

.PHONY: test-unit
test-unit: venv ## pure logic (< 30 s)
	$(BIN)/pytest -q -n 2 tests/unit

.PHONY: test-integration
test-integration: venv ## real etcd, kube-apiserver, Redis and Valkey (< 4 min)
	$(BIN)/pytest -q -n 4 --dist loadfile tests/integration

.PHONY: test-e2e
test-e2e: venv ## a real node, real pods (< 8 min once built)
	$(BIN)/pytest -q tests/e2e

.PHONY: test
test: ## every test tier
	$(MAKE) test-unit
	$(MAKE) test-integration
	$(MAKE) test-e2e

.PHONY: clean
clean: ## remove what the targets made in this checkout
	rm -rf .venv .build build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
