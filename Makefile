# Everything a developer runs. `make` sets up by itself: uv, Python packages and tools are cached outside the checkout.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help demo test test-fast up down reset check generate histories migration bench tools clean requirements

export GROUNDWORK_CACHE ?= $(HOME)/.cache/groundwork
export UV_CACHE_DIR ?= $(GROUNDWORK_CACHE)/uv-cache
# Where it is set, each of the many processes that the tests start would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

DATA ?= $(HOME)/.local/share/groundwork
PYTHON := .venv/bin/python
GROUNDWORK := .venv/bin/groundwork
READY := .venv/.ready
# What the tests start. Of all of these only terraform can't be built, so it has to be on PATH.
TEST_TOOLS := temporal tofu terraform terraform-provider-time versitygw git gpg curl zip

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements/dev.txt pyproject.toml tools/setup.sh
	@tools/setup.sh
	@touch $@

demo: $(READY) ## See the product do its main job on this machine, then stop it
	@$(PYTHON) -m tools.ensure temporal terraform,tofu terraform-provider-time git gpg
	@$(GROUNDWORK) demo

test: $(READY) ## Run all tests, with real servers and tools
	@$(PYTHON) -m tools.ensure $(TEST_TOOLS)
	@$(PYTHON) -m pytest -n 3 --dist worksteal --durations=10 $(ARGS)

test-fast: $(READY) ## Run the tests that start no server
	@$(PYTHON) -m pytest -n 2 -m "not servers" --durations=5 $(ARGS)

up: $(READY) ## Start everything in the background and print where it is (DATA=folder)
	@$(PYTHON) -m tools.ensure temporal terraform,tofu git gpg
	@$(GROUNDWORK) dev --home "$(DATA)" --detach

down: $(READY) ## Stop what `make up` started
	@$(GROUNDWORK) dev --home "$(DATA)" --stop

reset: $(READY) ## Delete all data of `make up`, after asking (FORCE=1 does not ask)
	@if [ "$(FORCE)" != 1 ]; then printf 'delete everything in %s? [y/N] ' "$(DATA)"; read -r answer; [ "$$answer" = y ]; fi
	@$(GROUNDWORK) dev --home "$(DATA)" --stop
	@rm -rf -- "$(DATA)" && echo "deleted $(DATA)"

check: $(READY) ## Hold the code to its rules: style, types, imports, sizes, generated files
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-cache
	@$(PYTHON) -m tools.checks
	@$(PYTHON) -m tools.generate --check

generate: $(READY) ## Write the generated files anew: reference pages, OpenAPI document
	@$(PYTHON) -m tools.generate

histories: $(READY) ## Record how this version's workflows go, for the replay tests
	@$(PYTHON) -m tests.workflows.record_histories

migration: $(READY) ## Write a new migration from the tables' changes (M="add a column")
	@$(PYTHON) -m tools.migration "$(M)"

bench: $(READY) ## Run the benchmarks (some of them: ONLY="start redaction registry documents search catalogue runs")
	@$(PYTHON) -m tools.ensure $(TEST_TOOLS)
	@$(PYTHON) -m bench $(ONLY)

tools: $(READY) ## Find or build the command line tools (NAMES="tofu temporal")
	@$(PYTHON) -m tools.ensure $(or $(NAMES),$(TEST_TOOLS))

requirements: $(READY) ## Compile the pinned requirements from pyproject.toml
	@tools/requirements.sh

clean: ## Delete what was made in the checkout; caches outside it stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist var
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
