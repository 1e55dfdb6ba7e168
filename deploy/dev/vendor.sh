#!/usr/bin/env bash
# Puts the pinned front-end packages' files into web/static/vendor, with their licences (Tabler carries its own in its
# first comment). Nothing is fetched when they are there already. The binary embeds that folder, so this comes before
# any build.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=deploy/dev/say.sh
. "$here/say.sh"
# shellcheck source=deploy/dev/need.sh
. "$here/need.sh"

# Target below web/static/vendor, then the file inside web/node_modules.
files='
tabler/tabler.min.css                   @tabler/core/dist/css/tabler.min.css
uplot/uPlot.iife.min.js                 uplot/dist/uPlot.iife.min.js
uplot/uPlot.min.css                     uplot/dist/uPlot.min.css
uplot/LICENSE                           uplot/LICENSE
htmx/htmx.min.js                        htmx.org/dist/htmx.min.js
htmx/LICENSE                            htmx.org/LICENSE
htmx/sse.min.js                         htmx-ext-sse/dist/sse.min.js
htmx/sse-LICENSE                        htmx-ext-sse/LICENSE
fonts/inter-latin-opsz-normal.woff2     @fontsource-variable/inter/files/inter-latin-opsz-normal.woff2
fonts/inter-latin-ext-opsz-normal.woff2 @fontsource-variable/inter/files/inter-latin-ext-opsz-normal.woff2
fonts/inter-cyrillic-opsz-normal.woff2  @fontsource-variable/inter/files/inter-cyrillic-opsz-normal.woff2
fonts/inter-greek-opsz-normal.woff2     @fontsource-variable/inter/files/inter-greek-opsz-normal.woff2
fonts/inter-LICENSE                     @fontsource-variable/inter/LICENSE
fonts/geist-mono-latin-wght-normal.woff2 @fontsource-variable/geist-mono/files/geist-mono-latin-wght-normal.woff2
fonts/geist-mono-LICENSE                @fontsource-variable/geist-mono/LICENSE
'
vendor=$project/web/static/vendor
stamp=$(cat "$project/web/package-lock.json" "${BASH_SOURCE[0]}" | sha256sum | cut -c1-16)
[ "$(cat "$vendor/.stamp" 2>/dev/null || true)" != "$stamp" ] || exit 0

need_node
say "Fetching the pinned front-end packages"
(cd "$project/web" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
    die "npm could not fetch the packages that web/package-lock.json pins; the lines above say why."
rm -rf "$vendor"
while read -r target source; do
    [ -n "$target" ] || continue
    mkdir -p "$vendor/$(dirname "$target")"
    cp "$project/web/node_modules/$source" "$vendor/$target" ||
        die "The package that ships $source no longer has that file; correct the list in deploy/dev/vendor.sh."
done <<<"$files"
printf '%s' "$stamp" >"$vendor/.stamp"
