#!/usr/bin/env bash
# The measurements, in a release build, on a throw-away PostgreSQL with fsync and the settings of a small production
# server. Arguments go to the bench program (for instance the name of one measurement).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"
# shellcheck source=deploy/dev/need.sh
. "$here/need.sh"

need_rust
"$here/vendor.sh"
cd "$project"
say "Building the bench program with --release (the first time takes many minutes)"
cargo build --locked --release -p manual --bin bench
unset RINGTILL_TEST_SERVER
RINGTILL_TEST_DURABLE=1 "$here/with-test-cluster" "${CARGO_TARGET_DIR:-target}/release/bench" "$@"
