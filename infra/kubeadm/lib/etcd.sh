# shellcheck shell=bash
# etcd's own programs: those on the PATH, else those in the image that kubeadm runs. Sourced after common.sh.

# shellcheck disable=SC2034 # the callers'
ETCD_FOLDER=$ROOT/var/lib/etcd
PKI=$ROOT/etc/kubernetes/pki
ETCD_MANIFEST=$ROOT/etc/kubernetes/manifests/etcd.yaml

# etcd_program NAME ARGUMENT...: etcdctl or etcdutl, with this machine's files at their own paths.
etcd_program() {
    local name=$1 image=registry.k8s.io/etcd:$ETCD_VERSION mounts=() folder
    shift
    if command -v "$name" >/dev/null; then "$name" "$@"; return; fi
    for folder in /var/lib /etc/kubernetes /var/backups; do
        mounts+=(--mount "type=bind,src=$folder,dst=$folder,options=rbind:rw")
    done
    ctr --namespace k8s.io run --rm --net-host "${mounts[@]}" \
        "$image" "dream-$name-$$" "/usr/local/bin/$name" "$@"
}

# etcdctl_here ARGUMENT...: asks this node's own member, as kubeadm's health checks do.
etcdctl_here() {
    etcd_program etcdctl --endpoints=https://127.0.0.1:2379 --cacert="$PKI/etcd/ca.crt" \
        --cert="$PKI/etcd/healthcheck-client.crt" --key="$PKI/etcd/healthcheck-client.key" "$@"
}

# flag NAME: what etcd's static Pod is started with.
flag() { sed -n "s/^ *- --$1=//p" "$ETCD_MANIFEST" | head -n 1; }
