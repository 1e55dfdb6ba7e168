#!/usr/bin/env bash
# Removes what was built or fetched, and the private database with all that is in it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"

if [ -e "$local_dir/lock" ] && ! flock -n "$local_dir/lock" true; then
    die "The system is running from this folder: stop it with Ctrl-C in its terminal, then clean."
fi
if [ -s "$local_dir/test-cluster" ]; then kill "$(head -n 1 "$local_dir/test-cluster")" 2>/dev/null || true; fi
cd "$project"
rm -rf target .local web/node_modules web/static/vendor tests/node_modules tests/screenshots
if [ "$(id -u)" = 0 ]; then rm -rf "/var/tmp/ringtill-$(printf '%s' "$project" | sha256sum | cut -c1-12)"; fi
say "Clean: what was built and fetched is gone, the private database too"
