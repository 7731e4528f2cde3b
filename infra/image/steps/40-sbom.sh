#!/bin/bash
# What is inside: every Python and Debian package with its version and licence.
set -euo pipefail
mkdir -p /opt/dream/share
/opt/dream/bin/python /src/infra/image/sbom.py >/opt/dream/share/sbom.cdx.json
