# Everything an operator or developer needs: `make demo` and `make test` do all set-up on a machine with Python 3.11+, make and git.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SPARK_VENV ?= .venv-spark
# uv installs the locked environment in seconds; pip takes over where uv cannot be had.
UV_VERSION := 0.13.9

.PHONY: help install demo test test-quick soak lint format docs ui bench bench-quick parity parity-quick lock accept screenshots clean
.DEFAULT_GOAL := help

help:
	@echo "make demo        install, generate 30 days of sample exports, run the night on them"
	@echo "make test        install, lint, run the whole suite"
	@echo "make test-quick  unit tests only"
	@echo "make soak        many more examples, 100,000 mutated lines and files, every planted fault, nights that are killed, readers"
	@echo "make lint        ruff, mypy, sqlfluff"
	@echo "make format      apply ruff's and sqlfluff's fixes"
	@echo "make docs        regenerate the generated documentation"
	@echo "make ui          the Dagster UI on http://127.0.0.1:3000"
	@echo "make bench       the night beside hand-written SQL and beside itself, as ratios (an hour or more)"
	@echo "make bench-quick the same on little data, against the committed ratios (minutes)"
	@echo "make accept      accept the golden files as they now come out"
	@echo "make screenshots  pictures of every page of the data folder's site, and of the README"
	@echo "make parity      the same exports built by DuckDB and by Spark, and compared"
	@echo "make parity-quick  the same on little data (minutes)"
	@echo "make lock        compile requirements.lock and requirements-spark.lock anew"
	@echo "make clean       remove the environment and the caches (never data/)"

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)" \
		&& $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install
	@$(BIN)/credit-usage demo

test: install lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-quick: install
	$(BIN)/python -m pytest tests/unit -n 2

# What `make test` tries briefly: deliveries, mutated lines and files, usage bodies, programs that call models, planted faults (orders of nights
# are a minute each: CREDIT_USAGE_NIGHT_EXAMPLES=20 pytest tests/property/test_nights.py);
# then nights that are killed and readers during publications, which print their figures.
soak: install
	CREDIT_USAGE_PROPERTY_EXAMPLES=25 CREDIT_USAGE_FUZZ_CASES=104000 CREDIT_USAGE_CALL_PROGRAMS=1000 \
	CREDIT_USAGE_FAULT_NIGHTS=all \
		$(BIN)/python -m pytest -n 2 --dist loadgroup --durations=8 --ignore tests/property/test_nights.py \
			tests/property tests/integration/test_one_call_one_bill.py tests/faults
	$(BIN)/python -m tests.soak

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	CREDIT_USAGE_CANDIDATE=:memory: $(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	CREDIT_USAGE_CANDIDATE=:memory: $(BIN)/sqlfluff fix --disable-progress-bar dbt_project/models dbt_project/tests

docs: install
	$(BIN)/python -m orchestration.docs
	$(BIN)/python -m tests.faults.table

# The home lies in the data folder, so that the UI shows the runs of the command line wherever that folder is.
ui: install
	DAGSTER_HOME="$$($(BIN)/python -c 'from orchestration.defs.run import write_home; from orchestration.settings import load; print(write_home(load()))')" \
		$(BIN)/dagster dev --host 127.0.0.1 --port 3000

bench: install
	$(BIN)/python -m benchmarks.ratios --days 30 --history 60 --repairs --pandas

# Warns where a ratio moved by more than a fifth. Processor seconds, because the machine may be shared. `--write benchmarks/ratios.json` accepts.
bench-quick: install
	$(BIN)/python -m benchmarks.ratios --days 2 --history 6 --runs-per-day 2000 --repeat 1 --cpu --no-small --against benchmarks/ratios.json

lock: install
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
		--extra dev -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
		--extra spark --constraints requirements.lock -o requirements-spark.lock pyproject.toml

# DuckDB and Spark on the same exports, every fact and mart compared. Wants Java 17; the environment with Spark is one of its own.
parity: $(SPARK_VENV)/.installed
	$(SPARK_VENV)/bin/python -m tests.parity

# The same on little data: a first night and one after it.
parity-quick: $(SPARK_VENV)/.installed
	$(SPARK_VENV)/bin/python -m pytest -rs tests/parity/test_parity.py -k sample

$(SPARK_VENV)/.installed: requirements.lock requirements-spark.lock pyproject.toml
	@test -x $(SPARK_VENV)/bin/python || $(PYTHON) -m venv $(SPARK_VENV)
	@$(SPARK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@$(SPARK_VENV)/bin/uv pip install --quiet --python $(SPARK_VENV)/bin/python --require-hashes --compile-bytecode \
		-r requirements.lock -r requirements-spark.lock
	@$(SPARK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

screenshots: install
	$(BIN)/python -m tests.browser.screenshots --readme

accept: install
	GOLDEN_ACCEPT=1 $(BIN)/python -m pytest tests/golden

clean:
	rm -rf $(VENV) $(SPARK_VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
