# Each target makes .venv by itself; a second call installs nothing.
# Paths are relative on purpose: make cannot carry a space in a target's name, and a clone may lie anywhere.

PYTHON ?= python3
ARGS ?=

PIP := .venv/bin/python -m pip --disable-pip-version-check
# crcmod, antlr4 and the OBS SDK come as source, which a bare venv without `wheel` builds only in isolation.
INSTALL := $(PIP) install --use-pep517 --constraint constraints.txt
UNFIT := import sys; v = sys.version_info[:2]; \
	sys.exit(None if (3, 9) <= v <= (3, 12) else "{} is Python {}.{}; MindRun needs 3.9 to 3.12: name one \
	with make PYTHON=python3.11".format(sys.argv[1], *v))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv run test check shape bench docs lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile
	@echo '  ARGS="..." goes to run.py, pytest or the benchmarks; PYTHON=python3.11 chooses what .venv is made with'

venv: .venv/.dev  ## make .venv with all that tests and checks need

run: .venv/.runtime  ## run the job: make run ARGS="mode.epochs=3"
	.venv/bin/python run.py $(ARGS)

test: .venv/.dev  ## run the tests
	.venv/bin/python -m pytest -q --numprocesses 2 --dist loadfile --max-worker-restart 0 $(ARGS)

check: .venv/.dev  ## lint, format, types, architecture
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m mypy
	.venv/bin/python -m pytest -q tests/test_architecture.py

shape: .venv/.dev  ## print how the house is built, in numbers
	.venv/bin/python -m tests.shape

bench: .venv/.bench  ## measure each claim of speed beside other tools
	.venv/bin/python -m benchmarks $(ARGS)

docs: .venv/.dev  ## write the made pages, pictures and JSON Schemas anew, from the code
	.venv/bin/python -m docs.reference

lock: .venv/.made  ## choose the versions in constraints.txt anew, for every Python and platform
	$(PIP) install --quiet uv
	.venv/bin/python -m uv pip compile pyproject.toml --universal --python-version 3.9 --all-extras \
		--upgrade --quiet --no-annotate --no-emit-index-url --custom-compile-command "make lock" \
		--output-file constraints.txt

clean:  ## remove .venv and caches; data, outputs and exports stay
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made last in its recipe, so that a venv which was interrupted half-way is made again.
.venv/.made:
	@command -v "$(PYTHON)" >/dev/null || \
		{ echo "$(PYTHON) is not on the PATH; MindRun needs Python 3.9 to 3.12: name one with make PYTHON=python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c '$(UNFIT)' "$(PYTHON)"
	"$(PYTHON)" -m venv .venv
	@touch .venv/.made

.venv/.runtime: pyproject.toml constraints.txt | .venv/.made
	$(INSTALL) --editable .
	@touch .venv/.runtime

.venv/.dev: pyproject.toml constraints.txt | .venv/.made
	$(INSTALL) --editable ".[obs,fast,dev]"
	@touch .venv/.runtime .venv/.dev

.venv/.bench: pyproject.toml constraints.txt | .venv/.made
	$(INSTALL) --editable ".[obs,fast,dev,bench]"
	@touch .venv/.runtime .venv/.dev .venv/.bench
