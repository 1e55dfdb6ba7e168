#!/usr/bin/env bash
# fuzz.sh [seconds]: random documents to each fuzz target of pricing for so long, 60 seconds by default. Needs cargo-fuzz, which is
# built once where it is missing, and a C++ compiler. What it finds ends it and stays in crates/pricing/fuzz/target/findings.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"
# shellcheck source=deploy/dev/need.sh
. "$here/need.sh"

seconds=${1:-60}
case $seconds in *[!0-9]* | '') die "Say for how many seconds: make fuzz SECONDS=60" ;; esac
need_rust
need_cargo_tool fuzz
command -v c++ >/dev/null || install_packages "a C++ compiler" g++
for target in grammar estimates; do
    say "Fuzzing $target for $seconds s"
    "$here/../../crates/pricing/fuzz/run.sh" "$target" "$seconds"
done
