#!/usr/bin/env bash
# Every test, on a throw-away PostgreSQL: units, scenarios, isolation, faults, pages in a real browser, calls by real SIP
# peers, tidiness. RINGTILL_LONG=1 (make test-nightly) runs the seeded ones for long. DATABASE_URL is never touched.
# Arguments go to nextest, for instance a part of a test's name.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"
# shellcheck source=deploy/dev/need.sh
. "$here/need.sh"

times=()
# stage NAME COMMAND...: runs it and remembers how long it took.
stage() {
    local name=$1 began=$SECONDS code=0
    shift
    say "$name"
    "$@" || code=$?
    times+=("$(printf '%5d s  %s' $((SECONDS - began)) "$name")")
    [ "$code" = 0 ] || failed+=("$name")
}

tools() {
    need_rust
    need_node
    need_postgres
    need_chromium
    need_sipp
    need_baresip
    need_pdftotext
    need_cargo_tool nextest
}

# The browser tests' packages; no script of theirs runs, and none brings a browser.
page_packages() {
    local stamp
    stamp=$(sha256sum <package-lock.json)
    [ "$(cat node_modules/.stamp 2>/dev/null || true)" != "$stamp" ] || return 0
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && printf '%s' "$stamp" >node_modules/.stamp
}

has_doctests() {
    grep -rE --include='*.rs' -h '^ *//[/!] *```' crates web/src tests 2>/dev/null | grep -qE '```(rust|no_run|should_panic|compile_fail)'
}

SECONDS=0
failed=()
profile=default
if [ "${RINGTILL_LONG:-}" = 1 ]; then
    profile=nightly
    export PROPTEST_CASES=${PROPTEST_CASES:-20000}
fi
# Incremental files are of no use to a machine that builds once.
if [ -n "${CI:-}" ]; then export CARGO_INCREMENTAL=0; fi
unset DATABASE_URL

cd "$project"
stage "Tools" tools
stage "Front-end packages" "$here/vendor.sh"
cd tests
stage "Browser test packages" page_packages
cd ..
stage "Build" cargo nextest run --locked --workspace --all-targets --no-run
if [ ${#failed[@]} = 0 ]; then
    stage "Tests" "$here/with-test-cluster" cargo nextest run --locked --workspace --all-targets --profile "$profile" "$@"
    if [ $# = 0 ] && has_doctests; then stage "Examples in the documentation" cargo test --locked --workspace --doc; fi
fi

printf '\n'
printf '%s\n' "${times[@]}"
printf '%5d s  in all\n' "$SECONDS"
[ ${#failed[@]} = 0 ] || die "Failed: ${failed[*]}."
