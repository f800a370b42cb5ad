# `make help` lists the targets. Everything is installed into .venv inside the checkout.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEV_INSTALLED := $(VENV)/.dev-installed
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --no-input --no-deps
PYTHON_SOURCES := src tests dags bench

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(INSTALLED) ## Install, then run the simulated company through Airflow to its mails in out/
	@$(BIN)/python -m kpi_pipeline.demo

.PHONY: up
up: $(INSTALLED) ## Airflow's own UI at 127.0.0.1 over the demo, until Ctrl-C
	@$(BIN)/python -m kpi_pipeline.demo --once
	@$(BIN)/python -m kpi_pipeline.demo.ui

.PHONY: test
test: $(DEV_INSTALLED) ## Install what tests need, and run them all
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: soak
soak: $(DEV_INSTALLED) ## Kill 200 landings at random moments and look whether anything was lost
	@$(BIN)/python tests/soak.py --seeds 200

.PHONY: lint
lint: $(DEV_INSTALLED) ## ruff, mypy, sqlfluff, djlint, and whether generated pages are up to date
	$(BIN)/ruff check $(wildcard $(PYTHON_SOURCES))
	$(BIN)/ruff format --check $(wildcard $(PYTHON_SOURCES))
	$(BIN)/mypy
	KPI_WAREHOUSE=$(VENV)/lint.duckdb $(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests
	$(BIN)/djlint reports --lint --quiet
	$(BIN)/kpi docs --check

.PHONY: format
format: $(DEV_INSTALLED) ## Format Python
	$(BIN)/ruff check --fix $(wildcard $(PYTHON_SOURCES))
	$(BIN)/ruff format $(wildcard $(PYTHON_SOURCES))

.PHONY: bench
bench: $(DEV_INSTALLED) ## Measure landing and builds beside other tools; an hour, 60 GB, needs goaccess
	@command -v goaccess >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update \
		&& apt-get -qq install -y goaccess; } || true
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.builds
	@$(BIN)/python -m bench.users

.PHONY: docs
docs: $(INSTALLED) ## Write the pages in docs/ that are made from the code
	@$(BIN)/kpi docs

.PHONY: lock
lock: $(DEV_INSTALLED) ## Resolve the dependencies again, with hashes and without index addresses
	$(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group build --group dev --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
		-o requirements-dev.lock
	printf 'psycopg2-binary==2.9.*\nasyncpg==0.*\n' | $(BIN)/uv pip compile - --universal \
		--python-version 3.11 --no-deps --generate-hashes --no-header --no-annotate \
		--no-emit-index-url -o requirements-postgres.lock

.PHONY: clean
clean: ## Remove what was installed and written: .venv, out/, caches
	rm -rf $(VENV) out dbt_project/target dbt_project/logs logs \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests dags bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# A virtual environment is made once and kept while the locked requirements stay as they are.
$(BIN)/python:
	@./.ci/python --make-venv $(VENV)

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the locked requirements into $(VENV), once; it takes a minute or two …"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-build-isolation -e .
	@touch $@

$(DEV_INSTALLED): requirements-dev.lock $(INSTALLED) | $(BIN)/python
	@echo "Installing what tests and checks need into $(VENV), once …"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
