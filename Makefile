PYTHON ?= python3
VENV := .venv-$(notdir $(PYTHON))
ifeq ($(PYTHON),python3)
VENV := .venv
endif
BIN := $(VENV)/bin

.PHONY: help demo test test-long test-anywhere check bench results clean
.DELETE_ON_ERROR:

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/installed ## Train for two minutes on the shipped text, then let the model write
	$(BIN)/charrnn train harbour --time-budget 2m
	@echo
	$(BIN)/charrnn sample $$(ls -td runs/harbour-* | head -1) -n 700 --temperature 0.5 --prompt "MARTHA:"
	@echo
	@echo "Its curves, and what n-grams and compressors make of the same text; open it in a browser:"
	@$(BIN)/charrnn report $$(ls -td runs/harbour-* | head -1)

test: $(VENV)/developed ## Run the tests (PYTHON=python3.13 for another Python)
	$(BIN)/python -m pytest -n auto

test-long: $(VENV)/developed ## Run the long tests: thousands of kills, every bit, large files, many odd inputs (strace makes more of them)
	$(BIN)/python -m pytest -n auto -m long -rsP

test-anywhere: ## Run the tests of the last commit in a private folder, as another user, in odd surroundings (ARGS=--cheap)
	tests/anywhere $(ARGS)

check: $(VENV)/developed ## Lint, format, types, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test

bench: $(VENV)-bench/installed ## Measure speed and memory beside PyTorch and JAX (ARGS=--quick, --json, --grow, --disturbed, --time-to-loss)
	$(VENV)-bench/bin/python tools/bench/bench.py $(ARGS)
	$(if $(ARGS),,$(VENV)-bench/bin/python tools/bench/items.py)

results: $(VENV)/installed ## Train and judge a row of docs/results.md: ROW=names (ARGS="--seeds 1 --data DIR")
	$(BIN)/python $(if $(filter cells minutes,$(ROW)),tools/results/$(ROW).py,tools/results/measure.py $(ROW)) $(ARGS)

clean: ## Remove what these commands made, but never runs/
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# A user's environment: the package and what it requires.
$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# A developer's: with the tools of the group `dev`.
$(VENV)/developed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

# Another one, for the benchmark alone: its peers are large downloads, and no part of charrnn needs them. Where one does not
# install, the rest is measured.
$(VENV)-bench/installed: pyproject.toml
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	-$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	-$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check jax==0.10.2
	@touch $@
