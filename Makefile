# Few commands, each doing all that it needs: `make run` on a fresh machine is enough.

# Empty: the first Python that is recent enough.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help

.PHONY: help setup run test lint fuzz bench docs lock

help:            ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:           ## what run and test share: system packages, .venv, dependencies from the lock
	@PYTHON="$(PYTHON)" scripts/setup service

run: setup       ## the service, its monitor and, without targets of your own, a demo shop
	@# Where make is killed, the service ends too.
	@exec setpriv --pdeathsig TERM $(BIN)/python -m service.run

test:            ## the whole suite, on real servers
	@PYTHON="$(PYTHON)" scripts/setup test
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint:            ## format, rules, types, layers, docs that match the code
	@PYTHON="$(PYTHON)" scripts/setup dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/reference_pages.py --check

fuzz:            ## ever new examples for what reads other people's texts, MINUTES=10
	@PYTHON="$(PYTHON)" scripts/setup dev
	$(BIN)/python scripts/fuzz.py --minutes $(or $(MINUTES),10)

bench:           ## every figure we claim, measured here
	@PYTHON="$(PYTHON)" scripts/setup bench
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs:            ## reference pages from the code
	@PYTHON="$(PYTHON)" scripts/setup dev
	$(BIN)/python scripts/reference_pages.py

lock:            ## the hashed locks, anew from pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--extra service --group dev pyproject.toml -o requirements/dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--extra service -c requirements/dev.lock pyproject.toml -o requirements/service.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--group bench -c requirements/dev.lock -o requirements/bench.lock
