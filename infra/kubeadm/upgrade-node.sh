#!/bin/bash
# Brings this node to the versions of versions.env: kubeadm, then the control plane or the node's settings, then
# containerd, kubelet and kubectl. One minor version at a time; control plane nodes first, one by one, then
# workers; drain each before and uncordon it after (README.md has the order).
#
#     upgrade-node.sh [--dry-run] [--settings FILE] [--versions FILE]
#
# A node that has these versions is left as it is; after a failure, run it again.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=lib/common.sh
. "$HERE/lib/common.sh"
# shellcheck source=lib/packages.sh
. "$HERE/lib/packages.sh"
options "$@"
need_root

minor() { cut -d. -f2 <<<"$1"; }
has=$(package_version kubelet)
[ -n "$has" ] || mistake "kubelet is not installed here: this machine wants prepare-node.sh"
if dpkg --compare-versions "$has" gt "$KUBERNETES_PACKAGE"; then
    mistake "kubelet $has is newer than $KUBERNETES_PACKAGE: Kubernetes cannot go back"
fi
[ $(($(minor "$KUBERNETES_PACKAGE") - $(minor "$has"))) -le 1 ] ||
    mistake "from $has to $KUBERNETES_PACKAGE is more than one minor version: go through those between"

# shellcheck source=/dev/null
system=$(. "$ROOT/etc/os-release" && echo "$ID $VERSION_ID $VERSION_CODENAME")
read -r distribution release codename <<<"$system"
docker=$DOCKER_ARCHIVE/$distribution
add_archive docker "$docker" "$docker/gpg" "$DOCKER_KEY" "$codename stable"
add_archive kubernetes "$KUBERNETES_ARCHIVE/" "$KUBERNETES_ARCHIVE/Release.key" "$KUBERNETES_KEY" /
[ "$has" = "$KUBERNETES_PACKAGE" ] || apt update # the archives may be known from before the release

install_held "kubeadm=$KUBERNETES_PACKAGE" "cri-tools=$CRI_TOOLS_PACKAGE"
# The whole cluster's version is upgraded by the first control plane node; every other node follows it.
if [ "$has" != "$KUBERNETES_PACKAGE" ] && on_machine; then
    config=$(mktemp)
    trap 'rm -f "$config"' EXIT
    render "$HERE/config/upgrade.yaml" >"$config"
    of_cluster=''
    if [ -e /etc/kubernetes/admin.conf ]; then
        of_cluster=$(kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system \
            get configmap kubeadm-config -o 'jsonpath={.data.ClusterConfiguration}' |
            sed -n 's/^kubernetesVersion: v//p')
    fi
    if [ -n "$of_cluster" ] && [ "$of_cluster" != "$KUBERNETES_VERSION" ]; then
        run "$HERE/etcd-snapshot.sh" /var/backups/etcd
        run kubeadm upgrade plan --config "$config"
        run kubeadm upgrade apply --yes --config "$config"
    else
        run kubeadm upgrade node --config "$config"
    fi
fi

containerd=$CONTAINERD_VERSION-$CONTAINERD_REVISION~$distribution.$release~$codename
before=$(package_version containerd.io)
install_held "containerd.io=$containerd" "kubernetes-cni=$KUBERNETES_CNI_PACKAGE" \
    {kubelet,kubectl}="$KUBERNETES_PACKAGE"
restart=''
put /etc/containerd/config.toml 0644 < <(render "$HERE/config/containerd.toml") && restart=yes
if on_machine; then
    [ "$before" = "$containerd" ] && [ -z "$restart" ] || run systemctl restart containerd.service
    if [ "$has" != "$KUBERNETES_PACKAGE" ]; then
        run systemctl daemon-reload
        run systemctl restart kubelet.service
        [ -n "$DRY_RUN" ] || curl --silent --fail --retry 30 --retry-delay 2 --retry-all-errors \
            --output /dev/null http://127.0.0.1:10248/healthz
    fi
fi
done_with "node"
