# `make help` lists what there is. Everything is installed into .venv from the locked requirements.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Data of installations on different clouds are kept apart.
export GOVCLOUD_VAR ?= $(CURDIR)/var$(if $(OS_CLOUD),/$(OS_CLOUD))
ifeq ($(OS_CLOUD),devcloud)
export OS_CLIENT_CONFIG_FILE ?= /var/lib/devcloud/clouds.yaml
endif
ARGS ?=
# What a simulation or a chaos run is told, as far as it is told anything: make simulate N=20000, make chaos ORDERS=1000 SEED=7
N ?= 1000
CHAOS = $(if $(ORDERS),--orders $(ORDERS)) $(if $(SEED),--seed $(SEED)) $(if $(KILL_EVERY),--kill-every $(KILL_EVERY)) $(if $(BROKER),--broker $(BROKER)) \
	$(if $(FAULTS),--faults $(FAULTS)) $(if $(QUIET),--quiet $(QUIET))

CHECKS := check-types check-api check-translations check-playbooks check-style check-imports check-migrations check-templates

.PHONY: help demo story test fuzz test-openstack simulate mutate chaos chaos-openstack devcloud check $(CHECKS) fix lock bench bench-lists clean database

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# The locks are complete, so pip resolves nothing: its resolver refuses a lock once a newer release of something that
# another package wants with an extra (coverage[toml]) is out.
$(VENV)/.production: requirements.txt
	@test -x $(VENV)/bin/python || $(PYTHON) tools/make_venv.py $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	@touch $@

$(VENV)/.development: $(VENV)/.production requirements-dev.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.production ## Set everything up, play the story and leave the portal open (Ctrl-C stops it)
	$(RUN) manage.py up --story $(ARGS)

story: $(VENV)/.production ## The same without staying open; fails if any part of the story does; writes story.json
	$(RUN) manage.py up --story --leave --port 0 $(ARGS)

test: $(VENV)/.development ## All tests that need nothing but this machine
	$(VENV)/bin/pytest -n 3 --dist loadfile $(ARGS)

fuzz: $(VENV)/.development ## Every operation of the API asked by every role, well and badly (EXAMPLES SEED)
	$(VENV)/bin/pytest tests/fuzz -n 3 --dist worksteal --show-capture=no --examples $(or $(EXAMPLES),2) --fuzz-seed $(or $(SEED),1) $(ARGS)

test-openstack: $(VENV)/.development ## The contract suite against the cloud that OS_CLOUD names (clouds.yaml)
	$(VENV)/bin/pytest tests/openstack -n 3 --dist loadfile $(ARGS)

chaos: $(VENV)/.development ## Orders by the hundred while workers die and the sandbox fails (ORDERS SEED KILL_EVERY FAULTS QUIET BROKER)
	$(RUN) -m tests.chaos.chaos_run $(CHAOS) $(ARGS)

chaos-openstack: $(VENV)/.development ## The same, smaller, on the OpenStack of tests/devcloud through a faulting proxy
	$(RUN) -m tests.chaos.chaos_run --cloud devcloud --workers 3 --at-once 6 --kill-every 15 $(CHAOS) $(ARGS)

devcloud: ## Start a real OpenStack on this machine, guests included (Debian 12, as root)
	DC_VIRT=libvirt tests/devcloud/up

check: $(VENV)/.development ## Style, types, import contract, migrations, API description, translations, templates, playbooks
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(CHECKS)

# Each by itself as well, once there is a .venv.
check-style:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

check-types:
	$(VENV)/bin/mypy govcloud tenants api manage.py

check-imports:
	$(VENV)/bin/lint-imports

check-migrations:
	$(RUN) manage.py makemigrations --check --dry-run

check-api:
	$(RUN) manage.py spectacular --validate --fail-on-warn --file $(GOVCLOUD_VAR)/openapi.yaml
	diff -u api/openapi.yaml $(GOVCLOUD_VAR)/openapi.yaml

check-translations:
	$(RUN) manage.py translations --check

check-templates:
	$(VENV)/bin/djlint --check --lint govcloud/portal/templates

check-playbooks:
	cd playbooks && ../$(VENV)/bin/ansible-lint --offline -q

fix: $(VENV)/.development ## Format the code and mend what the linters can
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/djlint --quiet --reformat govcloud/portal/templates

lock: ## Compile the locked requirements anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements.in -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements-dev.in -o requirements-dev.txt

bench: $(VENV)/.development ## Measure; prints ratios within one run
	$(VENV)/bin/pytest tests/bench -s --no-header $(ARGS)

bench-lists: $(VENV)/.development ## Measure lists and searches over 100,000 orders, filled in once into a folder of their own
	$(RUN) -m tests.bench.lists $(ARGS)

simulate: $(VENV)/.development ## N orders on a cloud that fails at every step, in virtual time; SEED of the first world; writes simulation.json
	$(RUN) -m tests.chaos.simulate --orders $(N) --seed $(or $(SEED),1) $(ARGS)

mutate: $(VENV)/.development ## Take each safeguard out of the engine in turn: the simulation has to notice
	$(RUN) -m tests.chaos.mutate $(ARGS)

database: $(VENV)/.production ## Run the embedded database alone, for development
	$(RUN) manage.py database

clean: ## Remove the virtual environment and all data of embedded installations
	rm -rf $(VENV) var
