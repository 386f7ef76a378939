# Mailboat's verbs. `make` alone lists them. Needs npm and make; npm brings the Node that runs everything.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Node 24 or later comes as an npm package, because the machine's own may be older.
NODE := node_modules/.bin/node
INSTALLED := node_modules/.installed
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

# Settings of local mode (MANIFESTS, STATE, QUIET, PAGE_PORT, KEEP, LISTEN_HOST, LOG_LEVEL, ID) go on to it by the environment,
# as make passes on what stands in its own: whatever characters they hold.
# What went wrong there is said in words: make is ended silently and adds no `*** Error`, but the exit code is no 0. Who wants the code
# itself starts local/main.ts.
local = MAILBOAT_ENDS_MAKE=1 exec $(NODE) local/main.ts

# The same for a recipe that has said itself what is wrong.
end-silently = kill -INT $$PPID; exit 0

# make test: which layers, in order (check unit apiserver chart scenario cluster). Empty means all.
LAYERS ?=

# make image: what the image is called.
IMAGE ?= mailboat:dev

# make mutations: which rows, by a word of theirs. Empty means all.
ONLY ?=

.PHONY: help run demo trace spool clear test mutations check generate format pictures bench soak floods fuzz image cluster clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(INSTALLED) ## Run operator and relay without a cluster (MANIFESTS=dir STATE=dir QUIET=1; examples/local by default)
	@$(local) run

demo: $(INSTALLED) ## Send a handful of messages to the local mode that runs, or to one of its own
	@$(local) demo

trace: $(INSTALLED) ## Tell a message's way in local mode (ID=spool id, Message-ID, trace id or a word of the subject)
	@$(local) trace

spool: $(INSTALLED) ## List what waits in local mode, and why (STATE=dir)
	@$(local) spool

# FORCE loses mail: it counts when it is written behind `make clear`, not when another program has it in the environment.
clear: export MAILBOAT_FORCE = $(if $(filter command,$(origin FORCE)),$(FORCE))
clear: $(INSTALLED) ## Remove the mail of local mode that is stopped; keys stay (STATE=dir; FORCE=1 when mail waits)
	@$(local) clear

test: $(INSTALLED) ## Run everything that shows Mailboat works (LAYERS="check unit scenario" picks)
	@exec $(NODE) test/run.ts $(LAYERS) </dev/null

mutations: $(INSTALLED) ## Break promises on purpose in a copy, and see that a test fails for each (ONLY=word picks; hours)
	@exec $(NODE) test/mutations/run.ts $(if $(ONLY),--only "$(ONLY)") </dev/null

check: $(INSTALLED) ## Check types, lint rules, format and generated files
	@exec $(NODE) test/run.ts check </dev/null

generate: $(INSTALLED) ## Write the files that come from code (crds/, the chart's copies, dashboards, alerts, api/*.md)
	@$(NODE) crds/generate.ts
	@exec $(NODE) charts/generate.ts

format: $(INSTALLED) ## Format every file
	@exec $(NODE) node_modules/prettier/bin/prettier.cjs --write --log-level warn --cache --cache-strategy content .

pictures: $(INSTALLED) ## Draw the pictures in docs/: dashboards from a real Prometheus, the page in a real browser
	@MAILBOAT_PICTURES=docs/dashboards $(NODE) --test test/scenario/every-panel-has-data.test.ts
	@MAILBOAT_PICTURES=docs exec $(NODE) --test test/scenario/the-page-shows-each-message.test.ts

bench: $(INSTALLED) ## Compare throughput with Postfix and OpenDKIM under the same load, the cost of tracing, and the operator with 10,000 domains
	@$(NODE) test/bench/bench.ts
	@exec $(NODE) test/bench/operator.ts

soak: $(INSTALLED) ## Ten minutes of load with kills, failures and a disk that fills (root, Linux; MINUTES=n)
	@exec $(NODE) test/soak/storm.ts --minutes "$(or $(MINUTES),10)"

floods: $(INSTALLED) ## Ten minutes of strangers that flood every listener, and mail beside them (MINUTES=n)
	@exec $(NODE) test/soak/floods.ts --minutes "$(or $(MINUTES),10)"

fuzz: $(INSTALLED) ## Ten minutes of octets made by grammars, right, wrong and bent, over every listener (MINUTES=n SEED=n)
	@MAILBOAT_FUZZ_MINUTES="$(or $(MINUTES),10)" $(if $(SEED),MAILBOAT_FUZZ_SEED="$(SEED)") exec $(NODE) test/scenario/no-octets-bend-a-session.test.ts

image: $(INSTALLED) ## Build the container image with docker, podman or buildah (IMAGE=name:tag)
	@exec $(NODE) image/build.ts "$(IMAGE)"

cluster: $(INSTALLED) ## Start a whole Kubernetes node with Mailboat on it, until Ctrl-C (root, Debian, Go)
	@exec $(NODE) test/cluster/keep.ts

clean: ## Remove what was installed and what runs and tests left behind
	@echo "removing node_modules, .mailboat and test-results"
	@rm -rf node_modules .mailboat test-results

$(INSTALLED): package.json package-lock.json
	@echo "installing packages (npm ci)"
	@command -v npm >/dev/null || { echo "npm is missing: install npm 9 or later" >&2; $(end-silently); }
	@npm ci --no-audit --no-fund --loglevel=error </dev/null
	@version="$$($(NODE) --version 2>/dev/null || true)"; major="$${version#v}"; major="$${major%%.*}"; \
	if [[ "$${major:-0}" -lt 24 ]]; then \
	  echo "$(NODE) is $${version:-missing}, but Node 24 or later is needed: the npm package 'node' brings it by its" \
	       "install script, so npm must be allowed to run scripts (npm config get ignore-scripts) for linux, $$(uname -m)" >&2; \
	  $(end-silently); \
	fi; \
	echo "installed; Node is $$version"
	@touch $@
