# `make run` shows the product, `make test` checks it. Both need Python 3.11 or newer and nothing else.
# PYTHON=/path/to/python chooses one; otherwise the newest on the PATH is taken.

.DEFAULT_GOAL := help
.PHONY: help run test lint audit pytest coverage long properties chaos bench wheel docs clean python

BIN := .venv/bin
NEWEST = $(firstword $(foreach name,python3.14 python3.13 python3.12 python3.11 python3 python,$(shell command -v $(name) >/dev/null 2>&1 && $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(name))))
PYTHON ?= $(NEWEST)
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check

help: ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

run: .venv/run ## the whole bridge against a simulated Calls API, with real webhooks; calls nobody
	@$(BIN)/callbridge demo

test: lint audit pytest wheel ## everything CI checks

lint: .venv/test ## format, lint, types, imports, dependencies, the example configuration
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/callbridge check config.example.yaml

audit: .venv/test ## known vulnerabilities among the dependencies; blocks nothing, and says so where the database cannot be asked
	@mkdir -p build
	@$(BIN)/pip-audit --skip-editable --progress-spinner off --timeout 10 >build/audit.log 2>&1; found=$$?; \
	if grep -qE "could not be audited|ConnectionError|SSLError|Max retries exceeded" build/audit.log; then echo "audit: the database of vulnerabilities cannot be asked from here, so nothing was audited"; \
	elif [ $$found -ne 0 ]; then cat build/audit.log; echo "audit: see above; this blocks nothing"; \
	else echo "audit: no known vulnerabilities"; fi

SUITE = pytest -q --numprocesses $$($(BIN)/python -c "import os; print((os.cpu_count() or 1) + 1)") --dist load --maxschedchunk 4 --durations 15

pytest: .venv/test ## the tests
	@for name in "$${CHROMIUM:-chromium}" chromium-browser google-chrome none; do command -v "$$name" >/dev/null && break; done; \
	test "$$name" != none || echo "the pages are not tried in a browser, since there is none: apt-get install chromium, or set CHROMIUM=/path/to/one"
	$(BIN)/python -m $(SUITE)

coverage: .venv/test ## the tests, measuring what they reach, which takes half as long again
	$(BIN)/coverage erase
	$(BIN)/coverage run -m $(SUITE)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

long: .venv/test ## what the suite leaves out: more of the same, for some minutes
	$(BIN)/python -m pytest -q -m long --numprocesses 3

properties: .venv/test ## thousands of interleavings, for some ten minutes; a failure prints how to repeat it
	CALLBRIDGE_EXAMPLES=$${CALLBRIDGE_EXAMPLES:-3000} $(BIN)/python -m pytest -q -p no:randomly -o timeout=3600 --hypothesis-show-statistics tests/properties

chaos: .venv/test ## kill, freeze, fill and cut off the real processes for CHAOS_SECONDS, by CHAOS_SEED, and check every call
	$(BIN)/python -m chaos --seconds $${CHAOS_SECONDS:-300} $${CHAOS_SEED:+--seed $$CHAOS_SEED}

bench: .venv/bench ## measure everything docs/performance.md tells, for half an hour on a machine with nothing else to do; needs wrk
	@command -v wrk >/dev/null || { echo "wrk makes the load: apt-get install wrk, or brew install wrk"; exit 1; }
	$(BIN)/python -m benchmarks --out docs/performance.json $(BENCH)
	$(BIN)/python -m benchmarks.plot docs/performance.json docs/performance.svg

wheel: .venv/test ## build the wheel, and run the demo from it outside this folder
	rm -rf build/wheel && mkdir -p build
	$(BIN)/python -m build --wheel --outdir build/wheel . >build/wheel.log 2>&1 || { cat build/wheel.log; exit 1; }
	$(BIN)/python -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check build/wheel/*.whl
	cd build/wheel && venv/bin/callbridge check ../../config.example.yaml && venv/bin/callbridge demo --exit --port 8500 >demo.txt || { cat demo.txt; exit 1; }
	@tail -n 1 build/wheel/demo.txt

docs: .venv/test ## write the README's table of kinds from the adapters
	$(BIN)/python docs/table.py

clean: ## remove what the other targets made; the ledger in data/ stays
	rm -rf .venv build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/run: pyproject.toml | .venv/bin/python
	$(PIP) install --upgrade pip
	$(PIP) install --editable .
	@touch $@

.venv/test: pyproject.toml | .venv/bin/python
	$(PIP) install --upgrade pip
	$(PIP) install --editable '.[test]'
	@touch $@ .venv/run

.venv/bench: .venv/test
	$(PIP) install --editable '.[bench,test]'
	@touch $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none is on the PATH: install it, or name it with make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11: name a newer one with make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) comes without venv: on Debian and Ubuntu, apt-get install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); on Fedora, dnf install python3-pip"; exit 1; }
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
