# shellcheck shell=bash
# Debian packages: from which archive, at which version, held. Sourced after common.sh.

# package_version NAME: what is installed, or nothing.
package_version() {
    dpkg-query --admindir="$ROOT/var/lib/dpkg" -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null |
        sed -n 's/^installed //p' || true # dpkg-query fails where the package is unknown
}

apt() { here env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@"; }

# install_packages NAME...: installs what is missing, at the distribution's own version.
install_packages() {
    local name missing=()
    for name in "$@"; do
        [ -n "$(package_version "$name")" ] || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] || { apt update; apt install -y --no-install-recommends "${missing[@]}"; }
}

# add_archive NAME URL KEY-URL FINGERPRINT SUITE: a signed archive whose key is the one expected.
add_archive() {
    local name=$1 url=$2 key_url=$3 fingerprint=$4 suite=$5 keyring=/etc/apt/keyrings/dream-$1.asc found work
    local lines=("Types: deb" "URIs: $url" "Suites: ${suite%% *}")
    # a flat archive, whose only suite is "/", has no components
    [ "${suite#* }" = "$suite" ] || lines+=("Components: ${suite#* }")
    if ! key_is "$ROOT$keyring" "$fingerprint"; then
        if [ -n "$DRY_RUN" ]; then
            run fetch "$key_url" "$keyring"
        else
            work=$(mktemp)
            curl --fail --silent --show-error --location --retry 3 --output "$work" "$key_url"
            found=$(fingerprints "$work" | tr '\n' ' ')
            if ! key_is "$work" "$fingerprint"; then
                rm -f "$work"
                mistake "$key_url holds the key ${found:-of nobody}, not $fingerprint; nothing was taken from there"
            fi
            put "$keyring" 0644 <"$work" || true
            rm -f "$work"
        fi
    fi
    if printf '%s\n' "${lines[@]}" "Signed-By: $keyring" |
        put "/etc/apt/sources.list.d/dream-$name.sources" 0644; then
        apt update
    fi
}

# fingerprints FILE: of the main keys in it, one a line.
fingerprints() {
    gpg --batch --quiet --with-colons --show-keys "$1" 2>/dev/null |
        awk -F: '/^pub/ {main=1} /^fpr/ && main {print $10; main=0}'
}
key_is() { [ -e "$1" ] && [ "$(fingerprints "$1")" = "$2" ]; }

# install_held NAME=VERSION...: exactly these versions, kept from `apt upgrade`.
install_held() {
    local each wrong=() loose=() held
    for each in "$@"; do
        [ "$(package_version "${each%%=*}")" = "${each#*=}" ] || wrong+=("$each")
    done
    [ ${#wrong[@]} = 0 ] ||
        apt install -y --no-install-recommends --allow-change-held-packages "${wrong[@]}"
    held=$(apt-mark -o Dir="${ROOT:-/}" showhold 2>/dev/null || true)
    for each in "$@"; do
        grep -qxF "${each%%=*}" <<<"$held" || loose+=("${each%%=*}")
    done
    [ ${#loose[@]} = 0 ] || here apt-mark -qq hold "${loose[@]}"
}
