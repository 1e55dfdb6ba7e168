#!/usr/bin/env bash
# Formatting, clippy with every warning denied, shellcheck, and the dependencies' licences and sources.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"
# shellcheck source=deploy/dev/need.sh
. "$here/need.sh"

need_rust
need_shellcheck
need_cargo_tool deny
"$here/vendor.sh"
cd "$project"
say "Formatting"
cargo fmt --all --check
say "Shell scripts"
shellcheck -x deploy/dev/*.sh deploy/dev/with-test-cluster deploy/dev/test-cluster-up .ci/run
say "Clippy"
cargo clippy --locked --workspace --all-targets -- -D warnings
say "Licences, bans, sources"
cargo deny --locked check licenses bans sources
