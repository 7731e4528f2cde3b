#!/bin/bash
# Our own package, its examples and notebooks.
set -euo pipefail
. "$(dirname "$0")/../tools.sh"

# The source may be mounted read-only, and the build backend comes from tools.lock, not from a registry's
# newest.
uv build --quiet --wheel --no-build-isolation --python "$tools/bin/python" --out-dir "$tools/wheel" /src
uv pip install --quiet --python /opt/dream/bin/python --no-deps "$tools"/wheel/dream_rag-*.whl
mkdir -p /opt/dream/share
cp -r /src/examples /opt/dream/share/examples
# Their documents are links to the examples'; the chart copies the folder as it is.
cp -rL /src/notebooks /opt/dream/notebooks
chmod -R go-w /opt/dream
