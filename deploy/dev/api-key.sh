#!/usr/bin/env bash
# Makes a key for the API of the system that 'make run' started, and prints it: the key alone, so that a script can take it.
# Arguments: the slug of an organisation, then scopes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"

running=$local_dir/running
binary=${CARGO_TARGET_DIR:-$project/target}/debug/ringtill
# The lock is free: nothing runs, whatever a killed run left behind.
if [ ! -s "$running" ] || flock -n "$local_dir/lock" true; then
    die "Nothing is running to have a key for: start it with 'make run' in another terminal, then ask again."
fi
# shellcheck disable=SC1090  # written by run.sh
. "$running"
exec "$binary" api-key "$@"
