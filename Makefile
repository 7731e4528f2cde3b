# `make help` lists what there is. Nothing needs to be installed by hand: uv is brought if it is missing.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
STUDY ?= examples/quickstart/study.yaml
NAMESPACE ?= dream

# The first Python from 3.11 to 3.13; another one by: make PYTHON=/path/to/python3.12 …
RIGHT := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13; do \
	$$p -c '$(RIGHT)' >/dev/null 2>&1 && echo $$p && break; done)

UV := $(or $(shell command -v uv 2>/dev/null),.tools/uv/bin/uv)
UV_VERSION := 0.13.8
# Copies, because nltk refuses hard-linked data; compiled, because every Ray worker imports all of it.
export UV_LINK_MODE := copy
export UV_COMPILE_BYTECODE := 1
INSTALL := $(UV) pip install --quiet --python $(BIN)/python

# Every target here is a name, but for the files of the environment.
.PHONY: $(shell grep -oE '^[a-z-]+:' Makefile | tr -d ':')

help:  ## This list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run  ## The quickstart study: 12 arms on nine PDFs, leaderboard and report; no key needed
	$(BIN)/dream run $(STUDY)

mlflow: $(VENV)/.run  ## The MLflow pages of what ran here, on http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow server \
		--backend-store-uri sqlite:///$(CURDIR)/.dream/mlflow.db \
		--artifacts-destination $(CURDIR)/.dream/mlartifacts --workers 1 --port 5000

test: $(VENV)/.dev  ## The tests, those with real servers included, two files at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-unit: $(VENV)/.dev  ## The fast tests only
	$(BIN)/python -m pytest -m "not servers and not faults and not cluster and not notebooks" \
		--ignore=tests/manifests

benchmarks-quick: $(VENV)/.dev  ## A minute's look by each program of benchmarks/, two at a time: does it run at all?
	@printf '%s\n' straightforward growth floor judging warm_arm warm_document \
		| xargs -P 2 -I NAME $(BIN)/python -m benchmarks.NAME --quick --json

test-faults: $(VENV)/.dev  ## Parts of a running study are killed one after another; planted secrets are looked for
	$(BIN)/python -m pytest -m faults -n 2 --dist loadfile tests/faults tests/test_planted_secrets.py

test-cluster: $(VENV)/.dev  ## The platform on a running cluster: KUBECONFIG's, else ../shared/cluster, as root
	$(BIN)/python -m pytest -m cluster tests/cluster/live --durations=20

tutorial-pictures: $(VENV)/.dev  ## Take the tutorial's pictures from a real run of its notebooks
	$(BIN)/python -m docs.take_tutorial_pictures docs/images

test-notebooks: $(VENV)/.dev  ## Every notebook, on a local Ray and on a cluster, and JupyterLab in a browser
	$(BIN)/python -m pytest -m notebooks tests/notebooks

check: $(VENV)/.dev  ## Style, types, floors, notebooks without output
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py
	@shopt -s nullglob; books=(notebooks/*.ipynb); \
		[ $${#books[@]} -eq 0 ] || $(BIN)/nbstripout --verify "$${books[@]}"

check-manifests: $(VENV)/.dev  ## Every chart and overlay: rendered, validated, scanned; no cluster needed
	$(BIN)/python -m pytest -q tests/manifests

chart-readmes: $(VENV)/.dev  ## Write the charts' READMEs from their values
	$(BIN)/python -m tests.manifests.chart_readme

chart-diff: $(VENV)/.dev  ## What an upgrade of the charts changes: make chart-diff FROM=v0.1.0
	$(BIN)/python -m tests.manifests.chart_diff $(FROM)

pin-images: $(VENV)/.dev  ## Resolve image tags to digests: make pin-images OVERLAYS="production gpu"
	$(BIN)/python infra/pin-images $(addprefix --overlay ,$(OVERLAYS))

connect: $(VENV)/.run  ## The platform's ports on this machine, and the settings that use them
	$(BIN)/dream connect --namespace $(NAMESPACE)

secrets: $(VENV)/.run  ## Random secrets, made once, straight into the cluster of the current kubeconfig
	$(BIN)/python -m infra.secrets --namespace $(NAMESPACE)

rotate-secret: $(VENV)/.run  ## Replace one secret: make rotate-secret SECRET=dream-jupyter
	$(BIN)/python -m infra.secrets --namespace $(NAMESPACE) --rotate $(SECRET)

backup:  ## Save database, artefacts, ledger and corpus: make backup TO=/safe/place/2026-11-21
	NAMESPACE=$(NAMESPACE) infra/backup/save $(TO)

restore:  ## Put them back into a platform that runs: make restore FROM=/safe/place/2026-11-21
	NAMESPACE=$(NAMESPACE) infra/backup/restore $(FROM)

image:  ## The container image, where Docker with BuildKit is
	docker build --build-arg REVISION="$$(git rev-parse HEAD)" --tag ghcr.io/dream-rag/dream:0.1.0 .

rootfs:  ## The same image for the test cluster, as root: make rootfs ROOTFS=/tmp/rootfs
	infra/image/build-rootfs.sh ../shared/cluster/cluster $(ROOTFS) ghcr.io/dream-rag/dream:0.1.0

format: $(VENV)/.dev  ## Lay out the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(UV)  ## Pin every dependency anew, with hashes
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--all-extras pyproject.toml -o requirements.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--all-extras --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		infra/image/tools.in -o infra/image/tools.lock

corpus: $(VENV)/.dev  ## Rebuild the quickstart's PDFs from their sources
	$(BIN)/python examples/quickstart/build.py

pictures: $(VENV)/.dev  ## Take the README's pictures from the report of a run that starts from nothing
	kept=$$(mktemp -d); trap 'rm -rf "$$kept"' EXIT; $(BIN)/dream run $(STUDY) --storage "$$kept"; \
		$(BIN)/python docs/take_pictures.py "$$kept/quickstart/report.html" docs/images

clean:  ## Remove the environment; results in .dream stay
	rm -rf $(VENV) .tools

.tools/uv/bin/uv:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11, 3.12 or 3.13 is needed and was not found; install one" >&2; exit 2; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools/uv uv==$(UV_VERSION)

$(BIN)/python: | $(UV)
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11, 3.12 or 3.13 is needed and was not found; install one" >&2; exit 2; }
	$(UV) venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(INSTALL) --require-hashes -r requirements-dev.lock
	touch $@
