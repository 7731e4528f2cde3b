#!/bin/bash
# Makes this prepared machine the first control plane node of a new cluster, and puts the administrator's
# kubeconfig where kubectl looks for it.
#
#     create-cluster.sh [--dry-run] [--settings FILE] [--address THIS-NODE'S-ADDRESS]
#
# Where a cluster is already, it changes nothing. --dry-run lets kubeadm say what it would do.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=lib/common.sh
. "$HERE/lib/common.sh"
options "$@"
need_root

NODE_ADDRESS=$(node_address) # for render
export NODE_ADDRESS
if [ -e "$ROOT/etc/kubernetes/admin.conf" ]; then
    say "this machine is a control plane node already: /etc/kubernetes/admin.conf"
else
    # mktemp's file is this user's alone, and does not outlive the call
    config=$(mktemp)
    trap 'rm -f "$config"' EXIT
    render "$HERE/config/init.yaml" >"$config"
    kubeadm config validate --config "$config"
    put /etc/kubernetes/audit-policy.yaml 0644 <"$HERE/config/audit-policy.yaml" || true
    if [ -n "$DRY_RUN" ]; then
        CHANGES=$((CHANGES + 1))
        kubeadm init --dry-run --config "$config"
    else
        # --upload-certs: further control plane nodes fetch the certificates, encrypted, within two hours
        run kubeadm init --config "$config" --upload-certs --skip-certificate-key-print
    fi
fi
if [ -n "$ROOT" ]; then home=$ROOT/root; else home=${HOME:-/root}; fi
if [ ! -e "$home/.kube/config" ]; then
    run install -D -m 0600 "$ROOT/etc/kubernetes/admin.conf" "$home/.kube/config"
fi
done_with "cluster"
