#!/usr/bin/env bash
# Fuzzes each target for so many seconds, or these: tests/fuzz.sh SECONDS [TARGET...]
# Needs a nightly toolchain and cargo-fuzz. What is found stays in fuzz/artifacts,
# what was learnt in fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

command -v cargo-fuzz >/dev/null && rustup toolchain list | grep -q nightly || {
    echo "SKIPPED: fuzzing needs a nightly toolchain and cargo-fuzz" >&2
    exit 0
}
seconds=${1:?tests/fuzz.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- manifest template answer retry_after picture callback
cp -n ../Cargo.lock Cargo.lock
mkdir -p corpus/manifest corpus/picture
# A good beginning: every format's first byte is the choice of the format.
n=0
for file in ../manifests/*; do
    case $file in *.toml) choice=0 ;; *.yaml) choice=1 ;; *.json) choice=2 ;; *.txt) choice=3 ;; *) continue ;; esac
    n=$((n + 1))
    { printf "\\$choice"; cat "$file"; } >"corpus/manifest/example-$n"
done
for target in "$@"; do
    echo "== $target"
    # The crate has no unsafe code of its own: no sanitizer, more inputs.
    cargo +nightly fuzz run -s none "$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=256 -timeout=10 -max_len=65536 -print_final_stats=1
done
