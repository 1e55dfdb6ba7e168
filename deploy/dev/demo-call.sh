#!/usr/bin/env bash
# Places a real test call to the system that 'make run' started; the program says where to see it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"

running=$local_dir/running
binary=${CARGO_TARGET_DIR:-$project/target}/debug/ringtill
# The lock is free: nothing runs, whatever a killed run left behind.
if [ ! -s "$running" ] || flock -n "$local_dir/lock" true; then
    die "Nothing is running to be called: start it with 'make run' in another terminal, then call again."
fi
# shellcheck disable=SC1090  # written by run.sh
. "$running"
exec "$binary" call "$@"
