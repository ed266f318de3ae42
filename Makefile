# One verb per chore, the same by hand and in CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINI := dataset/mini

.DEFAULT_GOAL := help
.PHONY: help setup demo reproduce reproduce-eval test suite test-slow test-trackers bench gpu-check lint format clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## make .venv with everything in it

# Flags of pip's own, as PIP_FLAGS="-c constraints.txt", are obeyed in a .venv that is there, too.
ifneq ($(strip $(PIP_FLAGS)),)
.PHONY: $(VENV)/installed
endif

$(VENV)/installed: requirements.txt requirements-dev.txt requirements-timm.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "make setup: Python 3.10 or newer is needed; name one with make PYTHON=python3.12 setup")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --progress-bar on $(PIP_FLAGS) -r requirements.txt -r requirements-timm.txt -r requirements-dev.txt
	@touch $@

demo: setup ## the whole experiment in miniature: build images, train, sweep, print the table
	$(BIN)/python -m minibench.build --out $(MINI)
	$(BIN)/python train.py --name demo --preset minibench --dataroot $(MINI) --continue_train
	$(BIN)/python eval.py --model_path checkpoints/demo/model_epoch_latest.pth --dataroot $(MINI)/test --name demo
	$(BIN)/python -m minibench.compare results/demo

# With FLAGS="--dry_run", say, which docs/reproduce.md lists.
reproduce: setup ## the paper at full size: download 96 GB, train its two models, sweep, compare
	$(BIN)/python -m tools.reproduce $(FLAGS)

reproduce-eval: setup ## the same with the published weights: download 20 GB, sweep, compare
	$(BIN)/python -m tools.reproduce --released $(FLAGS)

PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

test: lint suite ## the test suite, linters and types first; -j2: beside it

suite: setup
	$(PYTEST) -m "not slow"

test-slow: setup ## every study and the paper's reproduction, in small: minutes more
	$(PYTEST) -m slow

# In a folder of their own: Trackio wants an older Pillow than the rest has.
$(VENV)/trackers: requirements-trackers.txt | setup
	$(BIN)/pip install --quiet --upgrade --target $@ -r $<
	@touch $@

test-trackers: $(VENV)/trackers ## the tests of --tracker, with Weights & Biases and Trackio
	REQUIRE_TRACKERS=1 OMP_NUM_THREADS=1 PYTHONPATH=$(VENV)/trackers \
		$(BIN)/python -m pytest -n 2 tests/test_trackers.py tests/test_trackers_report.py

bench: setup ## measure against the reference recipe, into docs/benchmarks.md; alone on the machine
	$(BIN)/python -m benchmarks

# Both go on where the tests fail: what works on a GPU is worth knowing, too.
gpu-check: setup ## test and measure a GPU, into docs/benchmarks-gpu.md; alone on the machine
	TEST_DEVICE=auto $(BIN)/python -m pytest tests/test_gpu.py; tests=$$?; \
		$(BIN)/python -m benchmarks.gpu $(FLAGS) && exit $$tests

lint: setup ## ruff and mypy
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

format: setup ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what the demo made; .venv stays
	rm -rf $(MINI) checkpoints/demo results/demo
