#!/usr/bin/env bash
# From a clone to the running product: what is missing is installed, a private PostgreSQL is started, the program is
# built, the demo world is loaded; then web, worker and SIP edge run in one process until Ctrl-C.
# DATABASE_URL uses that server instead. RINGTILL_HTTP and RINGTILL_SIP change the addresses.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"
# shellcheck source=deploy/dev/need.sh
. "$here/need.sh"
# shellcheck source=deploy/dev/postgres.sh
. "$here/postgres.sh"
# shellcheck source=deploy/dev/system.sh
. "$here/system.sh"

# refuse_taken NAME ADDRESS KIND...: before minutes of building, not after.
refuse_taken() {
    local name=$1 address=$2 port kind
    port=${address##*:}
    if ! [[ $address =~ ^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65535)); then
        die "$name is $address; it must be an IP address and a port from 1 to 65535: write it as $name=127.0.0.1:8080."
    fi
    shift 2
    for kind in "$@"; do
        if port_taken "$kind" "$port"; then
            die "Port $port ($kind) of $name is already taken by another program: stop that one, or choose another port, for instance 'make run $name=127.0.0.1:$((10#$port + 10))'."
        fi
    done
}

# Nobody can send to "every address of this machine".
refuse_nowhere() {
    case $RINGTILL_SIP in
        0.0.0.0:* | '[::]:'*)
            [ -n "${RINGTILL_SIP_ADVERTISED:-}" ] ||
                die "RINGTILL_SIP is $RINGTILL_SIP, an address that nobody can send to: set RINGTILL_SIP_ADVERTISED to the IP address that phones reach this machine at."
            ;;
    esac
}

# shellcheck disable=SC2317  # called by the trap
finish() {
    trap '' INT TERM HUP
    rm -f "$running"
    [ -z "$pg_pid" ] || say "Stopping PostgreSQL; its data stays for the next run"
    cluster_stop
}

SECONDS=0
system_lock
refuse_taken RINGTILL_HTTP "$RINGTILL_HTTP" tcp
refuse_taken RINGTILL_SIP "$RINGTILL_SIP" udp tcp
refuse_nowhere
need_rust
[ -n "${DATABASE_URL:-${RINGTILL_OWNER_URL:-}}" ] || need_postgres
"$here/vendor.sh"
system_build

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
system_secrets
system_database
system_migrate
say "Loading the demo world"
"$binary" demo 9>&- || die "The demo world could not be loaded; the line above names the cause, and 'make clean' before 'make run' starts afresh."
# shellcheck disable=SC2086  # a name, or nothing
(umask 077 && declare -px RINGTILL_OWNER_URL RINGTILL_ROLE_PASSWORD RINGTILL_SECRET_FILE RINGTILL_HTTP ${RINGTILL_HOST+RINGTILL_HOST} ${RINGTILL_DAYS_AHEAD+RINGTILL_DAYS_AHEAD} RINGTILL_SIP ${RINGTILL_SIP_ADVERTISED+RINGTILL_SIP_ADVERTISED} ${RINGTILL_SIP_TLS+RINGTILL_SIP_TLS RINGTILL_SIP_TLS_CERTIFICATE RINGTILL_SIP_TLS_KEY} ${RINGTILL_SIP_TRUSTED+RINGTILL_SIP_TRUSTED} RINGTILL_SPOOL >"$running")
say "Set up in $SECONDS s; starting"
code=0
run_in_group "$binary" serve 9>&- || code=$?
case $code in
    0 | 130 | 143) exit "$code" ;;
    *) die "The program ended with code $code; its lines above say why." ;;
esac
