# shellcheck shell=bash
# What a cluster holds, changed only where it differs. Sourced after common.sh.

# apply NAME FILE: shows the difference on a dry run; applies where there is one.
apply() {
    local name=$1 file=$2 found=0 difference
    difference=$(kubectl diff --server-side --force-conflicts --field-manager=dream-kubeadm -f "$file" 2>&1) ||
        found=$?
    if [ "$found" = 0 ]; then return; fi
    CHANGES=$((CHANGES + 1))
    if [ -n "$DRY_RUN" ]; then
        # more than 1: what the file needs (a CRD, a namespace) is not there yet, so all of it is new
        say "would apply: $name"
        say "$difference"
    else
        say "apply: $name"
        # conflicts: an earlier `kubectl edit` of the same field; these files are the truth
        kubectl apply --server-side --force-conflicts --field-manager=dream-kubeadm -f "$file"
    fi
}

# certificate SERVICE NAMESPACE FOLDER: the Secret SERVICE-tls, made or made anew when 60 days are left; its
# authority, for whoever calls the service, is in CA_BUNDLE.
certificate() {
    local service=$1 namespace=$2 folder=$3 secret=$1-tls name=$1.$2.svc
    kubectl -n "$namespace" get secret "$secret" -o jsonpath='{.data.ca\.crt} {.data.tls\.crt}' \
        >"$folder/secret" 2>/dev/null || : >"$folder/secret"
    read -r CA_BUNDLE current <"$folder/secret" || true
    if [ -n "${current:-}" ] && base64 -d <<<"$current" | openssl x509 -noout -checkend $((60 * 86400)) >/dev/null &&
        base64 -d <<<"$current" | openssl x509 -noout -checkhost "$name" | grep -q 'does match'; then
        return
    fi
    CHANGES=$((CHANGES + 1))
    if [ -n "$DRY_RUN" ]; then say "would make: certificate of $name"; return; fi
    say "make: certificate of $name, for two years"
    (
        umask 077
        cd "$folder" || exit
        openssl ecparam -name prime256v1 -genkey -noout -out ca.key
        openssl req -x509 -new -key ca.key -subj "/CN=$service authority" -days 731 -out ca.crt \
            -addext keyUsage=critical,keyCertSign,cRLSign
        openssl ecparam -name prime256v1 -genkey -noout -out tls.key
        # the authority's key signs this one certificate and is gone with the folder
        openssl req -new -key tls.key -subj "/CN=$name" |
            openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 730 -out tls.crt \
                -extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$name") 2>/dev/null
        kubectl -n "$namespace" create secret generic "$secret" --type=kubernetes.io/tls --dry-run=client -o yaml \
            --from-file=ca.crt --from-file=tls.crt --from-file=tls.key |
            kubectl apply --server-side --force-conflicts --field-manager=dream-kubeadm -f -
    )
    # shellcheck disable=SC2034 # the caller's
    CA_BUNDLE=$(base64 -w 0 <"$folder/ca.crt")
    # it reads its files again by itself, but not before kubelet has brought them: start it with the new ones
    kubectl -n "$namespace" rollout restart "deployment/$service" 2>/dev/null || true
}
