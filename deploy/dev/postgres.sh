# shellcheck shell=bash
# A private PostgreSQL cluster: made, started, stopped. Sourced, after say.sh and need.sh.
# The server is a child of the script that starts it and is told by the kernel when that script dies (pdeathsig),
# so that nothing outlives a closed terminal or a kill -9. As root it runs as the user postgres.
# shellcheck disable=SC2154,SC2034  # pg_bin is set by need_postgres; wait sets $ended

pg_pid=''
pg_port=''
pg_user=ringtill

# Runs a command as the user that the server runs as.
as_server_user() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
    else
        "$@"
    fi
}

need_server_user() {
    command -v setpriv >/dev/null || install_packages "setpriv" util-linux
    [ "$(id -u)" = 0 ] || return 0
    id postgres >/dev/null 2>&1 || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin postgres ||
        die "PostgreSQL does not run as root and the user postgres cannot be created; create it or run this as another user."
}

# server_can_reach FOLDER: may the server's user walk to it? (A clone below a 0700 folder of root cannot be reached.)
server_can_reach() { as_server_user test -x "$1" 2>/dev/null; }

# server_folder FOLDER: makes a folder that belongs to the server's user alone.
server_folder() {
    mkdir -p "$1"
    if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$1"; fi
    chmod 0700 "$1"
}

# port_taken tcp|udp PORT: is something listening on it, on any address?
port_taken() {
    local hex
    hex=$(printf ':%04X' "$2")
    cat "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null | awk -v port="$hex" -v kind="$1" '
        substr($2, length($2) - 4) == port && (kind == "udp" || $4 == "0A") { found = 1 }
        END { exit !found }'
}

free_port() {
    local port
    for _ in $(seq 50); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        if ! port_taken tcp "$port"; then
            printf '%s' "$port"
            return 0
        fi
    done
    die "No free TCP port was found between 20000 and 32000; stop what holds them."
}

# cluster_create FOLDER PASSWORD METHOD OPTION...: initdb in FOLDER/data, which only $pg_user with PASSWORD may enter.
cluster_create() {
    local home=$1 password=$2 method=$3 log=$1/initdb.log secret=$1/.password
    shift 3
    printf '%s\n' "$password" >"$secret"
    if [ "$(id -u)" = 0 ]; then chown postgres "$secret"; fi
    chmod 0600 "$secret"
    if ! as_server_user "$pg_bin/initdb" --pgdata="$home/data" --username="$pg_user" --pwfile="$secret" \
        --auth="$method" --encoding=UTF8 --locale=C.UTF-8 "$@" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm -rf "$home/data" "$secret"
        die "PostgreSQL could not create its data folder $home/data; the lines above say why."
    fi
    rm -f "$secret"
}

# cluster_start FOLDER SETTING...: sets $pg_pid and $pg_port; every SETTING is name=value.
cluster_start() {
    local home=$1 setting arguments=() attempt
    shift
    for setting in "$@"; do arguments+=(-c "$setting"); done
    # A socket's path has at most 107 bytes; where ours is longer, TCP on the loopback alone has to do.
    if [ ${#home} -le 88 ]; then
        arguments+=(-c "unix_socket_directories=$home")
    else
        arguments+=(-c "unix_socket_directories=")
    fi
    for attempt in 1 2 3; do
        if [ -z "$pg_port" ] || port_taken tcp "$pg_port"; then pg_port=$(free_port); fi
        server_run "$home" -D "$home/data" -p "$pg_port" -c listen_addresses=127.0.0.1 -c timezone=UTC -c log_timezone=UTC "${arguments[@]}"
        server_await "$home" && return 0
        grep -q 'Address already in use' "$home/server.log" || break
        [ "$attempt" = 3 ] || pg_port=''
    done
    tail -n 8 "$home/server.log" >&2
    die "PostgreSQL did not start; the lines above, from $home/server.log, say why."
}

# In a session of its own, so that Ctrl-C reaches it only through us, after whoever uses it has ended.
server_run() {
    local log=$1/server.log become=(setpriv --pdeathsig=INT)
    shift
    if [ "$(id -u)" = 0 ]; then become+=(--reuid=postgres --regid=postgres --init-groups); fi
    : >"$log"
    (cd / && exec setsid "${become[@]}" -- env -u DATABASE_URL LC_ALL=C.UTF-8 "$pg_bin/postgres" "$@") </dev/null >"$log" 2>&1 &
    pg_pid=$!
}

server_await() {
    local ready
    for _ in $(seq 600); do
        ready=$(sed -n '8s/ *$//p' "$1/data/postmaster.pid" 2>/dev/null || true)
        if [ "$ready" = ready ] && [ "$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)" = "$pg_pid" ]; then return 0; fi
        kill -0 "$pg_pid" 2>/dev/null || break
        sleep 0.1
    done
    cluster_stop
    return 1
}

# Fast shutdown: sessions are ended, everything is written. Then, should it hang, the hard way.
cluster_stop() {
    [ -n "$pg_pid" ] || return 0
    local pid=$pg_pid
    pg_pid=''
    kill -INT "$pid" 2>/dev/null || true
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -QUIT "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

# run_in_group COMMAND...: runs a program in a session and process group of its own, passes on what we are told, returns
# its exit code. The program, too, is told when this script dies. (A shell starts background programs deaf to Ctrl-C:
# hence env.)
child_pid=''
run_in_group() {
    local code='' status ended
    setsid env --default-signal=INT,QUIT setpriv --pdeathsig=TERM -- "$@" &
    child_pid=$!
    trap 'kill -INT -- "-$child_pid" 2>/dev/null || true' INT
    trap 'kill -TERM -- "-$child_pid" 2>/dev/null || true' TERM HUP
    # A trapped signal ends the wait, not the child.
    while [ -z "$code" ]; do
        ended='' status=0
        wait_or_tick || status=$?
        if [ "${ended:-}" = "$child_pid" ]; then code=$status; fi
        if terminal_gone; then kill -TERM -- "-$child_pid" 2>/dev/null || true; fi
    done
    # What it left behind in its group ends with it.
    kill -TERM -- "-$child_pid" 2>/dev/null || true
    child_pid=''
    trap - INT TERM HUP
    return "$code"
}

# Between a terminal and us stands `make`, which keeps a hangup to itself: so we look every few seconds.
if [ -t 2 ]; then had_terminal=1; else had_terminal=''; fi
terminal_gone() { [ -n "$had_terminal" ] && ! [ -t 2 ]; }

# Waits until the child ends, a signal comes or, at a terminal, some seconds have passed. Sets $ended of its caller.
wait_or_tick() {
    if [ -n "$had_terminal" ]; then
        sleep 3 9>&- >/dev/null 2>&1 &
        wait -n -p ended "$child_pid" "$!"
    else
        wait -n -p ended "$child_pid"
    fi
}
