# One door for people and for CI. `make help` lists the rooms behind it.
SHELL := /bin/bash
PYTEST := .venv/bin/pytest
LAB := .venv/bin/lab
# The end-to-end tests run in two labs at once, a file at a time: much of what they do is to wait.
LABS := lab lab-2
# A run that is ended before its end has told by then what failed (tests/telling.py); at its end it tells what took long.
TOLD := --tb=short --durations=25 --durations-min=1
# What the runs said, for `make recorded`.
RESULTS := build/junit
# Tests to run where not those of every day: pytest's `-m`.
CHOICE :=
HANDS := $(foreach each,$(LABS),--tx "popen//python=$(LAB) run --lab $(each) -- .venv/bin/python")

.PHONY: help setup lock check generate integration e2e test nightly recorded soak demo demo-down bench conformance install release docs

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/.ready: requirements.lock pyproject.toml
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

setup: .venv/.ready ## the virtual environment, from the lock file

lock: ## pin every dependency with its hashes
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra lab --extra dev -o requirements.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra traces -o requirements-provider.lock pyproject.toml

generate: setup ## CRDs from the models, rights from the infrastructure table, clusterctl components and the Helm chart from config/, pages of docs/
	.venv/bin/python -m provider crds --output config/crd
	.venv/bin/python config/infrastructure.py
	.venv/bin/python config/conformance.py
	.venv/bin/python config/assemble.py
	.venv/bin/python config/kustomize.py
	.venv/bin/python -m docs
	.venv/bin/python -m config.chart

check: setup ## format, lint, types, import law, unit and golden tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	$(PYTEST) tests/unit tests/golden tests/architecture --numprocesses 2 --dist worksteal

integration: setup ## against real etcd and kube-apiserver on loopback
	$(LAB) build
	$(PYTEST) tests/integration tests/conformance --numprocesses 2 --dist loadfile $(TOLD) $(CHOICE) --junitxml=$(RESULTS)/integration.xml

e2e: setup ## in labs: pods, joined workers, clusterctl, Cluster API
	$(LAB) build && $(LAB) image build
	pids=; for each in $(LABS); do { $(LAB) up --lab $$each && $(LAB) deploy --lab $$each; } & pids="$$pids $$!"; done; \
	up=0; for each in $$pids; do wait $$each || up=1; done; exit $$up
	$(PYTEST) tests/lab $(TOLD) $(CHOICE) --junitxml=$(RESULTS)/lab.xml
	$(PYTEST) tests/e2e --dist loadfile $(HANDS) $(TOLD) $(CHOICE) --junitxml=$(RESULTS)/e2e.xml

test: check integration e2e ## all three rings, but for what `make nightly` adds

nightly: ## all three rings whole: Cluster API's own specs, a choice of Kubernetes', upgrades from before, two clusters, many Clusters
	$(MAKE) test CHOICE="-m 'not soak'"

recorded: setup ## docs/conformance.md says what the last runs of `make test` or `make nightly` said, row by row
	.venv/bin/python config/conformance.py --record $(wildcard $(RESULTS)/*.xml)

soak: setup ## each rotation by itself under clients that ask, and certificates of minutes for an hour; about two hours
	$(LAB) up && $(LAB) deploy
	$(LAB) run -- $(PYTEST) tests/e2e -m soak

demo: setup ## a management cluster from nothing, a tenant cluster with two workers, and its end
	$(LAB) demo

demo-down: setup ## leave no process, mount, namespace or bridge behind
	for each in $(LABS); do $(LAB) down --lab $$each || exit 1; done

bench: setup ## speed and size as ratios in one run
	$(LAB) up
	$(LAB) bench --twenty

conformance: setup ## every conformance spec of Kubernetes against a hosted cluster; goes on where it stopped
	$(LAB) conformance --docs

release: setup ## dist/release: a clusterctl repository, install.yaml, the Helm chart, monitoring, an SBOM, and checksums of all
	.venv/bin/python -m config.release

docs: setup ## build/site: the documentation as a site; a link that leads nowhere fails it
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict

install: ## into the cluster that KUBECONFIG names
	sed -E 's/\$$\{[A-Z_]+:=([^}]*)\}/\1/g' clusterctl/control-plane-components.yaml | kubectl apply --server-side -f -
