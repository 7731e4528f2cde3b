#!/bin/bash
# Makes this prepared machine a node of the cluster. What join-command.sh printed comes in on standard input; with
# a certificate key in it, the machine becomes a control plane node.
#
#     join.sh [--dry-run] [--settings FILE] [--address THIS-NODE'S-ADDRESS]  <JOIN-COMMAND'S-OUTPUT
#
# A machine that is a node already is left as it is.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=lib/common.sh
. "$HERE/lib/common.sh"
options "$@"
need_root

if [ -e "$ROOT/etc/kubernetes/kubelet.conf" ]; then
    say "this machine is a node already: /etc/kubernetes/kubelet.conf"
    done_with "node"
    exit
fi
# Read, not sourced: three known names, each of a known form, and nothing else.
while IFS='=' read -r name value; do
    case $name in
    TOKEN) form='^[a-z0-9]{6}\.[a-z0-9]{16}$' ;;
    CA_HASH) form='^sha256:[0-9a-f]{64}$' ;;
    CERTIFICATE_KEY) form='^[0-9a-f]{64}$' ;;
    *) mistake "standard input holds something else than join-command.sh prints" ;;
    esac
    [[ $value =~ $form ]] || mistake "$name on standard input has not the form of one: was a line cut?"
    printf -v "$name" %s "$value"
done
if [ -z "${TOKEN:-}" ] || [ -z "${CA_HASH:-}" ]; then
    mistake "no token on standard input: pipe in what join-command.sh prints on a control plane node"
fi

NODE_ADDRESS=$(node_address)
export NODE_ADDRESS # for render
role=worker
[ -z "${CERTIFICATE_KEY:-}" ] || role=control-plane
config=$(mktemp) # mode 0600: it holds the token
trap 'rm -f "$config"' EXIT
render "$HERE/config/join-$role.yaml" >"$config"
kubeadm config validate --config "$config"
[ "$role" = worker ] || put /etc/kubernetes/audit-policy.yaml 0644 <"$HERE/config/audit-policy.yaml" || true
if [ -n "$DRY_RUN" ]; then
    say "would run: kubeadm join as $role of $CONTROL_PLANE_ENDPOINT, with address $NODE_ADDRESS"
    CHANGES=$((CHANGES + 1))
else
    run kubeadm join --config "$config"
fi
done_with "node"
