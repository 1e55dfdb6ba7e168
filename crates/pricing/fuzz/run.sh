#!/usr/bin/env bash
# Fuzzes the grammar of prices: crates/pricing/fuzz/run.sh [grammar|estimates] [seconds]. Needs cargo-fuzz; the product's own
# compiler will do, because the flags that the fuzzer wants are opened to it here. What it finds stays in fuzz/target/findings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${1:-grammar}
seconds=${2:-60}
corpus=fuzz/target/corpus/$target
mkdir -p "$corpus" fuzz/target/findings
# The worked examples are what the fuzzer begins with: one file for each line.
case $target in
    grammar) seeds=../../tests/fixtures/pricing/public.jsonl ;;
    *) seeds=fuzz/seeds/$target.jsonl ;;
esac
number=0
while IFS= read -r line; do
    number=$((number + 1))
    # A worked example keeps its document in "doc"; other seeds are the document.
    document=${line#*\"doc\": }
    printf '%s' "${document%, \"expect\":*}" >"$corpus/seed-$number"
done <"$seeds"
RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none "$target" "$corpus" -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -dict=fuzz/grammar.dict -max_len=4096 -artifact_prefix=fuzz/target/findings/
