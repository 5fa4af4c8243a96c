#!/usr/bin/env bash
# The gallery in a real browser: installs what that needs, then runs the test
# that is skipped where it is missing. Without a way to install it, says so.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() { printf '\nSKIPPED: the gallery was not looked at with a browser: %s\n' "$*" >&2; exit 0; }

command -v npm >/dev/null || skip "npm is missing"
if ! command -v chromium >/dev/null; then
    command -v apt-get >/dev/null || skip "chromium is missing"
    { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null || skip "chromium can't be installed"
fi
npm ci --prefix tests/gallery --no-audit --no-fund --silent || skip "playwright-core can't be installed"
IMGBATCH_BROWSER=required cargo test --locked --test gallery browser -- --nocapture
