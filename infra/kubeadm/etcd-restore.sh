#!/bin/bash
# On one control plane node: puts the cluster back to a snapshot. The old state is kept beside it. Other control
# plane nodes must be reset before (`kubeadm reset`) and join again after: README.md has the order.
#
#     etcd-restore.sh [--dry-run] [--root FOLDER] SNAPSHOT.db
#
# A snapshot whose own hash is wrong is refused before anything stops. Stops the control plane of this node for
# about a minute.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=lib/common.sh
. "$HERE/lib/common.sh"
options "$@"
# shellcheck source=lib/etcd.sh
. "$HERE/lib/etcd.sh"
need_root
snapshot=${ARGUMENTS[0]:-}
[ -n "$snapshot" ] || { usage; exit 2; }
[ -s "$snapshot" ] || mistake "there is no snapshot $snapshot"

manifests=$ROOT/etc/kubernetes/manifests stopped=$ROOT/etc/kubernetes/manifests.stopped
# after a failure half-way the manifests lie in the other folder: go on from there
[ -e "$ETCD_MANIFEST" ] || ETCD_MANIFEST=$stopped/etcd.yaml
[ -e "$ETCD_MANIFEST" ] || mistake "no etcd of kubeadm's is set up here: $manifests/etcd.yaml is missing"
name=$(flag name) peer=$(flag initial-advertise-peer-urls)
time=$(date -u +%Y%m%dT%H%M%SZ)

# First aside, while everything runs: a snapshot that is damaged is refused here, and nothing has stopped.
run rm -rf "$ETCD_FOLDER.restored"
# Revisions jump ahead, and all watches count as compacted: controllers and kubelets then read everything anew,
# instead of trusting what they saw after the snapshot was taken.
run etcd_program etcdutl snapshot restore "$snapshot" --data-dir="$ETCD_FOLDER.restored" \
    --name="$name" --initial-cluster="$name=$peer" --initial-advertise-peer-urls="$peer" \
    --bump-revision=1000000000 --mark-compacted
run chmod 0700 "$ETCD_FOLDER.restored"

# kubelet ends what has no manifest; nothing may write while the files change
if [ -e "$manifests/etcd.yaml" ]; then
    run mkdir -p "$stopped"
    run find "$manifests" -maxdepth 1 -name '*.yaml' -exec mv -t "$stopped" {} +
fi
if [ -z "$DRY_RUN" ] && on_machine; then
    for _ in $(seq 60); do
        [ -n "$(crictl ps --quiet --name '^(etcd|kube-apiserver)$')" ] || break
        sleep 2
    done
    [ -z "$(crictl ps --quiet --name '^(etcd|kube-apiserver)$')" ] ||
        mistake "etcd or the API server does not stop; their manifests are in $stopped"
fi

[ ! -e "$ETCD_FOLDER" ] || run mv "$ETCD_FOLDER" "$ETCD_FOLDER.before-$time"
run mv "$ETCD_FOLDER.restored" "$ETCD_FOLDER"
run find "$stopped" -maxdepth 1 -name '*.yaml' -exec mv -t "$manifests" {} +
if [ -z "$DRY_RUN" ] && on_machine; then
    for _ in $(seq 90); do
        kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz >/dev/null 2>&1 && break
        sleep 2
    done
    kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz >/dev/null ||
        mistake "the API server is not ready; the old state is in $ETCD_FOLDER.before-$time"
fi
[ -n "$DRY_RUN" ] || say "restored: $snapshot; the state before it is in $ETCD_FOLDER.before-$time"
