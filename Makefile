# badc_assets: set-up, checks and everyday commands. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo ui lint test test-system test-hawkears test-containers bench format clean

# dagster, git-annex and datalad are started by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# git refuses to commit without an author. Where the user has none, one is lent to these commands only.
ifeq ($(shell git config user.email 2>/dev/null),)
export GIT_AUTHOR_NAME ?= badc
export GIT_AUTHOR_EMAIL ?= badc@localhost
export GIT_COMMITTER_NAME ?= $(GIT_AUTHOR_NAME)
export GIT_COMMITTER_EMAIL ?= $(GIT_AUTHOR_EMAIL)
endif

help:  ## list the commands
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

setup: $(READY)  ## create .venv with everything in it (PYTHON=python3.12 to choose the interpreter)

# .incomplete marks a set-up under way: where a killed one left it behind, .venv is made anew.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "badc_assets needs Python 3.11 or later, and '$(PYTHON)' is not: try make setup PYTHON=python3.11" >&2; exit 1; }
	@if [ -e $(VENV)/.incomplete ]; then echo "an earlier set-up was interrupted: starting over"; rm -rf $(VENV); fi
	@mkdir -p $(VENV) && rm -f $(READY) && touch $(VENV)/.incomplete
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --no-compile --no-input --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.incomplete && mv $(VENV)/.incomplete $@

demo: setup  ## make a small dataset, run every stage on it, and say where the report is
	$(BIN)/badc demo

ui: setup  ## open Dagster's web page on the same data (this machine only)
	$(BIN)/badc ui

lint: setup  ## check style, types and the order of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

test: lint  ## lint, then run the tests that need only the Python packages
	$(BIN)/pytest -n auto --maxprocesses=4 -m 'not system'

test-system: setup  ## run the tests that need Chromium, SLURM or PostgreSQL (installed from Debian packages where allowed)
	scripts/install_system.sh
	$(BIN)/pytest -m system -rs

HAWKEARS ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/badc_assets/environments/hawkears/bin/python

test-hawkears: setup  ## run the real HawkEars in its own environment (7 GB; HAWKEARS=its interpreter) on real checkpoints
	test -x $(HAWKEARS) || $(BIN)/badc detectors setup hawkears || test -x $(HAWKEARS)
	BADC_HAWKEARS_PYTHON=$(HAWKEARS) $(BIN)/pytest -rs -k real_hawkears

test-containers: setup  ## build the container images with each builder that is here (gigabytes)
	BADC_BUILD_IMAGES=1 $(BIN)/pytest -rs -m system badc_assets_tests/test_containers.py

bench: setup  ## measure speed on this machine
	$(BIN)/python -m benchmarks.run

format: setup  ## put the code into the project's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## remove .venv and caches; data/ stays
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -path ./data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
