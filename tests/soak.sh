#!/usr/bin/env bash
# The full sizes of the proofs in tests/proof, in rounds that can be stopped at
# any time: every round has a new seed and leaves one JSON line in the results,
# and a later call goes on after the last seed.
#
#   tests/soak.sh MINUTES [METHOD...]     all methods in turn, or these
#   tests/soak.sh --summary               what all rounds so far came to
#   tests/fuzz.sh SECONDS [TARGET...]     the fuzz targets have their own
set -euo pipefail
cd "$(dirname "$0")/.."

RESULTS=${IMGBATCH_TEST_RESULTS:-target/proof/results.jsonl}
METHODS=(matrix kills-none kills-keys kills-list kills-callback sigterm sigstop syscalls plans power stories endurance)

summary() {
    python3 - "$RESULTS" <<'PY'
import json, sys
methods = {}
for line in open(sys.argv[1]):
    round = json.loads(line)
    sums = methods.setdefault(round["method"], {"rounds": 0, "broken seeds": []})
    sums["rounds"] += 1
    if not round["held"]:
        sums["broken seeds"].append(round["seed"])
    for name, figure in round.get("figures", {}).items():
        worst = name in ("longest_ms", "kinds_of_faults", "early_kib", "late_kib")
        sums[name] = max(sums.get(name, 0), figure) if worst else sums.get(name, 0) + figure
for method, sums in methods.items():
    print(f"{method:15}", ", ".join(f"{name} {figure}" for name, figure in sums.items() if figure != []))
PY
}

# Test and sizes of one round; some minutes each at most.
round() {
    local method=$1 filter
    case $method in
        matrix) filter=matrix:: ;;
        kills-none) filter=killed_where_nothing_resolves ;;
        kills-keys) filter=killed_where_keys_are_honoured ;;
        kills-list) filter=killed_where_the_list_is_ours_alone ;;
        kills-callback) filter=killed_where_callbacks_come ;;
        sigterm) filter=sigterm_at_random ;;
        sigstop) filter=sigstop_at_random ;;
        syscalls) filter=every_write_may_be_the_last ;;
        plans) filter=whatever_goes_wrong ;;
        power) filter=a_power_cut_loses_nothing ;;
        endurance) filter=a_long_run_through_faults ;;
        stories) filter=the_ledger_tells_the_same_story ;;
        *) echo "no method $method; there are: ${METHODS[*]}" >&2; exit 2 ;;
    esac
    local test=proof
    [ "$method" = stories ] && test=state_machine
    nice -n 10 env \
        IMGBATCH_TEST_SEED="$2" IMGBATCH_TEST_RESULTS="$RESULTS" \
        IMGBATCH_TEST_KILLS="${KILLS:-100}" IMGBATCH_TEST_STOPS="${STOPS:-50}" \
        IMGBATCH_TEST_PAUSES="${PAUSES:-10}" IMGBATCH_TEST_PAUSE_MS="${PAUSE_MS:-120000}" \
        IMGBATCH_TEST_STRIDE="${STRIDE:-9}" IMGBATCH_TEST_JOBS="${JOBS:-10000}" \
        IMGBATCH_TEST_CUTS="${CUTS:-30}" IMGBATCH_TEST_STORIES="${STORIES:-500}" \
        IMGBATCH_TEST_LONG_RUN="${LONG_RUN:-100000}" \
        cargo test --locked --quiet --no-default-features --features crash-points --test $test -- "$filter"
}

next_seed() {
    { grep -o "\"method\":\"$1\",.*\"seed\":[0-9]*" "$RESULTS" 2>/dev/null || true; } |
        sed 's/.*"seed"://' | sort -n | tail -1 | awk '{ seed = $1 } END { print seed + 1 }'
}

[ $# -gt 0 ] || { sed -n '2,9s/^# \?//p' "$0"; exit 2; }
[ "$1" = --summary ] && { summary; exit; }
minutes=$1
shift
[ $# -gt 0 ] && METHODS=("$@")
mkdir -p "$(dirname "$RESULTS")"
RESULTS=$(realpath "$RESULTS")
touch "$RESULTS"
cargo test --locked --quiet --no-default-features --features crash-points --test proof --test state_machine --no-run
end=$((SECONDS + minutes * 60))
broken=0
while [ $SECONDS -lt $end ]; do
    for method in "${METHODS[@]}"; do
        [ $SECONDS -lt $end ] || break
        seed=$(next_seed "$method")
        log=target/proof/$method-$seed.log
        mkdir -p target/proof
        echo "$(date +%T) $method, seed $seed"
        if ! round "$method" "$seed" >"$log" 2>&1; then
            broken=1
            echo "BROKEN: $method, seed $seed: see $log" >&2
            printf '{"method":"%s","at":"%s","seed":%s,"held":false}\n' \
                "$method" "$(date -u +%FT%TZ)" "$seed" >>"$RESULTS"
        elif grep -q SKIPPED "$log"; then
            grep SKIPPED "$log" >&2
        fi
        # What was skipped leaves no line: the same seed again would be no news.
        [ "$(next_seed "$method")" != "$seed" ] ||
            printf '{"method":"%s","at":"%s","seed":%s,"held":true,"figures":{"skipped":1}}\n' \
                "$method" "$(date -u +%FT%TZ)" "$seed" >>"$RESULTS"
    done
done
summary
exit $broken
