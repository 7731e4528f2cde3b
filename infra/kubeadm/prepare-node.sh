#!/bin/bash
# Makes a Debian 12 or 13 or Ubuntu 22.04, 24.04 or 26.04 machine ready for create-cluster.sh or join.sh: kernel
# modules and settings, no swap, containerd 2, kubelet, kubeadm and kubectl, each at the version of versions.env
# and held there.
#
#     prepare-node.sh [--dry-run] [--root FOLDER] [--versions FILE] [--settings FILE]
#
# Run again, it changes what differs and nothing else. --dry-run shows every change and makes none.
# --root prepares a machine image in a folder: nothing that runs is touched.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=lib/common.sh
. "$HERE/lib/common.sh"
# shellcheck source=lib/packages.sh
. "$HERE/lib/packages.sh"
options "$@"
need_root

# --- what it cannot change, first --------------------------------------------------------------------------
# shellcheck source=/dev/null
system=$(. "$ROOT/etc/os-release" && echo "$ID $VERSION_ID $VERSION_CODENAME")
read -r distribution release codename <<<"$system"
case $distribution-$release in
debian-12 | debian-13 | ubuntu-22.04 | ubuntu-24.04 | ubuntu-26.04) ;;
*) mistake "$distribution $release is not Debian 12 or 13, nor Ubuntu 22.04, 24.04 or 26.04" ;;
esac
if on_machine && [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
    message="this machine runs cgroup v1, which Kubernetes $KUBERNETES_VERSION refuses"
    message+="; boot it with systemd.unified_cgroup_hierarchy=1"
    if [ -n "$DRY_RUN" ]; then say "would stop: $message"; else mistake "$message"; fi
fi

# --- kernel ------------------------------------------------------------------------------------------------
modules=(overlay br_netfilter)
put /etc/modules-load.d/dream-kubernetes.conf 0644 < <(printf '%s\n' "${modules[@]}") || true
if on_machine; then
    for module in "${modules[@]}"; do
        [ -d "/sys/module/$module" ] || run modprobe "$module"
    done
fi

# Forwarding for Pods; the next four are what kubelet's protectKernelDefaults demands; inotify and memory maps
# because a Ray node watches many files and Parquet readers map them.
sysctls=(
    net.ipv4.ip_forward=1
    net.bridge.bridge-nf-call-iptables=1
    net.bridge.bridge-nf-call-ip6tables=1
    vm.overcommit_memory=1
    vm.panic_on_oom=0
    kernel.panic=10
    kernel.panic_on_oops=1
    fs.inotify.max_user_instances=8192
    fs.inotify.max_user_watches=524288
    vm.max_map_count=262144
)
put /etc/sysctl.d/90-dream-kubernetes.conf 0644 < <(printf '%s\n' "${sysctls[@]}") || true
if on_machine; then
    for setting in "${sysctls[@]}"; do
        [ "$(sysctl -n "${setting%%=*}" 2>/dev/null)" = "${setting#*=}" ] || run sysctl -qw "$setting"
    done
fi

# --- no swap, now and after the next boot ------------------------------------------------------------------
if [ -e "$ROOT/etc/fstab" ]; then
    swap_line='^([^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]].*)?)$'
    put /etc/fstab 0644 < <(sed -E "s/$swap_line/# no swap under Kubernetes: \\1/" "$ROOT/etc/fstab") || true
fi
# systemd starts swap partitions that it finds by itself, whatever fstab says
[ "$(readlink "$ROOT/etc/systemd/system/swap.target" || true)" = /dev/null ] ||
    here ln -sf /dev/null /etc/systemd/system/swap.target
if on_machine && [ "$(wc -l </proc/swaps)" -gt 1 ]; then run swapoff --all; fi

# --- packages ----------------------------------------------------------------------------------------------
containerd=$CONTAINERD_VERSION-$CONTAINERD_REVISION~$distribution.$release~$codename
installed=$(package_version kubelet)
[ -z "$installed" ] || [ "$installed" = "$KUBERNETES_PACKAGE" ] ||
    mistake "kubelet $installed is here and $KUBERNETES_PACKAGE asked for: drain the node, run upgrade-node.sh"
install_packages conntrack curl ethtool gnupg iptables openssl socat ca-certificates
docker=$DOCKER_ARCHIVE/$distribution
add_archive docker "$docker" "$docker/gpg" "$DOCKER_KEY" "$codename stable"
add_archive kubernetes "$KUBERNETES_ARCHIVE/" "$KUBERNETES_ARCHIVE/Release.key" "$KUBERNETES_KEY" /
install_held "containerd.io=$containerd" "kubernetes-cni=$KUBERNETES_CNI_PACKAGE" "cri-tools=$CRI_TOOLS_PACKAGE" \
    {kubelet,kubeadm,kubectl}="$KUBERNETES_PACKAGE"

# --- container runtime -------------------------------------------------------------------------------------
# Docker's package comes with a configuration that switches off what kubelet needs; ours replaces all of it.
restart=''
put /etc/containerd/config.toml 0644 < <(render "$HERE/config/containerd.toml") && restart=yes
put /etc/crictl.yaml 0644 < <(echo 'runtime-endpoint: unix:///run/containerd/containerd.sock') || true
for service in containerd kubelet; do
    # the link says it without asking a systemd that may not run
    [ -L "$ROOT/etc/systemd/system/multi-user.target.wants/$service.service" ] ||
        here systemctl enable "$service.service"
done
if on_machine; then
    if [ -n "$restart" ]; then
        run systemctl restart containerd.service
    elif ! systemctl is-active --quiet containerd.service; then
        run systemctl start containerd.service
    fi
fi

# --- volumes -----------------------------------------------------------------------------------------------
# Each volume in it is open to all users, since a Pod may run as any; so the folder itself is root's alone.
[ "$(stat -c %a "$ROOT$VOLUME_FOLDER" 2>/dev/null)" = 700 ] || here install -d -m 0700 "$VOLUME_FOLDER"

done_with "node"
