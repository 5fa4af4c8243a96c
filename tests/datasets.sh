#!/usr/bin/env bash
# Every format, loaded by the library it is for and compared with the ledger
# row by row and byte by byte.
#
#     tests/datasets.sh [JOBS]     # 40 by default
#
# Makes a virtual environment under target/; without Python or its packages it
# says so and skips.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs="${1:-40}"
work="$PWD/target/datasets"
python="$work/venv/bin/python"

skip() {
    printf '\n!! SKIPPED tests/datasets.sh: %s\n!! No format was loaded by its library.\n\n' "$*" >&2
    exit 0
}

command -v python3 >/dev/null || skip "there is no python3"
mkdir -p "$work"
if ! "$python" -c 'import datasets, webdataset, pyarrow, pandas, PIL' 2>/dev/null; then
    python3 -m venv "$work/venv" || skip "python3 can't make a virtual environment"
    "$python" -m pip install --quiet --disable-pip-version-check -r tests/datasets/requirements.txt ||
        skip "the packages of tests/datasets/requirements.txt can't be had"
fi

cargo build --locked --quiet
imgbatch="$PWD/${CARGO_TARGET_DIR:-target}/debug/imgbatch"
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 HF_HOME="$work/cache" HF_DATASETS_DISABLE_PROGRESS_BARS=1
run="$work/run"
rm -rf "$run" "$work/cache"
mkdir -p "$run"
cd "$run"
"$python" "$OLDPWD/tests/datasets/manifest.py" "$jobs" >m.json
"$imgbatch" run m.json --emulate --out out --yes --progress none --rate 500/s --in-flight 200 -q >/dev/null

split="train=0.7,val=0.2,holdout=0.1"
# Without the numbers that some split may not have.
dense="id,number,path,prompt,sha256,bytes,format,task_id,width,height,cost_credits,n,model,size,resolution,quality"
dense="$dense,axis_colour,class,rank,sku,tags,split"
export_to() { "$imgbatch" export out --to "$@"; }
export_to set.jsonl --format jsonl
export_to set.csv --format csv --exact
export_to imagefolder --format imagefolder
export_to imagefolder-split --format imagefolder --split "$split" --columns "$dense" --sidecar
export_to shards --format webdataset --shard-samples 16
export_to set.parquet --format parquet
export_to paths.parquet --format parquet --paths
export_to jsonl-split --format jsonl --split "$split"
export_to parquet-split --format parquet --split "$split" --embed-metadata
"$python" "$OLDPWD/tests/datasets/compare.py" out

# The manifest grows: exports follow.
"$python" "$OLDPWD/tests/datasets/manifest.py" "$((jobs + 7))" >m.json
"$imgbatch" run m.json --emulate --out out --yes --progress none --rate 500/s --in-flight 200 -q >/dev/null
export_to set.jsonl --format jsonl
export_to set.csv --format csv --exact
export_to imagefolder --format imagefolder
export_to imagefolder-split --format imagefolder --split "$split" --columns "$dense" --sidecar
export_to shards --format webdataset --shard-samples 16
export_to set.parquet --format parquet
export_to paths.parquet --format parquet --paths
export_to jsonl-split --format jsonl --split "$split"
export_to parquet-split --format parquet --split "$split" --embed-metadata
"$python" "$OLDPWD/tests/datasets/compare.py" out
