#!/usr/bin/env bash
# Asks the emulator whether it is what /openapi.json says: schemathesis makes
# requests from the description, good and bad ones, and compares every answer
# with it: status, content type, headers, schema.
#
#   tests/openapi.sh [EXAMPLES] [SEED]
#
# EXAMPLES is the number for each operation and phase: 10 is a minute's look,
# 1000 some ten thousand requests. Its Python packages live under target/;
# where they can't be had, it says so and ends well.
set -euo pipefail
cd "$(dirname "$0")/.."
examples=${1:-10}
seed=${2:-1}
venv=target/schemathesis
key=openapi-test

skip() {
    printf '\n!!! SKIPPED, nothing was compared: %s\n\n' "$*" >&2
    exit 0
}

command -v python3 >/dev/null || skip "there is no python3"
if [ ! -x "$venv/bin/st" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" || skip "python3 can't make a virtual environment"
    "$venv/bin/pip" install --quiet 'schemathesis==4.*' || skip "schemathesis can't be installed"
fi

# As the tests build it: a plain build would compile most dependencies anew.
cargo test --locked --quiet --no-run --test emulator

folder=$(mktemp -d)
target/debug/imgbatch emulator --listen 127.0.0.1:0 --accept-key "$key" --cached-pictures --latency 100ms \
    >"$folder/said" &
emulator=$!
trap 'kill "$emulator" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    grep -q 'listening on' "$folder/said" && break
    sleep 0.1
done
base=$(sed -n 's/^listening on //p' "$folder/said")

# An upload and a picture, for the addresses that only hand out what exists.
eval "$("$venv/bin/python" - "$base" "$key" <<'PYTHON'
import json, sys, time, urllib.parse, urllib.request

base, key = sys.argv[1:]

def ask(path, body=None):
    body = body and json.dumps(body).encode()
    return json.load(urllib.request.urlopen(urllib.request.Request(base + path, body, {"Authorization": f"Bearer {key}"})))

upload = ask("/api/v1/files/upload/base64", {"base64_data": "R0lGODlhAQABAAAAACw=", "file_name": "dot.gif"})
task = ask("/v1/images/generations", {"model": "gpt-image-2", "prompt": "a fox", "quality": "low"})
while task["status"] != "completed":
    time.sleep(0.1)
    task = ask(f"/v1/tasks/{task['id']}")
query = urllib.parse.parse_qs(urllib.parse.urlsplit(task["results"][0]).query)
values = {"FILE": upload["data"]["file_id"], "TASK": task["id"], **{name.upper(): value[0] for name, value in query.items()}}
for name, value in values.items():
    print(f"export EMULATOR_{name}={value}")
PYTHON
)"

"$venv/bin/st" --config-file tests/openapi.toml run "$base/openapi.json" \
    --header "Authorization: Bearer $key" --max-examples "$examples" --seed "$seed" --no-shrink
