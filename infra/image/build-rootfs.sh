#!/bin/bash
# Builds the image's file system without an image builder, by the Dockerfile's own list of steps, and packs it
# for the test cluster. As root; about a minute and a half, and 2.1 GB for the folder and as much for the image.
#
#     infra/image/build-rootfs.sh PATH/TO/shared/cluster/cluster DIRECTORY [NAME:TAG]
#
# DIRECTORY is made and stays (remove it at will); with NAME:TAG it is packed as that image, and the node of a
# running cluster learns it. Debian's Python 3.11 stands in for the base image's: the same minor version, which
# is what Ray asks of both ends of a connection.
set -euo pipefail

if [ $# -lt 2 ] || [ "$(id -u)" != 0 ]; then
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
fi
cluster=$1 root=$2 name=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
[ ! -e "$root" ] || { echo "$root exists already: remove it, or name another directory" >&2; exit 2; }

step() { printf '%4ss  %s\n' "$SECONDS" "$*"; }

step "Debian bookworm with Python 3.11"
"$cluster" root "$root" --suite bookworm python3.11 python3.11-venv

# Only what the Dockerfile's build context would hold, as a build sees it: read-only, under /src.
mkdir -p "$root/src"
trap 'rm -rf "$root/src" "$root/etc/apt/apt.conf.d/99-rootfs"' EXIT
for part in LICENSE README.md pyproject.toml requirements.lock dream examples notebooks infra/image; do
    mkdir -p "$root/src/$(dirname "$part")"
    cp -r "$source/$part" "$root/src/$part"
done
find "$root/src" -name __pycache__ -prune -exec rm -rf {} +

mapfile -t image < <("$here/dockerfile.py" image "$source/Dockerfile")
environment=()
for argument in "${image[@]}"; do
    [[ $argument != --env=* ]] || environment+=("${argument#--env=}")
done

# A step's own mounts and processes: /proc and /dev come and go with it. What the image's user runs has the
# image's variables, as in the Dockerfile's last stage, and no other.
run_step() {
    local user=$1 script=$2 variables=("PATH=$PATH" "HOME=/root")
    # how this machine reaches package registries, when it needs to be told
    local each
    for each in PIP_INDEX_URL UV_DEFAULT_INDEX HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
        [ -z "${!each:-}" ] || variables+=("$each=${!each}")
    done
    if [ "$user" = 0 ]; then user=0:0; else variables=("${environment[@]}"); fi
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --pid --fork --kill-child bash -euc '
        mount --make-rprivate /
        mount -t proc proc "$1/proc"
        mount --rbind /dev "$1/dev"
        exec chroot --userspec="$2" "$1" /usr/bin/env -i "${@:4}" /bin/bash "/src/infra/image/steps/$3"
    ' step "$root" "$user" "$script" "${variables[@]}"
}

"$here/dockerfile.py" steps "$source/Dockerfile" | while read -r user script; do
    step "$script as $user"
    run_step "$user" "$script" </dev/null
done
rm -rf "$root/src"

step "$(du -sh "$root" | cut -f1) in $root"
if [ -n "$name" ]; then
    "$cluster" image "$name" "$root" "${image[@]}"
    step "packed as $name"
fi
