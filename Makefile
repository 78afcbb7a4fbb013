# make demo: set everything up and run the site.  make test: set everything up and run every test.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export PORT ?= 5000
export SANDBOX_PORT ?= 12111
# Where the surroundings forbid it, each of the processes of a demo or a run of tests would compile the house anew.
export PYTHONDONTWRITEBYTECODE :=
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench lock browser catalogues words screenshots faults contract

help: ## what there is to make
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Achterban needs Python 3.11 or newer; name it with PYTHON=…" >&2; exit 2; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) …"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

catalogues: translations/nl/LC_MESSAGES/messages.mo ## compile the translations

%.mo: %.po | $(VENV)/locked
	@$(VENV)/bin/pybabel -q compile -i $< -o $@ -l $(notdir $(patsubst %/LC_MESSAGES/messages.po,%,$<))

words: $(VENV)/locked ## put new sentences into the Dutch catalogue, to be translated there
	@$(VENV)/bin/pybabel -q extract -F babel.cfg -k lazy_gettext -k __ -k _l -k Check -k register -k counted --no-location --sort-output -o translations/messages.pot .
	@$(VENV)/bin/pybabel -q update -i translations/messages.pot -d translations --no-fuzzy-matching --ignore-obsolete --no-wrap --ignore-pot-creation-date
	@rm translations/messages.pot

demo: $(VENV)/locked catalogues ## set everything up and run the site
	@exec $(PY) -m demo.run

browser: # the system's Chromium, installed where the package manager can
	@sh tests/browser.sh

test: $(VENV)/locked catalogues browser ## set everything up and run every test
	@$(PY) -m pytest -n 4 --dist loadgroup

faults: $(VENV)/locked catalogues browser ## the whole fault matrix, long simulations and every story, slowly
	@FAULTS=all $(PY) -m pytest tests/faults tests/payments/test_late_news.py tests/stories/test_whole_life.py

contract: $(VENV)/locked ## ask the sandbox, and Stripe's test mode with STRIPE_CONTRACT_KEY=sk_test_…, the same
	@$(PY) -m sandbox.contract

lint: $(VENV)/locked ## ruff, mypy, squawk, the house test
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(PY) tests/migrations_sql.py | $(VENV)/bin/squawk --config .squawk.toml
	@$(PY) -m pytest tests/test_house.py

bench: $(VENV)/locked catalogues ## our figures beside the machine's limits; ONLY=name runs one
	@$(PY) -m bench $(ONLY)

screenshots: $(VENV)/locked catalogues browser ## the pictures of the README, from a running demo
	@$(PY) docs/screenshots.py

lock: ## pin every version with hashes
	@$(PY) -m pip install -q uv && $(VENV)/bin/uv pip compile requirements.in --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements.lock
