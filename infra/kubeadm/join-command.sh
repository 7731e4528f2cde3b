#!/bin/bash
# On a control plane node: makes a token for the next hour and prints what join.sh reads. The output is a
# secret: send it straight on, do not keep it.
#
#     join-command.sh [--control-plane] | ssh MACHINE sudo infra/kubeadm/join.sh --settings FILE
#
# --control-plane lets the machine become a control plane node: its certificates are uploaded for two hours,
# under a key that only this output has.
set -euo pipefail
case ${1:-} in
'') ;;
--control-plane) ;;
-h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac

export KUBECONFIG=${KUBECONFIG:-/etc/kubernetes/admin.conf}
printf 'TOKEN=%s\n' "$(kubeadm token create --ttl 1h --description 'one machine joins')"
printf 'CA_HASH=sha256:%s\n' "$(openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt |
    openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)"
if [ "${1:-}" = --control-plane ]; then
    key=$(kubeadm init phase upload-certs --upload-certs 2>/dev/null | grep -xE '[0-9a-f]{64}')
    printf 'CERTIFICATE_KEY=%s\n' "$key"
fi
