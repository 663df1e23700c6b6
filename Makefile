# Everything a developer or a bare machine needs; each target does its own set-up.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo lint types test test-all bench browser slurm docs fuzz lock clean

install: $(STAMP)

# The whole idea on a bare machine: three minutes on two cores, and what the installation takes.
# Given again, it goes on where it was stopped.
demo: install
	$(BIN)/xstilts run demo > /dev/null
	$(BIN)/xstilts gains demo --over language --over target
	$(BIN)/xstilts report demo
	@echo
	@echo 'That was a small generated world (docs/microworld.md). Next, from docs/tutorial.md:'
	@echo '  $(BIN)/xstilts run demo       every score, language by language; nothing is done twice'
	@echo '  $(BIN)/xstilts studies        the other ready-made studies'
	@echo 'and on real data, with $(BIN)/pip install ".[hub]":'
	@echo '  $(BIN)/xstilts run "xnli" "csqa > xnli" --model xlm-roberta-base --source hub --recipe authors'

# torch comes first and by itself: an unpinned one pulls gigabytes of CUDA packages.
$(STAMP): requirements.lock pyproject.toml
	command -v $(PYTHON) >/dev/null || { echo "needs Python 3.11: set PYTHON=..." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'installing into $(VENV): about two minutes and 2.6 GB'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

lint: install
	$(BIN)/ruff check src tests scripts benchmarks
	$(BIN)/ruff format --check src tests scripts benchmarks

types: install
	$(BIN)/mypy

test: lint types
	$(BIN)/pytest -n 2 -m "not slow"

test-all: lint types browser slurm
	XSTILTS_SLURM=$$(test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo required) \
	    $(BIN)/pytest -n 2

# Every comparison, ours and what people use instead side by side: twenty minutes on two idle cores.
# make bench ONLY=pairs runs one row of the table.
bench: install
	$(BIN)/python benchmarks/everything.py $(if $(ONLY),--only $(ONLY))

# The report is opened in a real browser: Debian's, if there is none and we may install it.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { apt-get -o Acquire::Retries=5 update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install --yes --no-install-recommends chromium; } \
	    >/dev/null 2>&1 || echo "no Chromium here: the report's browser tests are skipped" >&2

# The documentation as a site; warnings are errors.
docs: install
	$(BIN)/python -m sphinx -W --keep-going -q docs build/docs
	@echo build/docs/index.html

# A Slurm is run for its engine's tests: Debian's packages, where we may install them; then a test
# that does not find them fails.
slurm:
	@command -v slurmctld >/dev/null && command -v munged >/dev/null || { apt-get -o Acquire::Retries=5 update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install --yes --no-install-recommends \
	    munge slurmctld slurmd slurm-client; } \
	    >/dev/null 2>&1 || echo "no Slurm here, and its packages cannot be installed" >&2

# Every parser and reader with 10,000 inputs instead of 500.
fuzz: install
	XSTILTS_FUZZ=10000 $(BIN)/pytest -n 2 --timeout 7200 tests/test_fuzz.py

# The lock holds exactly what is in the environment; edit pyproject, install, then `make lock`.
lock:
	$(BIN)/python -m pip freeze --exclude-editable | grep -v '^#' | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
