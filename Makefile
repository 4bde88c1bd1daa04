# Two commands do all the set-up: `make demo` shows samoloop at work, `make test` proves it.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
SANDBOX ?= required # of the real CLIs; or off
WORKERS ?= 3 # tests wait, if only for the disk, a third of their time; the fleet's machines compute, and take 2
unexport PYTHONDONTWRITEBYTECODE # tests start samoloop thousands of times, each of which would compile it anew

.PHONY: demo test stranger box checks fleet fleet-tests fleet-faults hour page slow e2e faults phone-faults lies fuzz mutants mutants-core bench examples check format clean

demo: $(VENV)/installed
	@$(BIN)/samoloop demo $(ARGS)

test: $(VENV)/dev
	$(BIN)/pytest tests --ignore=tests/e2e --ignore=tests/stranger --ignore=tests/box --ignore=tests/checks --ignore=tests/fleet --ignore=tests/hour --ignore=tests/page -n $(WORKERS) --dist worksteal -m "not slow and not faults" $(ARGS)

stranger: $(VENV)/dev
	$(BIN)/pytest tests/stranger -n $(WORKERS) --dist worksteal $(ARGS)

box: $(VENV)/dev
	$(BIN)/pytest tests/box -n $(WORKERS) --dist worksteal -m "not toolchains" $(ARGS)

toolchains: $(VENV)/dev
	$(BIN)/pytest tests/box/test_toolchains.py -n 2 -rs $(ARGS)

checks: $(VENV)/dev
	$(BIN)/pytest tests/checks -n $(WORKERS) --dist worksteal $(ARGS)

fleet: fleet-tests fleet-faults
	$(BIN)/python benchmarks fleet

fleet-tests: $(VENV)/dev
	$(BIN)/pytest tests/fleet -n 2 --dist worksteal --timeout 120 $(ARGS)

fleet-faults: $(VENV)/dev
	$(BIN)/python tests/fleet_faults $(ARGS)

hour: $(VENV)/dev
	@command -v tmux >/dev/null || apt-get install -y -q tmux
	$(BIN)/pytest tests/hour -n 0 --timeout 600 $(ARGS)

page: $(VENV)/page
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || apt-get install -y -q --no-install-recommends chromium-headless-shell
	@$(BIN)/python tests/page/axe.py
	$(BIN)/pytest tests/page -n $(WORKERS) --dist worksteal --timeout 120 $(ARGS)

slow: $(VENV)/dev
	$(BIN)/pytest tests --ignore=tests/e2e --ignore=tests/fleet --ignore=tests/hour --ignore=tests/page --ignore=tests/stranger -n $(WORKERS) --dist worksteal -m slow --timeout 400 $(ARGS)

e2e: $(VENV)/dev
	$(BIN)/python tests/e2e/install.py
	SAMOLOOP_E2E_SANDBOX=$(SANDBOX) $(BIN)/pytest tests/e2e -n 2 --dist worksteal $(ARGS)

faults: $(VENV)/dev
	$(BIN)/python tests/faults $(ARGS)

phone-faults: $(VENV)/dev
	$(BIN)/python tests/phone_faults $(ARGS)

lies: $(VENV)/dev
	$(BIN)/python tests/lies $(ARGS)

fuzz: $(VENV)/dev
	$(BIN)/python tests/stranger/fuzz.py $(ARGS)

mutants: $(VENV)/dev
	$(BIN)/python tests/mutants $(ARGS)

mutants-core: $(VENV)/mutmut
	$(BIN)/python tests/mutants/core.py $(ARGS)

bench: $(VENV)/dev
	$(BIN)/python benchmarks $(ARGS)

examples: $(VENV)/installed
	$(BIN)/samoloop example run --all --provider demo $(ARGS)

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/samoloop workflows check

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "samoloop needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "this Python cannot make a virtual environment; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 2; }

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	@touch $@

$(VENV)/page: $(VENV)/dev tests/page/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/page/requirements.txt
	@touch $@

$(VENV)/mutmut: $(VENV)/dev tests/mutants/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/mutants/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) .cache build dist .mypy_cache .pytest_cache .ruff_cache
