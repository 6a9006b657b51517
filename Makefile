# animat: `make run` shows it, `make test` checks it. `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
OUT := runs/mouse-joystick
DEV_EXTRAS := nest,pynn,opensim,collada,nwb,neo,sonata,dev

# PYTHON: interpreter for the virtual environment. NEST_PYTHON: interpreter of an own NEST installation.
export PYTHON
ifdef NEST_PYTHON
RUN_EXTRAS :=
RUN_FLAGS := --set brain.python=$(NEST_PYTHON)
else
RUN_EXTRAS := nest
RUN_FLAGS :=
endif

.DEFAULT_GOAL := help
.PHONY: help run setup engine test test-all test-ranks test-kills test-studio test-statistics test-large checks figures clean

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed  ## set up and run the main experiment: a motor cortex moves a mouse's forelimb
	@echo "==> running the experiment mouse-joystick (about a minute on two cores)"
	@$(BIN)/animat run mouse-joystick --out $(OUT) --overwrite $(RUN_FLAGS)
	@echo "==> done; open $(OUT)/report.html in a browser"

setup: $(VENV)/.installed-dev  ## set up everything for working on animat

engine: $(VENV)/.installed-dev  ## build NEST with MPI into the cache, unless it is there (minutes, once)
	@scripts/system_packages.sh engine
	@$(BIN)/animat engine install nest-mpi --models needed

test: checks engine  ## set up and run all checks that take seconds to minutes
	@echo "==> tests (without the slow ones)"
	@$(BIN)/python -m pytest -m "not slow"

# Each is to take less than an hour on two cores. What no other target names is in test-large, so that no test is left out.
RANKS := tests/link tests/brain/test_nest_processes.py
KILLS := tests/simulation
STUDIO := tests/studio
STATISTICS := tests/brain/test_compact_statistics.py
SLOW = $(BIN)/python -m pytest -m slow --durations=0 --durations-min=1

test-all: test test-ranks test-kills test-studio test-statistics test-large  ## all tests; some hours

test-ranks: checks engine  ## slow tests: every end of one rank of two, fifty times each
	@$(SLOW) $(RANKS)

test-kills: checks engine  ## slow tests: runs whose processes are killed at random
	@$(SLOW) $(KILLS)

test-studio: checks engine  ## slow tests: NEST Desktop in a browser, in front of the server
	@scripts/system_packages.sh browser
	@$(SLOW) $(STUDIO)

test-statistics: checks  ## slow tests: the engines' rates, regularity and correlations over seeds
	@$(SLOW) $(STATISTICS)

test-large: checks  ## slow tests: large networks, their memory and published values; 22 GB
	@$(SLOW) $(addprefix --ignore=,$(RANKS) $(STUDIO) $(STATISTICS) $(KILLS))

checks: $(VENV)/.installed-dev  ## style, types and layers only
	@echo "==> style"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@echo "==> types"
	@$(BIN)/mypy
	@echo "==> layers"
	@$(BIN)/lint-imports --no-cache

# What writes the pictures, tables and numbers of the documentation; docs/figures.md says which are whose.
figures: $(VENV)/.installed-dev  ## measure and draw what the documentation shows, as far as that takes minutes
	@scripts/system_packages.sh browser
	@for one in afferents network exports checkpoints tuning "balanced_network picture" "large draw" readme; do \
		echo "==> $$one"; set -- $$one; $(BIN)/python docs/figures/$$1.py $$2 || exit 1; done

figures-%: $(VENV)/.installed-dev  ## the same of one page, also what takes long: engines, large, mouse-feels, rodent-brain, scaling, balanced-network
	@$(BIN)/python docs/figures/$(subst -,_,$*).py

figures-scaling: engine

clean:  ## remove the virtual environment and caches; runs stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# An environment for development can run everything, so it counts as both.
$(VENV)/.installed: pyproject.toml scripts/bootstrap.sh
	@scripts/bootstrap.sh $(VENV) "$(RUN_EXTRAS)"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml scripts/bootstrap.sh
	@scripts/bootstrap.sh $(VENV) "$(DEV_EXTRAS)"
	@touch $(VENV)/.installed $@
