# make help says what there is. Everything lives in .venv; `make clean` removes it again.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
BIN := .venv/bin
PYTEST = $(BIN)/python -m pytest -n $(WORKERS)
ENVIRONMENT := setup.cfg pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check cluster faults bench screenshots clean postgres browser
.NOTPARALLEL:

help: ## 说明 this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.run-stamp ## 演示 a court, three agencies and the gateway on this machine, with synthetic people
	@$(BIN)/xianjie demo $(ARGS)

test: .venv/.dev-stamp postgres browser ## 测试 every test, on SQLite and PostgreSQL (ARGS="tests/unit -x" for some, WORKERS=0 for one process)
	@$(PYTEST) $(ARGS)

check: .venv/.dev-stamp postgres browser ## 检查 format, lint, types, import rings, then every test: what CI runs
	@echo "Format (ruff format)"; $(BIN)/ruff format --check --quiet .
	@echo "Lint (ruff check)"; $(BIN)/ruff check --quiet .
	@echo "Types (mypy --strict)"; $(BIN)/mypy
	@echo "Import rings (import-linter)"; $(BIN)/lint-imports --no-logo
	@echo "Tests (pytest)"; $(PYTEST) $(ARGS)

cluster: .venv/.dev-stamp ## 集群 the roster comparison on a local Spark cluster (needs Java) against the embedded engine
	@command -v java > /dev/null || { echo "Spark needs a Java runtime (17 or newer): apt-get install default-jre-headless"; exit 1; }
	@echo "Installing the extra 'cluster' (PySpark, 450 MB)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[cluster]'
	@$(BIN)/python -m pytest tests/bulk $(ARGS)

faults: .venv/.dev-stamp postgres ## 故障 crashes, I/O errors and lies, swept; four counts (ARGS="--seed 7 --runs 1 --verbose")
	@$(BIN)/python -m tests.faults $(ARGS)

bench: .venv/.dev-stamp postgres ## 基准 the exchange measured side by side with the alternatives
	@PYTHONPATH=. $(BIN)/python bench/exchange.py $(ARGS)

screenshots: .venv/.dev-stamp browser ## 截图 the pictures of docs/images, from the told cases
	@$(BIN)/python -m tests.browser.screenshots

clean: ## 清理 remove .venv, caches and build products
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ---------------------------------------------------------------------------------------------------

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "No $(PYTHON) here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Xianjie needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=python3.11 …"; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "This Python cannot make environments (no ensurepip). On Debian and Ubuntu, as root:"; \
	  $(PYTHON) -c 'import sys; print("  apt-get install python3.%d-venv" % sys.version_info[1])'; exit 1; }
	@echo "Making the environment .venv"
	@$(PYTHON) -m venv .venv

.venv/.run-stamp: $(ENVIRONMENT) | $(BIN)/python
	@echo "Installing what Xianjie needs to run (a minute the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[export,postgres]'
	@touch $@

.venv/.dev-stamp: $(ENVIRONMENT) | $(BIN)/python
	@echo "Installing what Xianjie needs to run and to be tested (a minute or two the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[export,postgres,sm,dev]'
	@touch .venv/.run-stamp $@

# PostgreSQL: the system's binaries, else the system's package (root), else a wheel; tests fail rather than go without.
postgres: .venv/.dev-stamp
	@$(BIN)/python -m tests.postgres 2> /dev/null && exit 0; \
	echo "No PostgreSQL server on this machine; the tests need its binaries (a private server, no running one)."; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  echo "Installing the package postgresql"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql; } > /dev/null 2>&1 || \
	    echo "The package could not be installed."; \
	fi; \
	$(BIN)/python -m tests.postgres 2> /dev/null && exit 0; \
	echo "Installing a PostgreSQL server from a wheel into .venv"; \
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[pgserver]' && \
	$(BIN)/python -m tests.postgres || echo "There is no PostgreSQL: every test that needs it will fail."

# Chromium: an installed one, else the system's package (root), else Playwright's; tests fail rather than go without.
browser: .venv/.dev-stamp
	@$(BIN)/python -m tests.chromium 2> /dev/null && exit 0; \
	echo "No Chromium on this machine; the tests of the pages drive one."; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  echo "Installing the packages chromium and fonts-noto-cjk"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-cjk; } > /dev/null 2>&1 || \
	    echo "The packages could not be installed."; \
	fi; \
	$(BIN)/python -m tests.chromium 2> /dev/null && exit 0; \
	echo "Installing Playwright's Chromium"; \
	$(BIN)/python -m playwright install chromium > /dev/null 2>&1; \
	$(BIN)/python -m tests.chromium || echo "There is no Chromium: every test of the pages in a browser will fail."
