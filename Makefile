# A fresh machine needs Python 3.11 or later (with venv) and make, nothing else.
#
#   make demo    the example shop under uvicorn, driven with real requests; ends by itself
#   make test    the tests
#
# All targets share one virtual environment, .venv, made at the first use and again only when pyproject.toml
# or constraints.txt change. PYTHON=python3.13 make test takes another interpreter for a new one.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format type docs pictures bench ci clean

help:  ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fapilog needs Python 3.11 or later; $(PYTHON) is older or missing. Try: make PYTHON=python3.13 ..." >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV) ..."; $(PYTHON) -m venv $(VENV); } || \
		{ rm -rf $(VENV); echo "this Python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing what constraints.txt pins into $(VENV) (a minute the first time) ..."
	@$(PIP) install --constraint constraints.txt pip
	@$(PIP) install --constraint constraints.txt --group build
	@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[all]' --group test --group lint --group demo
	@touch $@

demo: $(READY)  ## Run the example shop, drive it, show what was logged, end
	@$(BIN)/python -m example_app.demo

serve: $(READY)  ## Run the example shop until Ctrl-C
	@$(BIN)/python -m example_app.serve

test: $(READY)  ## Run all tests; PYTEST_ARGS="-k name" for some
	@$(BIN)/python -m pytest -q $(PYTEST_ARGS)

lint: $(READY)  ## Check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(READY)  ## Repair style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

type: $(READY)  ## Check types: mypy on the code, pyright on the public surface
	@$(BIN)/mypy
	@$(BIN)/pyright

docs: $(READY)  ## Write docs/options.md from the option classes, docs/dashboards from the metrics
	@$(BIN)/python -m fapilog.config.table > docs/options.md.new
	@mv docs/options.md.new docs/options.md
	@$(BIN)/python -m docs.dashboards.generate

pictures: $(READY)  ## Take the pictures of the console in docs/images, with Chromium
	@FAPILOG_PICTURES=docs/images $(BIN)/python -m pytest -q tests/e2e/console/test_screenshots.py

bench: $(READY)  ## Measure beside the rivals and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks.run

ci: ## What CI runs
	@bash .ci/run

clean:  ## Remove the virtual environment and every cache
	rm -rf $(VENV) .bench .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
