# shellcheck shell=bash
# What the scripts here share: options, settings, and changes that are made only where something differs.
# Sourced; the caller has set -euo pipefail and HERE.

DRY_RUN='' ROOT='' SETTINGS=$HERE/cluster.env VERSIONS=$HERE/versions.env ADDRESS='' ARGUMENTS=() CHANGES=0

# Prints the comment at the head of the calling script.
usage() { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; }

# options ARGUMENT...: reads the options that all scripts know; what is left is in ARGUMENTS.
options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) DRY_RUN=yes ;;
        --root) ROOT=$(realpath -m "${2:?--root needs a folder}"); shift ;;
        --settings) SETTINGS=${2:?--settings needs a file}; shift ;;
        --versions) VERSIONS=${2:?--versions needs a file}; shift ;;
        --address) ADDRESS=${2:?--address needs this node\'s address}; shift ;;
        -h | --help) usage; exit 0 ;;
        -*) mistake "there is no option $1; see $0 --help" ;;
        *) ARGUMENTS+=("$1") ;;
        esac
        shift
    done
    [ "$ROOT" != / ] || ROOT=''
    local file
    for file in "$VERSIONS" "$SETTINGS"; do
        [ -r "$file" ] || mistake "$file cannot be read"
        # shellcheck source=/dev/null
        . "$file"
    done
}

say() { printf '%s\n' "$*"; }
mistake() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 2; }

# need_root: changing a machine takes root; looking at what would change does not.
need_root() {
    [ -n "$DRY_RUN" ] || [ "$(id -u)" = 0 ] || mistake "needs root; --dry-run shows what it would do"
}

# run COMMAND...: runs it, or says what would be run.
run() {
    CHANGES=$((CHANGES + 1))
    if [ -n "$DRY_RUN" ]; then say "would run: $*"; else say "run: $*"; "$@"; fi
}

# here COMMAND...: like run, in the root that is prepared.
here() { if [ -n "$ROOT" ]; then run chroot "$ROOT" "$@"; else run "$@"; fi; }

# on_machine: whether the machine that runs is prepared, not a folder that will become one.
on_machine() { [ -z "$ROOT" ]; }

# put FILE MODE: writes standard input there if it differs; returns 1 when nothing differed.
put() {
    local file=$ROOT$1 mode=$2 content
    content=$(cat; printf x)
    if [ "$(stat -c %a "$file" 2>/dev/null)" = "${mode#0}" ] && cmp -s "$file" <(printf %s "${content%x}"); then
        return 1
    fi
    CHANGES=$((CHANGES + 1))
    if [ -n "$DRY_RUN" ]; then
        say "would write: $1"
        diff -u --label "$1" --label "$1, new" <(cat "$file" 2>/dev/null) <(printf %s "${content%x}") || true
    else
        say "write: $1"
        mkdir -p "$(dirname "$file")"
        # beside it, then over it: nobody ever reads half a file
        printf %s "${content%x}" | install -m "$mode" /dev/stdin "$file.new"
        mv "$file.new" "$file"
    fi
}

# render FILE: the file with each ${NAME} of the settings and versions filled in.
render() {
    local text name
    text=$(cat "$1"; printf x)
    # only names that stand in the file: everything else with a dollar is left as it is
    # shellcheck disable=SC2016
    for name in $(grep -o '\${[A-Z0-9_]*}' "$1" | tr -d '${}' | sort -u); do
        [ -n "${!name+set}" ] || mistake "$1 asks for $name, which neither $SETTINGS nor $VERSIONS sets"
        text=${text//"\${$name}"/"${!name}"}
    done
    printf %s "${text%x}"
}

# node_address: --address, else the address that faces the default route.
node_address() {
    if [ -n "$ADDRESS" ]; then say "$ADDRESS"; return; fi
    local device
    device=$(ip -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
    [ -n "$device" ] || mistake "this machine has no default route; name its address by --address"
    ip -4 -o address show dev "$device" scope global | sed -n '1s/.* inet \([^/]*\).*/\1/p'
}

# done_with WHAT: the last line; the same words every time, so that a second run shows that nothing is left.
done_with() {
    if [ "$CHANGES" = 0 ]; then
        say "$1: nothing to change"
    else
        say "$1: $CHANGES changes${DRY_RUN:+ would be made}"
    fi
}
