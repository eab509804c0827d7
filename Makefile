# Every target sets up what it needs, in this checkout alone: .venv (Airflow and the provider), sandbox/.venv (the stand-ins).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3.11
ROWS ?= 200000
STATE ?= .sandbox
JOBS ?= 2

UV := .cache/bootstrap/bin/uv
INSTALL := $(UV) pip install --quiet --require-hashes
BIN := .venv/bin
SANDBOX := sandbox/.venv/bin/python -m sandbox
WITH_ENV := set -a; . $(STATE)/env; set +a; export PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: help demo test test-long test-faults test-wheel test-readme test-compose test-matrix test-pooler test-second-engine test-ui walk lint format sandbox sandbox-down fill up down build bench bench-scale lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .venv/.runtime sandbox fill  ## copy two tables from the Snowflake stand-in to PostgreSQL by the real DAG
	@$(WITH_ENV); $(BIN)/python -m sandbox.demo

test: lint .venv/.dev sandbox/.venv/.ready  ## linters and the whole test suite, in JOBS=2 processes with a sandbox each
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST)

test-long: .venv/.dev sandbox/.venv/.ready  ## new draws for the generated tests (5,000 files, 1,000 whole runs), and nightly runs over the real scheduler
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -m "hypothesis and not alone" $(PYTEST)
	$(BIN)/python -m pytest -m alone tests/dags $(PYTEST)

test-faults: .venv/.dev sandbox/.venv/.ready  ## the whole fault suite: long, kills and breaks what it started (SNOWMELT_FAULT_SEED=…)
	SNOWMELT_FAULTS=1 $(BIN)/python -m pytest tests/faults $(PYTEST)

test-wheel: .venv/.dev  ## the wheel in a plain Airflow, without this checkout
	$(BIN)/python -m pytest -m alone tests/packaging $(PYTEST)

test-readme: .venv/.dev sandbox/.venv/.ready  ## the README's commands, one after another
	$(BIN)/python -m pytest -m alone tests/docs $(PYTEST)

test-matrix: .venv/.dev sandbox/.venv/.ready .venv-airflow-3.1/.ready .venv-airflow-3.2/.ready .cache/postgres/.ready  ## whole copies on each older version of Airflow, with the providers of its time, and of PostgreSQL
	$(BIN)/python -m pytest -m alone tests/matrix $(PYTEST)

test-compose: .venv/.dev .venv-celery/.ready sandbox/.venv/.ready  ## docker-compose.yaml's commands as processes, a worker killed on the way
	@command -v redis-server >/dev/null || { echo "redis-server is needed: apt-get install redis-server"; exit 1; }
	$(BIN)/python -m pytest -m alone tests/compose $(PYTEST)

test-pooler: .venv/.dev sandbox/.venv/.ready  ## whole copies through PgBouncer in its modes of pooling
	@command -v pgbouncer >/dev/null || { echo "pgbouncer is needed: apt-get install pgbouncer"; exit 1; }
	$(BIN)/python -m pytest -m alone tests/pooler $(PYTEST)

test-second-engine: .venv/.dev .venv-second-engine/.ready sandbox/.venv/.ready  ## compare the answers of the stand-in with the documentation and another engine; into docs/live-account.md
	$(BIN)/python -W ignore -m tests.second_engine

test-ui:  ## the pages in a real Chromium, and their pictures in docs/pictures
	@$(MAKE) --no-print-directory walk STATE=.sandbox-ui ROWS=300000
	$(BIN)/python -m pytest -m alone tests/ui $(PYTEST)

walk: .venv/.runtime .cache/browser/.ready sandbox fill
	@$(WITH_ENV); code=0; $(BIN)/python -m tests.ui.walk || code=$$?; $(SANDBOX) down --state $(STATE); exit $$code

lint: .venv/.dev  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev  ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

sandbox: sandbox/.venv/.ready  ## start the stand-ins in the background; writes .sandbox/env
	@$(SANDBOX) up --state $(STATE)

sandbox-down: sandbox/.venv/.ready  ## stop the stand-ins, and remove what deleted ones left in the temporary folder
	@$(SANDBOX) down --state $(STATE)

# The runtime is there for the command that comes next: `airflow dags test` over what was filled.
fill: .venv/.runtime sandbox  ## put the demo tables into the Snowflake stand-in (ROWS=200000)
	@$(SANDBOX) fill --state $(STATE) --rows $(ROWS)

up: .venv/.runtime sandbox fill  ## Airflow with its web UI over the sandbox
	@$(WITH_ENV); $(BIN)/python -m sandbox.airflow up --state $(STATE)

down: sandbox/.venv/.ready  ## stop Airflow and the stand-ins
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m sandbox.airflow down --state $(STATE); fi
	@$(SANDBOX) down --state $(STATE)

build: .venv/.dev  ## the wheel, in dist/
	$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python
	@ls -1 dist/*.whl

bench: .venv/.dev .venv-bench/.ready sandbox/.venv/.ready  ## the benchmarks, into benchmarks/RESULTS.md (BENCH="load levers": some parts)
	$(BIN)/python -m benchmarks $(BENCH)

bench-scale: .venv/.dev sandbox/.venv/.ready  ## how it grows with rows, files and tasks, into benchmarks/SCALE.md: most of an hour (BENCH="by_rows dag": some parts)
	$(BIN)/python -m benchmarks --scale $(BENCH)

lock: $(UV)  ## write the lock files with hashes again, from requirements/*.in
	for name in bootstrap airflow dev sandbox bench celery second_engine; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command 'make lock' requirements/$$name.in --output-file requirements/$$name.txt; done
	for one in 3.1:2026-03-20 3.2:2026-06-15; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --exclude-newer $${one#*:} --exclude-newer-package pgpq=2026-09-01 \
	    --custom-compile-command 'make lock' requirements/airflow-$${one%:*}.in --output-file requirements/airflow-$${one%:*}.txt; done

clean: ## remove what the other targets made (not the sandbox's state: make sandbox-down first)
	@if [ -x sandbox/.venv/bin/python ]; then $(SANDBOX) clean --state $(STATE); fi
	rm -rf .venv .venv-airflow-* .venv-bench .venv-celery .venv-second-engine sandbox/.venv .cache dist build

.cache/bootstrap/bin/uv: requirements/bootstrap.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@echo "Preparing the installer in .cache/bootstrap: some seconds …"
	@$(PYTHON) -m venv .cache/bootstrap
	@.cache/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt

.cache/browser/.ready: tests/ui/package.json tests/ui/package-lock.json
	@command -v npm >/dev/null || { echo "Node.js with npm is needed for make test-ui: install your system's packages nodejs and npm"; exit 1; }
	@mkdir -p $(@D)
	@cp $^ $(@D)
	npm ci --silent --no-audit --no-fund --prefix $(@D)
	@touch $@

.cache/postgres/.ready: tests/matrix/package.json tests/matrix/package-lock.json
	@command -v npm >/dev/null || { echo "Node.js with npm is needed for make test-matrix: install your system's packages nodejs and npm"; exit 1; }
	@mkdir -p $(@D)
	@cp $^ $(@D)
	npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(@D)
	@touch $@

.venv/pyvenv.cfg: | $(UV)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv

sandbox/.venv/pyvenv.cfg: | $(UV)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) sandbox/.venv

.venv/.runtime: requirements/bootstrap.txt requirements/airflow.txt pyproject.toml | .venv/pyvenv.cfg
	@echo "Installing Airflow and the provider into .venv: about a minute the first time …"
	@$(INSTALL) --python $(BIN)/python -r requirements/bootstrap.txt -r requirements/airflow.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	@echo "Installing the linters and pytest into .venv: some seconds …"
	@$(INSTALL) --python $(BIN)/python -r requirements/dev.txt
	@touch $@

.venv-celery/pyvenv.cfg: | $(UV)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-celery

.venv-celery/.ready: requirements/bootstrap.txt requirements/celery.txt pyproject.toml | .venv-celery/pyvenv.cfg
	@echo "Installing Airflow with Celery into .venv-celery: about a minute the first time …"
	@$(INSTALL) --python .venv-celery/bin/python -r requirements/bootstrap.txt -r requirements/celery.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python .venv-celery/bin/python --editable .
	@touch $@

.PRECIOUS: .venv-airflow-%/pyvenv.cfg
.venv-airflow-%/pyvenv.cfg: | $(UV)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-airflow-$*

.venv-airflow-%/.ready: requirements/airflow-%.txt pyproject.toml | .venv-airflow-%/pyvenv.cfg
	@echo "Installing Airflow $* into .venv-airflow-$*: about a minute the first time …"
	@$(INSTALL) --python .venv-airflow-$*/bin/python -r requirements/airflow-$*.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python .venv-airflow-$*/bin/python --editable .
	@touch $@

.venv-second-engine/pyvenv.cfg: | $(UV)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-second-engine

.venv-second-engine/.ready: requirements/second_engine.txt | .venv-second-engine/pyvenv.cfg
	@echo "Installing the second engine into .venv-second-engine …"
	@$(INSTALL) --python .venv-second-engine/bin/python -r requirements/second_engine.txt
	@touch $@

sandbox/.venv/.ready: requirements/sandbox.txt | sandbox/.venv/pyvenv.cfg
	@echo "Installing the stand-ins into sandbox/.venv: half a minute the first time …"
	@$(INSTALL) --python sandbox/.venv/bin/python -r requirements/sandbox.txt
	@touch $@

.venv-bench/pyvenv.cfg: | $(UV)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-bench

.venv-bench/.ready: requirements/bench.txt | .venv-bench/pyvenv.cfg
	@echo "Installing the peers of the benchmarks into .venv-bench: about a minute the first time …"
	@$(INSTALL) --python .venv-bench/bin/python -r requirements/bench.txt
	@touch $@
