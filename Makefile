# make run   sets up .venv and runs the main job on the embedded default (recipes/quickstart.yaml)
# make test  sets up .venv and passes the tests
# make help  says what else there is
#
# Where pip does not find torch's CPU wheel by itself:  make run TORCH_INDEX=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(wildcard kernels/csrc/*.* kernels/csrc/core/*.*) CMakeLists.txt
export PYTHONSAFEPATH := 1
export PYTHONDONTWRITEBYTECODE :=  # compiled modules are kept: importing vLLM takes 6 CPU seconds instead of 18
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: run test lint format types setup bench gpu-check clean
.DEFAULT_GOAL := help

help:  ## this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: setup  ## the main job: queries in, verified dataset and trained student out
	$(BIN)/reasonmill run recipes/quickstart.yaml

# one worker a core, each loads torch and at times vLLM: 4 at most; the next test goes to whoever is idle
test: setup $(VENV)/.compiler  ## all tests of this machine
	$(BIN)/pytest -q --durations=15 --numprocesses=auto --maxprocesses=4 --dist=worksteal

# BENCH: the stages to measure, all of them by default; SCALE: ci takes minutes on two cores
BENCH ?=
SCALE ?= ci
bench: setup  ## figures of the stages beside their targets and peers: make bench BENCH=packing
	$(BIN)/reasonmill bench $(BENCH) --scale $(SCALE)

# GPU_PYTHON: one that has torch, Triton, NumPy and pytest (the part `train`: reasonmill[cuda,train]); Liger and QuACK are measured beside ours where it has them
GPU_PYTHON ?= python3
GPU_RESULT ?= bench/results/kernels-gpu.json
gpu-check:  ## the kernels' tests and benches, and whole training steps, on this machine's GPU, under 10 minutes
	@mkdir -p build/view && ln -sfn ../.. build/view/reasonmill
	PYTHONPATH=$(CURDIR)/build/view $(GPU_PYTHON) -m reasonmill.bench.gpu.check --output $(GPU_RESULT)

lint: setup  ## style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: setup  ## mend style
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

types: setup  ## mypy, strict
	@mkdir -p build/typecheck && ln -sfn ../.. build/typecheck/reasonmill
	$(BIN)/mypy

setup: $(VENV)/.installed  ## .venv with pinned CPU versions and this project, editable

$(VENV)/.installed: $(VENV)/.locked pyproject.toml $(NATIVE)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.locked: requirements/cpu.lock requirements/system.sh
	PYTHON=$(PYTHON) sh requirements/system.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	TORCH_INDEX=$(TORCH_INDEX) sh requirements/install.sh $(BIN)/python
	@touch $@

$(VENV)/.compiler: requirements/kernels.lock $(VENV)/.locked
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile -r $< && touch $@ || \
	echo "warning: Triton did not install, so its kernels are neither compiled nor interpreted: those tests are skipped" >&2

clean:  ## everything that make made, runs apart
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .hypothesis
