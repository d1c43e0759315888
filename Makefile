# Everything a person does with this repository. `make` alone lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

STAMP := $(VENV)/.installed
NODE_STAMP := node_modules/.installed
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --generate-hashes --no-emit-index-url \
	--no-emit-package mnema-client --no-header --python-version 3.11

.PHONY: help setup demo up test lint format protos lock bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything the server, the client and the tests need into .venv

$(STAMP): requirements.lock pyproject.toml clients/python/pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: apt-get install python3.11 python3.11-venv, or make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e clients/python -e .
	@touch $@

$(NODE_STAMP): package-lock.json $(STAMP)
	@npm ci --silent --no-audit --no-fund
	@touch $@

demo: setup ## Start everything, ingest a conversation (FILE=transcript.jsonl for yours), ask, stop
	@$(BIN)/mnema demo $(if $(FILE),--file $(FILE)) $(if $(QUESTIONS),--questions $(QUESTIONS))

up: setup ## Run everything on this machine until Ctrl-C
	@$(BIN)/mnema up

test: setup $(NODE_STAMP) ## Run all tests; some with ARGS="-k rollback"
	@tools/test $(ARGS)

lint: setup $(NODE_STAMP) ## Check style, types, import boundaries, contracts, stubs and manifests
	@tools/lint

format: setup ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

protos: setup ## Generate the Python stubs from protos/
	@tools/protos

lock: setup ## Resolve the dependencies anew into requirements.lock and requirements.runtime.lock
	@$(LOCK) --upgrade --extra embedded --group dev -o requirements.lock
	@$(LOCK) --constraints requirements.lock -o requirements.runtime.lock

bench: setup ## Measure; one suite with SUITE="latency --sizes 1000", help with SUITE=--help
	@$(BIN)/python -m bench $(or $(SUITE),all)

clean: ## Remove what was built; the data in ~/.mnema stay
	@rm -rf $(VENV) node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
