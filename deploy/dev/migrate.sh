#!/usr/bin/env bash
# Brings the database that 'make run' uses (or the one that DATABASE_URL names) to the newest schema.
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

system_lock
need_rust
[ -n "${DATABASE_URL:-${RINGTILL_OWNER_URL:-}}" ] || need_postgres
"$here/vendor.sh"
system_build
trap cluster_stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
system_secrets
system_database
system_migrate
