.DEFAULT_GOAL := help
.PHONY: help run gallery test test-system check fix bench lighthouse fuzz torture screenshots dist lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := src tests benchmarks examples fuzz torture frontend requirements hatch_build.py

# All targets share one environment. `run` installs the first lock; other targets add the second.
RUN_STAMP := $(VENV)/.run-installed
DEV_STAMP := $(VENV)/.dev-installed

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

run: $(RUN_STAMP) gallery ## Serve with the embedded engines (settings: docs/settings.md)
	@$(BIN)/safelight serve

# The script checks whether anything has changed.
gallery: | $(BIN)/python ## Build the frontend if it has changed
	@$(BIN)/python frontend/build.py --get-node

# More than cores, since most tests wait for programs; unit tests don't, and start once per worker.
WORKERS = $(if $(filter tests/unit%,$(ARGS)),logical,4)

test: $(DEV_STAMP) gallery ## Run the tests, with real PostgreSQL, real S3 and a real browser
	@$(BIN)/python frontend/build.py --get-node --packages
	@$(BIN)/python tests/support/browser.py
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-system: $(DEV_STAMP) gallery ## Run the tests that need root
	@$(BIN)/python -m pytest tests/system $(ARGS)

check: $(DEV_STAMP) gallery ## Run linters, type checkers and the import layers
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 4
	@$(BIN)/python frontend/check.py --get-node

fix: $(DEV_STAMP) ## Format, and fix what can be fixed automatically
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)
	@PYTHONPATH=tests $(BIN)/python -m support.reference
	@$(BIN)/python frontend/check.py --fix

bench: $(DEV_STAMP) ## Run the benchmarks and print a table
	@$(BIN)/python benchmarks/run.py $(ARGS)

lighthouse: $(DEV_STAMP) gallery ## Measure the gallery with Lighthouse, with 2,000 photos, as desktop and phone
	@$(BIN)/python tests/support/browser.py
	@PYTHONPATH=tests $(BIN)/python benchmarks/lighthouse.py $(ARGS)

fuzz: $(DEV_STAMP) ## Decode damaged images for half an hour
	@PYTHONPATH=tests $(BIN)/python fuzz/fuzzer.py $(ARGS)

torture: $(DEV_STAMP) ## Kill servers and engines 200 times under load, and check that nothing is lost
	@PYTHONPATH=tests $(BIN)/python torture/torture.py $(ARGS)

screenshots: $(DEV_STAMP) gallery ## Take the README's screenshots again
	@$(BIN)/python tests/support/browser.py
	@PYTHONPATH=tests $(BIN)/python tests/support/screenshots.py

dist: $(DEV_STAMP) ## Build the wheel, the source archive and a list of all packages (SBOM) into dist/
	@$(BIN)/python -m build --no-isolation --outdir dist .
	@$(BIN)/python requirements/sbom.py dist

lock: $(DEV_STAMP) ## Update all dependencies to their newest versions in requirements/
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --extra embedded --extra heic --group build pyproject.toml --output-file requirements/run.lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --extra embedded --extra heic --extra otel --group dev --constraints requirements/run.lock \
	  pyproject.toml --output-file requirements/dev.lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --group node --output-file requirements/node.lock

clean: ## Remove everything that was built or installed here, but no photos
	rm -rf $(VENV) dist build src/safelight/web/gallery_files frontend/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Safelight needs Python 3.11 or newer: set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Installing Safelight into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): requirements/dev.lock $(RUN_STAMP)
	@echo "Installing the development tools …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@
