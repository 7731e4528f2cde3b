#!/bin/bash
# Debian's packages, the user, and Python's own library compiled.
set -euo pipefail

# wget and bash: KubeRay's probes call them. ca-certificates: S3 and model providers by TLS.
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends bash ca-certificates tini wget >/dev/null
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log

# Ray and Jupyter ask for the user's name and home, so that a bare number would not do.
groupadd --gid 1000 dream
useradd --uid 1000 --gid 1000 --create-home --home-dir /home/dream --shell /bin/bash dream

# A login shell (`bash -l`, as older KubeRay operators start Ray) forgets the image's PATH.
# shellcheck disable=SC2016 # the login shell expands it
echo 'export PATH=/opt/dream/bin:"$PATH"' >/etc/profile.d/dream.sh

# Nothing in the image may give a process more rights than it started with.
find / -xdev -type f -perm /6000 -exec chmod a-s {} +

# Python images ship the standard library uncompiled, and no user may write into a read-only root:
# every process would compile it anew. Hashes that are not checked outlive the copying of layers.
library=$(python3.11 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
python3.11 -m compileall -q --invalidation-mode unchecked-hash "$library" \
    -x '/(test|tests|lib2to3|idlelib|site-packages|dist-packages)/'
