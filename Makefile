# Everything starts here: `make help`. The set-up is part of every target and takes a moment when it is done.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?=
ARGS ?=
NETWORK ?= ethereum:local:foundry
IN = source tools/env.sh;

.PHONY: help setup .ready compile demo demo-days stress test test-deep mutate lint fmt bench curve bench-report bench-devnet shell console chain devnet lock clean distclean

help: ## show this list
	@echo "Sluice. Needs Python 3.11 or 3.12, make and git; everything else is set up inside this folder."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## set everything up (again), also after an interruption
	@python=$$(PYTHON='$(PYTHON)' tools/find-python); "$$python" tools/bootstrap.py

.ready:
	@python=$$(PYTHON='$(PYTHON)' tools/find-python); "$$python" tools/bootstrap.py --quiet

compile: .ready ## compile the contracts
	@$(IN) ape compile $(ARGS)

demo: .ready ## twelve days on a local Ethereum with both halves; daemons do the work
	@$(IN) ape run demo $(ARGS)

demo-days: .ready ## sixty days on anvil alone: a dead oracle, a pause, a sold request
	@$(IN) ape run days --network $(NETWORK) $(ARGS)

test: .ready ## all quick tests; ARGS="-k queue" chooses, JOBS=1 keeps to one process
	@$(IN) python tools/run_tests.py $(ARGS)

test-deep: .ready ## long campaigns: hypothesis with more examples, forge's invariants
	@$(IN) python tools/run_tests.py --deep $(ARGS)

mutate: .ready ## do the tests bite? one small change of contracts/core at a time; ARGS="--sample 50"
	@$(IN) python tools/mutate.py $(ARGS)

bench: .ready ## gas of every operation against its bound
	@$(IN) ape test tests/gas -s $(ARGS)

lint: .ready ## ruff, mypy --strict, tsc over the devnet's JSDoc, forge fmt, solhint
	@$(IN) ruff check .
	@$(IN) ruff format --check .
	@$(IN) mypy
	@$(IN) node node_modules/typescript/bin/tsc -p devnet
	@$(IN) forge fmt --check
	@$(IN) if [ -n "$$(find contracts -name '*.sol' -print -quit)" ]; then \
	    node node_modules/solhint/solhint.js --noPoster --disc --max-warnings 0 'contracts/**/*.sol'; fi

fmt: .ready ## format Python and Solidity
	@$(IN) ruff check --fix-only --quiet .; ruff format .; forge fmt

curve: .ready ## docs/exit-curve.svg, read from the instant pool's contract
	@$(IN) python -m tools.plot_curve

stress: .ready ## 40% of all slETH leaves within a week; ARGS="--scenario calm"
	@$(IN) ape run stress $(ARGS)

bench-report: .ready ## CPU and memory of a report from a state of a million validators
	@$(IN) python -m tools.bench_report $(ARGS)

bench-devnet: .ready ## time of a slot, start and memory of a devnet on both backends
	@$(IN) python -m tools.bench_devnet $(ARGS)

shell: .ready ## a shell with ape, forge, anvil and the rest on PATH
	@$(IN) PS1='(sluice) \w\$$ ' bash --norc -i || true

console: .ready ## ape's console on a fresh local chain
	@$(IN) ape console --network $(NETWORK) $(ARGS)

lock: .ready ## resolve the dependencies anew into the lock files
	@$(IN) tools/relock

chain: .ready ## a local chain that stays, at 127.0.0.1:8545; then, in `make shell`, ape run deploy, stake, status ...
	@$(IN) exec anvil --host 127.0.0.1 --port 8545 --hardfork prague --accounts 30 $(ARGS)

devnet: .ready ## a local Ethereum with both halves, at 127.0.0.1:8545 and :5052; ARGS="--manual", "--help"
	@$(IN) exec sluice devnet up $(ARGS)

clean: ## remove what was compiled, cached and reported
	rm -rf .build .cache build .hypothesis contracts/.cache .toolchain/tmp

distclean: clean ## remove everything that was set up, too
	rm -rf .venv .toolchain node_modules

%:
	@echo "error: there is no target '$@'; make help lists them" >&2; exit 2

Makefile: ;
