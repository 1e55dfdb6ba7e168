# shellcheck shell=bash
# What every script here says and how it stops. Sourced, never run.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck disable=SC2034  # used by those who source this
local_dir=$project/.local

# One line of progress. On stderr, so that a script's output stays usable.
say() {
    if [ -t 2 ]; then printf '\033[2m·\033[0m %s\n' "$*" >&2; else printf '· %s\n' "$*" >&2; fi
}

# One sentence that names the cause and the remedy, and the end.
die() {
    if [ -t 2 ]; then printf '\033[31mStopped:\033[0m %s\n' "$*" >&2; else printf 'Stopped: %s\n' "$*" >&2; fi
    exit 1
}

# A folder only its owner may look into: secrets, logs, the spool.
private_folder() {
    mkdir -p "$1"
    chmod 0700 "$1"
}

# .local itself may be walked through (the server's user has its data below), not listed.
local_folder() {
    mkdir -p "$local_dir"
    chmod 0711 "$local_dir"
}

# Letters and digits from the kernel's own source.
random_word() { od -An -N"${1:-24}" -tx1 /dev/urandom | tr -d ' \n'; }
