#!/bin/bash
# On a control plane node: saves the cluster's whole state, and the keys without which it is of no use, into a
# folder: etcd-TIME.db, restored once aside to prove it, and pki-TIME.tar.gz. Both hold every secret of the
# cluster: the files are root's alone; encrypt what leaves the machine.
#
#     etcd-snapshot.sh [--dry-run] [--root FOLDER] FOLDER [KEEP]
#
# FOLDER lies below /var/backups or /var/lib. The newest KEEP pairs stay (14).
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=lib/common.sh
. "$HERE/lib/common.sh"
options "$@"
# shellcheck source=lib/etcd.sh
. "$HERE/lib/etcd.sh"
need_root
folder=${ARGUMENTS[0]:-} keep=${ARGUMENTS[1]:-14}
[ -n "$folder" ] || { usage; exit 2; }
[[ $keep =~ ^[1-9][0-9]*$ ]] || mistake "KEEP is a number of snapshots, not $keep"
[ -e "$ETCD_MANIFEST" ] || mistake "no etcd runs here ($ETCD_MANIFEST is missing): go to a control plane node"

time=$(date -u +%Y%m%dT%H%M%SZ)
umask 077
run mkdir -p "$folder"
run etcdctl_here snapshot save "$folder/etcd-$time.part"
# Restored once, aside, which compares its hash: a snapshot that cannot be restored is none.
run etcd_program etcdutl snapshot restore "$folder/etcd-$time.part" --data-dir="$folder/check-$time"
run rm -rf "$folder/check-$time"
run tar -C "$ROOT/etc/kubernetes" -czf "$folder/pki-$time.tar.gz" pki
run mv "$folder/etcd-$time.part" "$folder/etcd-$time.db"
if [ -d "$folder" ]; then
    # names sort by time
    find "$folder" -maxdepth 1 -name 'etcd-*.db' -printf '%f\n' | sort -r | tail -n "+$((keep + 1))" |
        while read -r old; do
            old=${old#etcd-}
            run rm -f "$folder/etcd-$old" "$folder/pki-${old%.db}.tar.gz"
        done
fi
[ -n "$DRY_RUN" ] || say "snapshot: $folder/etcd-$time.db"
