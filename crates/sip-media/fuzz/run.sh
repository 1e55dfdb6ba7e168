#!/usr/bin/env bash
# Fuzzes what reads the words of strangers: crates/sip-media/fuzz/run.sh [requests|bodies] [seconds]. Needs cargo-fuzz; the
# product's own compiler will do, because the flags that the fuzzer wants are opened to it here. What it finds stays in
# fuzz/target/findings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${1:-requests}
seconds=${2:-60}
corpus=fuzz/target/corpus/$target
mkdir -p "$corpus" fuzz/target/findings
cp "fuzz/seeds/$target"/* "$corpus/"
RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none "$target" "$corpus" -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -artifact_prefix=fuzz/target/findings/
