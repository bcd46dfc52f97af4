# bearward: the one entry point. Every target sets up what it needs, from nothing.

.DEFAULT_GOAL := help
PYTHON ?= python3
PY := .venv/bin/python
CODE := $(wildcard core grpc_adapter sanic_adapter samples examples tests benchmarks tools)
TYPED := bearward bearward_pytest $(notdir $(wildcard grpc_adapter/bearward_grpc sanic_adapter/bearward_sanic))
# pyright looks for the package in the first Python of PATH, whatever its settings say.
VERIFY_TYPES := PYRIGHT_PYTHON_IGNORE_WARNINGS=1 PATH="$(CURDIR)/.venv/bin:$$PATH" pyright --ignoreexternal --verifytypes
ARGS ?=
# The tests start hundreds of processes; without compiled files each would compile all that it imports again.
export PYTHONDONTWRITEBYTECODE :=
# Two tiers of tests on this many processes, one more than two cores, since many tests wait; each takes the next when idle.
WORKERS ?= 3
PYTEST := -m pytest --numprocesses $(WORKERS) --dist worksteal

.PHONY: help
help: ## say what can be done here
	@awk -F ':.*## ' '/^##@ / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

##@ Start here

.PHONY: demo
demo: venv ## watch real tokens be accepted and refused over gRPC and Sanic
	@$(PY) -m samples.demo $(ARGS)

.PHONY: run
run: venv ## start issuer, servers and playground, print its address and ready-made calls; Ctrl-C stops them
	@exec $(PY) -m samples.run $(ARGS)

.PHONY: test
test: venv ## the quick tier of the tests, about three minutes (ARGS="-k expired" picks some)
	$(PY) $(PYTEST) --tier quick $(ARGS)

.PHONY: check
check: lint types contracts test-all ## lint, types, contracts, and every test

##@ What check is made of, and what helps with it

.PHONY: test-all
test-all: venv ## both tiers of the tests: all there are
	$(PY) $(PYTEST) $(ARGS)

.PHONY: lint
lint: venv ## style, format and complexity
	$(PY) -m ruff check $(CODE)
	$(PY) -m ruff format --check $(CODE)
	$(PY) tools/complexity.py

.PHONY: types
types: mypy ## mypy --strict, and pyright on what the packages make public
	$(foreach package,$(TYPED),$(VERIFY_TYPES) $(package) &&) true

.PHONY: mypy
mypy: venv
	$(PY) -m mypy $(CODE)

.PHONY: contracts
contracts: venv ## who may import what
	.venv/bin/lint-imports --no-cache --no-logo

.PHONY: format
format: venv ## put the code into the project's format
	$(PY) -m ruff check --fix $(CODE)
	$(PY) -m ruff format $(CODE)

.PHONY: coverage
coverage: venv ## run the tests and say which branches they miss
	$(PY) -m coverage erase
	$(PY) -m coverage run $(PYTEST) $(ARGS)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

.PHONY: docs
docs: venv ## build the documentation into .cache/site/html; exits with 1 on a warning or a broken link
	@$(PY) -m tools.site

##@ Evidence

.PHONY: attack
attack: venv ## hostile and good tokens against the core and both samples; exits with 1 on a wrong verdict
	$(PY) -m tests.attack $(ARGS)

.PHONY: promises
promises: venv ## take the protection behind each promise of SECURITY.md away; exits with 1 where its test does not notice
	@$(PY) -m tests.promises $(ARGS)

.PHONY: vectors
vectors: venv ## the vectors of the RFCs and of Wycheproof; exits with 1 on a wrong verdict
	$(PY) -m tests.vectors

.PHONY: chaos
chaos: venv ## every fault against the live sample servers under load; exits with 1 on a wrong verdict
	@$(PY) -m tests.chaos $(ARGS)

.PHONY: fuzz
fuzz: venv ## fuzz the core for FUZZ_SECONDS (60); what crashes becomes a test
	$(PY) -m tests.fuzz $(ARGS)

.PHONY: differential
differential: venv ## write docs/evidence/differential.md anew: what joserfc and PyJWT say about the same tokens
	$(PY) -m tests.differential

.PHONY: mutation
mutation: venv ## change files in every small way and see whether a test notices (ARGS="--stateful --sample 3": minutes)
	$(PY) -m pip install --quiet 'mutmut>=3.8'
	$(PY) -m tools.mutation $(ARGS)

INTEROP := $(or $(INTEROP_HOME),.cache/interop)

.PHONY: interop
interop: ## other people's issuers, clients and proxies against both samples; writes docs/evidence/interop.md (ARGS="envoy" picks)
	$(PYTHON) tests/interop/install.py
	$(INTEROP)/venv/bin/python -m tests.interop $(ARGS)

.PHONY: sabotage
sabotage: ## break bearward on purpose; exits with 1 where a row of interop does not notice; takes half an hour
	$(PYTHON) tests/interop/install.py
	$(INTEROP)/venv/bin/python -m tests.interop.sabotage $(ARGS)

.venv/bench: constraints.txt pyproject.toml | venv
	@$(PY) -m pip --disable-pip-version-check -qq install --constraint constraints.txt --group bench
	@touch $@

.PHONY: bench
bench: venv .venv/bench ## measure beside the other libraries and beside Hono: ten minutes, writes benchmarks/results
	$(PY) -m benchmarks.library
	$(PY) -m benchmarks.http
	$(PY) -m benchmarks.plots

.PHONY: bench-quick
bench-quick: venv .venv/bench ## the same within two minutes; prints, and compares with what is kept (ARGS=library: only that)
	$(PY) -m benchmarks.library --quick
	$(if $(ARGS),,$(PY) -m benchmarks.http --quick)

.PHONY: floors
floors: venv ## run the tests on the lowest versions that pyproject.toml allows
	$(PY) tools/floors.py $(ARGS)

##@ Upkeep

.PHONY: proto
proto: ## generate the code of the shipped .proto, with the oldest tools supported (ARGS=--check compares)
	@$(PYTHON) -m tools.proto $(ARGS)

.PHONY: issuers
issuers: venv ## write docs/issuers.md anew from the profiles (ARGS=--check compares)
	@$(PY) -m tools.issuers_page $(ARGS)

.PHONY: pictures
pictures: venv ## take the pictures of the playground for docs/images anew, in Chromium
	PLAYGROUND_PICTURES=docs/images $(PY) -m pytest -n 0 -q tests/samples/playground/test_pictures.py -k pictures_of

.PHONY: constraints
constraints: venv ## write constraints.txt anew, from a fresh resolve
	$(PY) -m tools.constraints

.PHONY: build
build: venv ## wheel and sdist into dist/
	rm -rf dist
	$(PY) -m build --no-isolation --outdir dist

.PHONY: sbom
sbom: build ## the bill of materials (CycloneDX) of the built wheel with all extras, into dist/
	$(PY) -m tools.release.sbom

.PHONY: lock
lock: venv ## write requirements.lock anew: names, versions and hashes for each supported Python on this platform
	$(PY) -m tools.release.lock

.PHONY: locked
locked: ## install what requirements.lock names, by hash, and run the examples on the built wheel (ARGS: other tests)
	$(PYTHON) -m tools.locked $(ARGS)

.PHONY: api-check
api-check: venv ## what changed incompatibly in the public names since the last release
	@$(PY) -m tools.release.interface

.PHONY: release-check
release-check: venv ## go or no-go for a release of this tree, with reasons
	@$(PY) -m tools.release.check

.PHONY: venv
venv: ## set up .venv (every target does so by itself)
	@$(PYTHON) tools/venv.py

.PHONY: clean
clean: ## remove what make made
	rm -rf .venv .venv.lock .cache dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov
