# shellcheck shell=bash
# Sourced by the steps that build: uv and the build backend in /tmp, gone when the step ends.
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
export PATH=$tools/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# the system's authorities for pip and uv too: where a company's own stands before the registry, it is there
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
python3.11 -m venv "$tools"
"$tools/bin/pip" install --quiet --no-cache-dir --require-hashes -r "$(dirname "$0")/../tools.lock"

# Copies, because nltk refuses hard-linked data. Compiled, because every Ray worker imports all of it, and
# with hashes that are not checked, because layers and archives do not keep times to the second.
export UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
export UV_COMPILE_BYTECODE=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH
