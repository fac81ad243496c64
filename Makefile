# `make` lists the targets. The environment lives in .venv and is made when first needed.
PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
KILLS ?= 200
FUZZ_TIMES ?= 50
# What a GPU alone needs takes 4 GB. `make env CPU=1` leaves it out, and takes PyTorch from its index of builds for
# CPUs, of whose files the lock has the versions, not the hashes.
WITHOUT_GPU := $(and $(filter command,$(origin CPU)),$(filter 1,$(CPU)))
TORCH_CPU ?= https://download.pytorch.org/whl/cpu
TORCH ?= $(shell sed -nE 's/^(torch|torchvision)(==[^ ]+).*/\1\2/p' requirements.lock)
BENCHMARKS ?= training original memory risk estimators auditing growth
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help env demo test coverage docs fuzz chaos bench check format lock numbers schema clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

env: .venv/.complete  ## create the locked environment in .venv; CPU=1 without CUDA, 4 GB smaller

# An environment works only where it was made, and holds that place: of a folder moved or copied it is made again.
ifneq ($(shell cat .venv/.complete 2>/dev/null),$(shell cd .venv 2>/dev/null && pwd -P))
.PHONY: .venv/.complete
endif

.venv/.complete: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 env"; exit 1; }
	@echo "Creating the environment in .venv ($(if $(WITHOUT_GPU),1,several) GB to download, a few minutes) ..."
	$(PYTHON) -m venv --clear .venv
	@awk '/^[^ #]/ { gpu = /^(torch|torchvision|triton|cuda-|nvidia-)/ } !gpu || !"$(WITHOUT_GPU)"' \
		requirements.lock > .venv/lock
	python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/lock
	$(if $(WITHOUT_GPU),python -m pip install --quiet --disable-pip-version-check --no-deps \
		--index-url $(TORCH_CPU) $(TORCH))
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@(cd .venv && pwd -P) > .venv/.complete

demo: .venv/.complete  ## build the main comparison on synthetic stand-ins of six datasets, minutes on 2 cores
	snakemake --cores $(CORES) --config scale=demo -- main
	vicious report --scale demo
	@echo "Tables and figures of the main comparison are in paper_figures/demo, numbers in results/demo/summaries."
	@echo "results/demo/report.html shows all of it: open it in a browser."
	@echo "To go on, source .venv/bin/activate, and"
	@echo "  snakemake --cores $(CORES)                          every experiment, table and figure of the demo"
	@echo "  snakemake --cores $(CORES) -- tradeoff               one experiment; docs/experiments.md lists them"
	@echo "  vicious budget --scale pilot                   what the pilot on real images would take"

test: .venv/.complete  ## run every test; QUICK=1 leaves out those that build a study or train for long
	pytest -n $(CORES) --dist worksteal $(if $(QUICK),-m "not slow")

coverage: .venv/.complete  ## run the quick tests, and show which lines they reach
	pytest -n $(CORES) -m "not slow" --cov=vicious --cov-report=term:skip-covered

docs: .venv/.complete  ## build the documentation site in docs/_build; a warning is an error
	sphinx-build -b html -c docs -d .cache/docs --fail-on-warning --keep-going --quiet . docs/_build
	@echo "Open docs/_build/docs/index.html in a browser."

fuzz: .venv/.complete  ## try FUZZ_TIMES as many damaged variants of sound files
	FUZZ_TIMES=$(FUZZ_TIMES) pytest -n $(CORES) -m fuzz

chaos: .venv/.complete  ## kill a small study KILLS times; it must end as an undisturbed one (hours)
	python tests/workflow/chaos.py --kills $(KILLS)

bench: .venv/.complete  ## measure speed and memory against plain baselines, and write docs/performance.md
	for each in $(BENCHMARKS); do python benchmarks/$$each.py || exit; done
	python benchmarks/page.py

check: .venv/.complete  ## check formatting, lint, types and spelling
	ruff format --check .
	ruff check .
	snakefmt --check Snakefile workflow
	snakemake -n --quiet --cores 1 >/dev/null
	@# The environment is the locked .venv, so rules name none.
	snakemake --lint 2>&1 | (! grep '^    \* ' | grep -v 'Specify a conda environment or container')
	mypy
	codespell

format: .venv/.complete  ## format the code
	ruff format .
	ruff check --fix .
	snakefmt Snakefile workflow

numbers: .venv/.complete  ## write the tables of README and docs that hold the pilot's numbers
	python docs/measured_numbers.py

schema: .venv/.complete  ## write the JSON schema of params.yaml
	vicious schema > workflow/schemas/params.schema.json

lock: .venv/.complete  ## pin newer dependencies (needs uv); names no index
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--all-extras --quiet --upgrade pyproject.toml --output-file requirements.lock

clean:  ## remove results of the scales demo and smoke, and nothing else
	rm -rf results/demo results/smoke paper_figures/demo paper_figures/smoke data/prepared/demo data/prepared/smoke
