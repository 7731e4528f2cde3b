#!/bin/bash
# Gives a new cluster what it needs before anything else: a network that enforces NetworkPolicy (Calico),
# approval of kubelets' certificates, a default storage class (local-path), and metrics-server with a certificate
# of its own. Run it where kubectl reaches the cluster; run again, it changes what differs, and renews what
# expires.
#
#     addons.sh [--dry-run] [--settings FILE] [--versions FILE] [PART]...
#
# Parts: calico, kubelet-csr-approver, local-path, metrics-server; without a name, all. --dry-run shows the
# differences.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=lib/common.sh
. "$HERE/lib/common.sh"
# shellcheck source=lib/apply.sh
. "$HERE/lib/apply.sh"
options "$@"
all=(calico kubelet-csr-approver local-path metrics-server)
[ ${#ARGUMENTS[@]} -gt 0 ] || ARGUMENTS=("${all[@]}")
for name in "${ARGUMENTS[@]}"; do
    [[ " ${all[*]} " == *" $name "* ]] || mistake "there is no part $name; there are: ${all[*]}"
done
kubectl version -o json >/dev/null 2>&1 || mistake "kubectl reaches no cluster: $(kubectl version 2>&1 | tail -n 1)"

# keys are made in here: in memory, not on a disk
work=$(mktemp -d -p "$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)")
trap 'rm -rf "$work"' EXIT

# download URL SHA256 FILE: refuses a file that is not the one expected.
download() {
    curl --fail --silent --show-error --location --retry 3 --output "$3" "$1"
    echo "$2  $3" | sha256sum --check --quiet --status ||
        mistake "$1 is not the file that versions.env names: its hash is $(sha256sum "$3" | cut -d' ' -f1)"
}

for name in "${ARGUMENTS[@]}"; do
    case $name in
    calico)
        download "$CALICO_SOURCE/v1_crd_projectcalico_org.yaml" "$CALICO_CRDS_SHA256" "$work/crds.yaml"
        download "$CALICO_SOURCE/tigera-operator.yaml" "$CALICO_OPERATOR_SHA256" "$work/operator.yaml"
        apply "Calico's CRDs" "$work/crds.yaml"
        [ -n "$DRY_RUN" ] || kubectl wait --for=condition=Established --timeout=60s \
            crd/installations.operator.tigera.io >/dev/null
        apply "Calico's operator" "$work/operator.yaml"
        ;;
    metrics-server)
        certificate metrics-server kube-system "$work"
        METRICS_CA_BUNDLE=$CA_BUNDLE
        export METRICS_CA_BUNDLE
        ;;
    esac
    render "$HERE/addons/$name.yaml" >"$work/$name.yaml"
    apply "$name" "$work/$name.yaml"
done

# All is asked for; now it must come up, in the order in which one part needs another.
if [ -z "$DRY_RUN" ]; then
    for name in "${ARGUMENTS[@]}"; do
        case $name in
        calico)
            kubectl -n tigera-operator rollout status deployment/tigera-operator --timeout=300s
            kubectl wait --for=condition=Ready --timeout=300s installation/default
            ;;
        local-path)
            kubectl -n local-path-storage rollout status deployment/local-path-provisioner --timeout=300s
            ;;
        metrics-server)
            kubectl -n kube-system rollout status deployment/metrics-server --timeout=300s
            kubectl wait --for=condition=Available --timeout=120s apiservice/v1beta1.metrics.k8s.io
            ;;
        *) kubectl -n kube-system rollout status "deployment/$name" --timeout=300s ;;
        esac
    done
fi
done_with "add-ons"
