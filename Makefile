.DEFAULT_GOAL := help
.PHONY: help run gallery test check fix bench fuzz torture screenshots dist lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := src tests benchmarks examples fuzz torture frontend hatch_build.py

# One environment for all targets. `run` needs only the first lock; the second adds the tools.
RUN_STAMP := $(VENV)/.run-installed
DEV_STAMP := $(VENV)/.dev-installed

help: ## Tell what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

run: $(RUN_STAMP) gallery ## Serve the gallery on the embedded engines (settings: docs/settings.md)
	@$(BIN)/safelight serve

# It tells by itself whether anything has changed.
gallery: | $(BIN)/python ## Build the gallery, if anything of it has changed
	@$(BIN)/python frontend/build.py --get-node

test: $(DEV_STAMP) gallery ## Run the tests, on real PostgreSQL, real S3 and a real browser
	@$(BIN)/python frontend/build.py --get-node --packages
	@$(BIN)/python tests/browser.py
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(DEV_STAMP) gallery ## Run the linters, the type checker and the check of the layers
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 4
	@$(BIN)/python frontend/check.py --get-node

fix: $(DEV_STAMP) ## Format, and mend what can be mended by itself
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/python frontend/check.py --fix

bench: $(DEV_STAMP) ## Measure against the tutorial's way, and print a table
	@$(BIN)/python benchmarks/run.py $(ARGS)

fuzz: $(DEV_STAMP) ## Spoil pictures for half an hour, and put them through the darkroom
	@PYTHONPATH=tests $(BIN)/python fuzz/fuzzer.py $(ARGS)

torture: $(DEV_STAMP) ## Kill servers and engines 200 times under load, and look for what is lost
	@PYTHONPATH=tests $(BIN)/python torture/torture.py $(ARGS)

screenshots: $(DEV_STAMP) gallery ## Make the README's picture anew
	@$(BIN)/python tests/browser.py
	@$(BIN)/python tests/acceptance/screenshots.py

dist: $(DEV_STAMP) ## Build the wheel and the source archive into dist/
	@$(BIN)/python -m build --no-isolation --outdir dist .

lock: $(DEV_STAMP) ## Resolve the newest versions of everything into requirements/
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --extra embedded --extra heic --group build pyproject.toml --output-file requirements/run.lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --extra embedded --extra heic --extra otel --group dev --constraints requirements/run.lock \
	  pyproject.toml --output-file requirements/dev.lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --group node --output-file requirements/node.lock

clean: ## Remove what was made here, but never the photos
	rm -rf $(VENV) dist build src/safelight/web/gallery_files frontend/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Safelight needs Python 3.11 or newer: set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Installing what Safelight needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): requirements/dev.lock $(RUN_STAMP)
	@echo "Installing the tools for developers …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@
