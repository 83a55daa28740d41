# The one entry. Each target does all the set-up that it needs; the set-up is done anew only when its inputs change.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --quiet --disable-pip-version-check
RUNTIME := $(VENV)/.runtime-is-set-up
DEVELOPMENT := $(VENV)/.development-is-set-up
unexport PYTHONDONTWRITEBYTECODE  # each process that the tests start would compile the relay anew
COMPILE := $(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-install check compiled lint crash siege fuzz bench requirements wheel deb release clean

help: ## Show this help
	@echo "make demo is the quickest look at the relay. Every target sets up what it needs, in $(VENV)."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /  \1:/p' $(MAKEFILE_LIST) | while IFS=: read -r name text; do \
		printf '  make %-14s %s\n' "$$name" "$$text"; done
	@echo
	@echo "  PYTHON=python3.12 chooses another Python; DEMO= keeps the demo running; TESTS=tests/rules runs a part."

install: $(RUNTIME) ## Set up the relay and its command, .venv/bin/relay

DEMO ?= --once
demo: $(RUNTIME) ## Run the main job once, against a stand-in provider on this machine
	@$(VENV)/bin/relay demo $(DEMO)

# Most tests wait for something: twice as many at a time as there are processors, the longest first.
TESTS ?=
WORKERS ?= $(shell expr 2 \* $$(nproc 2>/dev/null || echo 1))
test: $(DEVELOPMENT) ## Run all tests
	@$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --maxschedchunk 2 $(TESTS)

lint: $(DEVELOPMENT) ## Check style, format, types and layers
	@$(VENV)/bin/ruff check --quiet
	@$(VENV)/bin/ruff format --check --quiet
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo

# Each of the tests' workers would compile all tests for itself: it is done once, beside the linters.
check: ## Do all that CI does: lint, types, layers, tests
	@$(MAKE) --no-print-directory --jobs 2 lint compiled
	@$(MAKE) --no-print-directory test

compiled: $(DEVELOPMENT)
	@$(VENV)/bin/python -m pytest --collect-only --quiet >/dev/null || true  # what is wrong, the tests say

CRASH ?= --kills 200
crash: $(DEVELOPMENT) ## Kill the service 200 times under load and prove that nothing is lost (CRASH="--kills 50 --seed 1")
	@$(VENV)/bin/python -m tests.crash.harness $(CRASH)

INSTALL ?=
test-install: deb $(DEVELOPMENT) ## Install both packages on booted Debians, by the README alone, as root (INSTALL="--debian 13")
	@$(VENV)/bin/python -m tests.install.run $(INSTALL)

SIEGE ?=
siege: $(DEVELOPMENT) ## Send hostile input and measure how long another session waits beside it (SIEGE="--every 10 --body 8")
	@$(VENV)/bin/python -m tests.siege.siege $(SIEGE)

FUZZ ?= --minutes 10
fuzz: $(DEVELOPMENT) ## Give hostile inputs to each border for ten minutes (FUZZ="--minutes 1 --only header")
	@$(VENV)/bin/python -m tests.fuzz.run $(FUZZ)

bench: $(DEVELOPMENT) ## Measure the relay beside Postfix (BENCH=--quick tries it, BENCH=--write keeps the figures)
	@$(VENV)/bin/python -m bench.run $(BENCH)

wheel: $(RUNTIME)
	@rm -f dist/*.whl dist/SHA256SUMS
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

SUITES ?= bookworm trixie
deb: wheel ## Build the packages for Debian 12 and 13 into dist/, as root (MIRROR=http://... for another mirror of Debian)
	@MIRROR="$(MIRROR)" DEB_VERSION="$(DEB_VERSION)" PYTHON="$(VENV)/bin/python" debian/build $(SUITES)

release: ## Build all that is given away: wheel, both packages, checksums
	@rm -rf dist
	@$(MAKE) --no-print-directory deb
	@cd dist && sha256sum -- *.whl *.deb > SHA256SUMS && ls

requirements: $(VENV)/bin/pip ## Choose the newest versions and write requirements/*.txt
	@$(PIP) install uv
	@$(COMPILE) pyproject.toml --extra fast --output-file requirements/runtime.txt
	@$(COMPILE) --group build --output-file requirements/build.txt
	@$(COMPILE) pyproject.toml --extra fast --group dev \
		--constraint requirements/runtime.txt --constraint requirements/build.txt --output-file requirements/dev.txt

clean: ## Remove the set-up and all caches
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The relay needs Python 3.11 or newer; '$(PYTHON)' is not. Try: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# The package is installed in place, without fetching anything that has no hash.
$(RUNTIME): requirements/runtime.txt requirements/build.txt pyproject.toml | $(VENV)/bin/pip
	@$(PIP) install --require-hashes --requirement requirements/runtime.txt --requirement requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): requirements/dev.txt $(RUNTIME)
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@
