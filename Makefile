# animat: `make run` shows it, `make test` checks it. `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
OUT := runs/mouse-joystick
DEV_EXTRAS := nest,pynn,opensim,nwb,neo,sonata,dev

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
.PHONY: help run setup engine test test-all checks figures clean

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

test-all: checks engine  ## the same with the slow tests
	@scripts/system_packages.sh browser
	@echo "==> tests"
	@$(BIN)/python -m pytest

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
