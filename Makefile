# The commands of everyday work; `make help` lists them. CMake and the scripts in tools/ do the work.
.DEFAULT_GOAL := help
.PHONY: help setup build demo-repository serve demo test check format bench peer-check gpu-check clean

HTTP_PORT ?= 8000
METRICS_PORT ?= 8002
MODEL_REPOSITORY ?= build/demo-repository
# Runtimes to leave out, by name and comma: make build WITHOUT=onnxruntime
WITHOUT ?=
# More arguments for `make serve`: make serve ARGS="--log-verbose=1"
ARGS ?=

PYTHON := build/venv/bin/python
PROGRAM := build/release/headrace

help:  ## List these targets
	@sed -n 's/^\([a-z-]*\):.*##/\1 -/p' Makefile

setup:  ## Install what is missing: Debian packages, headers, Python wheels
	@HEADRACE_WITHOUT="$(WITHOUT)" tools/setup.sh

build: setup  ## Build the release program and its backends
	@tools/build.sh release programs

demo-repository: setup
	@$(PYTHON) demo/make_repository.py build/demo-repository

serve: build demo-repository  ## Serve the demo models in the foreground, on loopback
	@tools/serve.sh $(PROGRAM) "$(MODEL_REPOSITORY)" "$(HTTP_PORT)" "$(METRICS_PORT)" $(ARGS)

demo: build demo-repository  ## Serve on a free port, classify a photograph, stop
	@$(PYTHON) demo/round_trip.py $(PROGRAM) build/demo-repository

test:  ## Build and run every check and test, also under the sanitizers
	@HEADRACE_WITHOUT="$(WITHOUT)" tools/setup.sh --tests
	@tools/test.sh

check:  ## Check format, layers and that each header compiles alone
	@tools/check_format.sh
	@tools/check_layers.py
	@tools/build.sh release check_headers

format:  ## Rewrite the C++ files as .clang-format says
	@tools/check_format.sh --fix

bench: build demo-repository  ## Run the benchmarks in bench/
	@tools/bench.sh

peer-check: build demo-repository  ## Serve our backends from a stock Triton too (HEADRACE_PEERS) and compare the answers
	@$(PYTHON) bench/check_peers.py

gpu-check:  ## On a machine with a GPU: the same models on GPU and CPU, answers and figures (tools/gpu_check.sh)
	@tools/gpu_check.sh

clean:  ## Remove what was built; what setup installed stays
	@tools/clean.sh
