# shellcheck shell=bash
# Finds what is missing on this machine and installs it. Sourced, after say.sh.
# Quiet about what is there. Each need_* returns with the thing usable, or ends the script with one sentence.

postgres_oldest=15
node_oldest=18

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

can_install() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

# install_packages WHAT PACKAGE...: Debian packages, said in one line; the log is shown only when it fails.
install_packages() {
    local what=$1 log
    shift
    can_install || die "$what is missing and cannot be installed by this user; install the Debian package(s) $* (or their equal) and run this again."
    say "Installing $what ($*)"
    log=$(mktemp)
    if ! { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
        apt-get install -q -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        die "apt-get could not install $*; the lines above say why, and installing them by hand is the remedy."
    fi
    rm -f "$log"
}

# Debian would create and start a cluster of its own beside ours; a machine that has no PostgreSQL did not ask for one.
without_debians_own_cluster() {
    local conf=/etc/postgresql-common/createcluster.conf
    [ -e "$conf" ] && return 0
    as_root mkdir -p "$(dirname "$conf")"
    echo 'create_main_cluster = false' | as_root tee "$conf" >/dev/null
}

# Prints the folder of the newest PostgreSQL server programs, or nothing.
postgres_programs() {
    local folder newest='' version best=0
    for folder in /usr/lib/postgresql/*/bin /usr/local/pgsql/bin /usr/pgsql-*/bin "$(dirname "$(command -v initdb || echo /nowhere/x)")"; do
        if ! [ -x "$folder/initdb" ] || ! [ -x "$folder/postgres" ]; then continue; fi
        version=$("$folder/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
        if [ "$version" -gt "$best" ]; then
            best=$version
            newest=$folder
        fi
    done
    printf '%s' "$newest"
}

postgres_major() { "$1/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; }

# The periods of a number's owner may not overlap: an exclusion constraint that needs btree_gist.
has_btree_gist() {
    [ -e "$("$1/pg_config" --sharedir 2>/dev/null)/extension/btree_gist.control" ] ||
        [ -e "/usr/share/postgresql/$(postgres_major "$1")/extension/btree_gist.control" ] ||
        [ -e "$1/../share/extension/btree_gist.control" ]
}

# Sets $pg_bin.
need_postgres() {
    pg_bin=$(postgres_programs)
    if [ -z "$pg_bin" ]; then
        can_install && without_debians_own_cluster
        install_packages "PostgreSQL" postgresql postgresql-contrib
        pg_bin=$(postgres_programs)
        [ -n "$pg_bin" ] || die "PostgreSQL's server programs (initdb, postgres) are not found after the installation; put their folder on PATH."
    fi
    local major
    major=$(postgres_major "$pg_bin")
    [ "$major" -ge "$postgres_oldest" ] ||
        die "PostgreSQL $major in $pg_bin is too old: install PostgreSQL $postgres_oldest or newer, or name a newer server in DATABASE_URL."
    if ! has_btree_gist "$pg_bin"; then
        install_packages "PostgreSQL's extension btree_gist" postgresql-contrib
        has_btree_gist "$pg_bin" || die "PostgreSQL in $pg_bin lacks the extension btree_gist: install its contrib package."
    fi
}

need_rust() {
    command -v cargo >/dev/null || die "Rust is missing: install Rust 1.95 or newer (rustup does it) and run this again."
    command -v cc >/dev/null || install_packages "a C compiler" build-essential
}

need_node() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        install_packages "Node" nodejs npm
    fi
    local major
    major=$(node --version | sed -E 's/^v([0-9]+).*/\1/')
    [ "$major" -ge "$node_oldest" ] || die "Node $major is too old: install Node $node_oldest or newer."
}

need_chromium() {
    [ -x /usr/bin/chromium ] || command -v chromium >/dev/null || install_packages "the browser for the page tests" chromium fonts-liberation
}

need_sipp() { command -v sipp >/dev/null || install_packages "the SIP test peer" sip-tester; }

need_baresip() {
    command -v baresip >/dev/null || install_packages "the softphone of the call tests" baresip-core
    command -v openssl >/dev/null || install_packages "what makes the call tests' certificate" openssl
}

need_pdftotext() { command -v pdftotext >/dev/null || install_packages "the reader of printed files" poppler-utils; }
need_shellcheck() { command -v shellcheck >/dev/null || install_packages "shellcheck" shellcheck; }

# need_cargo_tool NAME: a cargo subcommand, built once for this user.
need_cargo_tool() {
    cargo "$1" --version >/dev/null 2>&1 && return 0
    say "Building cargo-$1 once (some minutes)"
    cargo install --locked --quiet "cargo-$1" || die "cargo-$1 could not be installed; run 'cargo install --locked cargo-$1' and see why."
}
