# The commands of this project. Without make (Windows): README.md has the same as plain commands.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := .venv/bin
WORKERS := -n logical --maxprocesses 4 --dist loadfile

.PHONY: help run test long check format lock upgrade outdated translations clean
.DELETE_ON_ERROR:

help:  ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

run: .venv/run.stamp  ## start the demonstration on this machine
	$(BIN)/motcua demo

test: .venv/test.stamp  ## run every test that is quick enough for every change
	@$(BIN)/python -m tests.tools.browser
	@$(BIN)/python -m pytest $(WORKERS)

long: .venv/test.stamp  ## run the load and soak tests, one after the other (about an hour)
	@$(BIN)/python -m tests.tools.browser
	@$(BIN)/python -m pytest -m long --timeout 3600

check: .venv/test.stamp  ## lint, format, types and locks, without changing anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m tests.tools.lock --check

format: .venv/test.stamp  ## repair what the linter and the formatter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: .venv/test.stamp  ## write both locks again after a change of the dependencies
	$(BIN)/python -m tests.tools.lock

upgrade: .venv/test.stamp  ## write both locks with the newest versions
	$(BIN)/python -m tests.tools.lock --upgrade

outdated: .venv/test.stamp  ## list the packages that have a newer release
	$(BIN)/python -m pip list --outdated

translations: .venv/test.stamp  ## add new texts to the English catalogue, and drop those that are gone
	@$(BIN)/python -m tests.tools.translations

clean:  ## remove the virtual environment and every cache
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Root on Debian gets the missing package; everyone else is told its name.
.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Một Cửa needs Python 3.11 or newer. Name yours: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; } || { \
		echo "Python here cannot make virtual environments. Run first: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run.stamp: .venv/python.stamp requirements.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $@

.venv/test.stamp: .venv/python.stamp requirements.lock requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch .venv/run.stamp $@

define install
$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endef
