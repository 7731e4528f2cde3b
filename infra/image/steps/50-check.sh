#!/bin/bash
# Refuses an image whose parts do not work for the user whom it will serve.
set -euo pipefail

fail() {
    echo "50-check: $*" >&2
    exit 1
}
export PATH=/opt/dream/bin:$PATH PYTHONDONTWRITEBYTECODE=1

[ "$(id -u):$(id -g)" = 1000:1000 ] || fail "runs as $(id -u):$(id -g), not as 1000:1000"
for folder in /opt/dream /usr /etc /; do
    [ ! -w "$folder" ] || fail "$folder can be written to"
done
[ -z "$(find / -xdev -type f -perm /6000 2>/dev/null)" ] || fail "a file gives its owner's rights away"
for program in bash wget tini; do
    command -v "$program" >/dev/null || fail "$program is missing"
done
bash -lc 'command -v ray' >/dev/null || fail "a login shell does not find ray"

python - <<'CODE' || fail "the packages are not the lock's"
import re, sys
from importlib.metadata import distributions
from pathlib import Path

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

assert sys.version_info[:2] == (3, 11), sys.version
# some packages stand in the lock more than once, one version for each range of Pythons
lock = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", Path("/src/requirements.lock").read_text(), re.M)
locked = {(plain(name), version) for name, version in lock}
installed = {(plain(package.name), package.version) for package in distributions()}
assert {name for name, _ in installed - locked} == {"dream-rag"}, f"not from the lock: {installed - locked}"

site = Path(sys.prefix, "lib/python3.11/site-packages")
sources = [p for p in site.rglob("*.py")]
missing = [p for p in sources if not (p.parent / "__pycache__" / f"{p.stem}.cpython-311.pyc").exists()]
assert len(missing) < len(sources) / 200, f"{len(missing)} of {len(sources)} files are not compiled"
CODE
grep -q '"pkg:pypi/ray@' /opt/dream/share/sbom.cdx.json || fail "the SBOM does not name Ray"

dream --help >/dev/null || fail "dream does not start"
ray --version >/dev/null || fail "ray does not start"
mlflow --version >/dev/null || fail "mlflow does not start"
jupyter lab --version >/dev/null || fail "JupyterLab does not start: is the extra notebook in the lock?"
[ -s /opt/dream/notebooks/01_corpus.ipynb ] && [ ! -L /opt/dream/notebooks/documents/05-cost-and-limits.pdf ] ||
    fail "the notebooks or their documents are missing"
