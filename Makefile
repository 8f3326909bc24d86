# Tadachi. `make` lists the targets. Everything is installed below .venv/ and webui/frontend/node_modules/.

PYTHON ?= python3
# Files in the order of their names, so that the few long ones (benches, browser) come first: by number of tests they would come last.
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
FRONTEND := webui/frontend
BUILT := webui/static/built/.stamp
FRONTEND_SOURCES := $(shell find $(FRONTEND) -name node_modules -prune -o -type f -print) webui/static/app.css $(wildcard webui/static/icons/*.svg)

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help setup run demo-reset test services lint bench clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED) $(BUILT)  ## install what is needed and build the front end (again only when something changed)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tadachi needs Python 3.11 or later; name one with PYTHON=…")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Tadachi and its libraries into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,dev]'
	@touch $@

$(BUILT): $(FRONTEND_SOURCES) | $(INSTALLED)
	@sh $(FRONTEND)/build.sh $(BIN)/python
	@touch $@

run: setup  ## start Tadachi with the demonstration office, web and worker side by side
	@$(BIN)/tadachi run --demo

demo-reset: setup  ## put the demonstration back to its first state
	@$(BIN)/tadachi demo-reset

services:
	@sh tests/services.sh

test: setup services lint  ## check everything: ruff, mypy, then every test
	@status=0; $(BIN)/python -m pytest $(PYTEST_ARGS) || status=$$?; sh tests/services.sh report; exit $$status

lint: setup  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: setup  ## measure against the budgets of docs and against peers, in one run
	@$(BIN)/python -m tests.bench

clean:  ## remove what was installed, built and cached (databases in var/ stay)
	rm -rf $(VENV) $(FRONTEND)/node_modules webui/static/built build tadachi.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find engine webui migrations tests -name __pycache__ -type d -prune -exec rm -rf {} +
