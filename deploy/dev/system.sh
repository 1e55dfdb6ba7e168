# shellcheck shell=bash
# The system that a person works with: its private cluster, its secrets, its addresses. Sourced, after the other three.
# shellcheck disable=SC2154,SC2034  # pg_bin, pg_user and pg_port are set by need.sh and postgres.sh

export RINGTILL_HTTP=${RINGTILL_HTTP:-127.0.0.1:8080}
export RINGTILL_SIP=${RINGTILL_SIP:-127.0.0.1:5070}
export RINGTILL_SPOOL=${RINGTILL_SPOOL:-$local_dir/spool}
running=$local_dir/running
binary=${CARGO_TARGET_DIR:-$project/target}/debug/ringtill

# secret NAME: prints a secret of this installation; made once, readable by its owner alone.
secret() {
    local file=$local_dir/secrets/$1
    if [ ! -s "$file" ]; then
        private_folder "$local_dir/secrets"
        (umask 077 && random_word 32 >"$file.new" && mv "$file.new" "$file")
    fi
    cat "$file"
}

system_secrets() {
    RINGTILL_ROLE_PASSWORD=$(secret role-password)
    export RINGTILL_ROLE_PASSWORD
    secret application >/dev/null
    export RINGTILL_SECRET_FILE=${RINGTILL_SECRET_FILE:-$local_dir/secrets/application}
    private_folder "$RINGTILL_SPOOL"
    private_folder "$local_dir/logs"
}

# Only one of run and migrate at a time in this folder; the kernel gives the lock back whatever happens.
system_lock() {
    local_folder
    exec 9>"$local_dir/lock"
    flock -n 9 || die "This folder's system is already running: use it, or stop it with Ctrl-C in its terminal."
}

# Prints the folder for the private cluster's data: .local/postgres, or where the server's user cannot walk there
# (a clone below a folder of root that nobody else may enter), one outside that belongs to this clone alone.
system_cluster_folder() {
    local home=$local_dir/postgres elsewhere
    if [ "$(id -u)" = 0 ]; then
        if ! server_can_reach "$local_dir"; then
            elsewhere=/var/tmp/ringtill-$(printf '%s' "$project" | sha256sum | cut -c1-12)
            say "The user postgres cannot enter $project, so the database lies in $elsewhere"
            home=$elsewhere
            if [ -e "$home" ] && [ "$(stat -c %U "$home")" != postgres ]; then
                die "$home belongs to another user; remove it and run this again."
            fi
        fi
    fi
    printf '%s' "$home"
}

cluster_check_data() {
    local made_by owner me
    [ -e "$1/data" ] || return 0
    owner=$(stat -c %U "$1/data")
    me=$(as_server_user id -un)
    [ "$owner" = "$me" ] ||
        die "The database in $1 belongs to the user $owner and PostgreSQL would run as $me: run this as the user who made it, or start afresh with 'make clean'."
    made_by=$(as_server_user cat "$1/data/PG_VERSION" 2>/dev/null || echo none)
    if [ "$made_by" = none ]; then
        say "An unfinished database folder is made anew"
        rm -rf "$1/data"
    elif [ "$made_by" != "$(postgres_major "$pg_bin")" ]; then
        pg_bin=/usr/lib/postgresql/$made_by/bin
        [ -x "$pg_bin/postgres" ] ||
            die "The database in $1 was made by PostgreSQL $made_by, which is not installed: install it, or start afresh with 'make clean'."
    fi
}

# Sets RINGTILL_OWNER_URL: the server that DATABASE_URL names, or the private cluster, created and started as needed.
system_database() {
    local home password
    RINGTILL_OWNER_URL=${DATABASE_URL:-${RINGTILL_OWNER_URL:-}}
    export RINGTILL_OWNER_URL
    if [ -n "$RINGTILL_OWNER_URL" ]; then
        say "Using the database server that DATABASE_URL names"
        return 0
    fi
    need_server_user
    home=$(system_cluster_folder)
    password=$(secret cluster-password)
    server_folder "$home"
    cluster_check_data "$home"
    if [ ! -e "$home/data" ]; then
        say "Creating a private PostgreSQL $(postgres_major "$pg_bin") in ${home#"$project/"}"
        cluster_create "$home" "$password" scram-sha-256
    fi
    pg_port=$(cat "$local_dir/postgres-port" 2>/dev/null || true)
    cluster_start "$home" max_connections=100 max_locks_per_transaction=256 shared_buffers=256MB jit=off
    printf '%s' "$pg_port" >"$local_dir/postgres-port"
    local psql=("$pg_bin/psql" -h 127.0.0.1 -p "$pg_port" -U "$pg_user" -d postgres -qAtX)
    if [ "$(PGPASSWORD=$password "${psql[@]}" -c "SELECT 1 FROM pg_database WHERE datname = 'ringtill'")" != 1 ]; then
        PGPASSWORD=$password "${psql[@]}" -c 'CREATE DATABASE ringtill'
    fi
    RINGTILL_OWNER_URL="postgres://$pg_user:$password@127.0.0.1:$pg_port/ringtill"
    say "PostgreSQL runs on 127.0.0.1:$pg_port"
}

# One feature set for run, test and clippy: the whole workspace is selected, and of it only this program is built.
system_build() {
    say "Building (the first time takes minutes; cargo shows how far it is)"
    cargo build --manifest-path "$project/Cargo.toml" --locked --workspace --bin ringtill 9>&- ||
        die "The build failed; the compiler's lines above say why."
}

system_migrate() {
    say "Migrating the database"
    # It says in one sentence what is wrong and what to do.
    "$binary" migrate 9>&- || exit 2
}
