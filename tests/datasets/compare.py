"""Loads every export with the library it is for and compares it with the
ledger and the files."""

import hashlib
import io
import json
import sqlite3
import sys
from glob import glob
from pathlib import Path

import datasets
import pandas
import pyarrow.parquet
import webdataset
from PIL import Image

datasets.disable_progress_bars()
out = Path(sys.argv[1])
ledger = sqlite3.connect(out / "ledger.db")
ledger.row_factory = sqlite3.Row
META = {"class": str, "rank": int, "weight": float, "sku": str, "tags": str, "good": bool}


def text(value):
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def known():
    """What every row must hold, by id and number."""
    rows = {}
    query = """SELECT j.*, i.number, i.path, i.sha256, i.bytes, i.width AS w, i.height AS h, i.format, i.task_id
               FROM image_files i JOIN job_status j ON j.id = i.job_id
               WHERE j.status = 'succeeded' AND i.replaced = 0"""
    for job in ledger.execute(query):
        request, meta = json.loads(job["request"]), json.loads(job["meta"] or "{}")
        axes = json.loads(job["axes"] or "{}")
        row = {name: job[name] for name in ("id", "number", "path", "prompt", "sha256", "bytes", "format", "task_id")}
        row |= {"width": job["w"], "height": job["h"], "cost_credits": job["cost_credits"], "n": job["n"]}
        row |= {name: request.get(name) for name in ("model", "size", "resolution", "quality")}
        row["axis_colour"] = axes.get("colour")
        for name, kind in META.items():
            value = meta.get(name)
            row[name] = None if value is None else text(value) if kind is str else kind(value)
        rows[job["id"], job["number"]] = row
    assert rows
    return rows


KNOWN = known()


def same(what, rows, absent=None, picture=None, without=()):
    """Every row, every column, every type."""
    found = {}
    for row in rows:
        key = row["id"], int(row["number"])
        assert key not in found, f"{what}: {key} twice"
        found[key] = row
        want = KNOWN[key]
        for name, value in want.items():
            if name in without:
                continue
            got = row[name]
            if value is None:
                assert got is None or got == absent or got != got, f"{what}: {key} {name} is {got!r}"
            else:
                assert got == value, f"{what}: {key} {name} is {got!r}, not {value!r}"
                assert isinstance(got, bool) == isinstance(value, bool), f"{what}: {key} {name} is {type(got)}"
        if picture:
            picture(key, row)
    assert found.keys() == KNOWN.keys(), f"{what}: {len(found)} rows, not {len(KNOWN)}"
    print(f"  {what}: {len(found)} rows are those of the ledger")


def bytes_match(key, data, what):
    want = KNOWN[key]
    assert hashlib.sha256(data).hexdigest() == want["sha256"], f"{what}: {key} has other bytes"


def whole(name, **options):
    # A folder called as a loader is would be taken for the loader.
    return datasets.load_dataset(str(Path(name).resolve()) if "data_files" not in options else name, **options)


def raw(dataset):
    return dataset.cast_column("image", datasets.Image(decode=False))


def image_bytes(what):
    def check(key, row):
        image = row["image"]
        data = image["bytes"] if image["bytes"] is not None else Path(image["path"]).read_bytes()
        bytes_match(key, data, what)

    return check


def chain(sets):
    return [row for part in sets.values() for row in part]


# Tables.
same("jsonl, json", map(json.loads, Path("set.jsonl").open()))
same("jsonl, datasets", whole("json", data_files="set.jsonl", split="train"))
frame = pandas.read_json("set.jsonl", lines=True, precise_float=True, dtype={"sku": str})
# pandas has no nulls among its truth values.
same("jsonl, pandas", frame.to_dict("records"), without=("good",))
exact = pandas.read_csv("set.csv", dtype={"sku": str})
assert exact["rank"].dtype == "int64" and exact["weight"].dtype == "float64"
same("csv, pandas", exact.to_dict("records"))
same("parquet, pandas", pandas.read_parquet("set.parquet").to_dict("records"))
table = pyarrow.parquet.read_table("set.parquet")
types = {name: str(table.schema.field(name).type) for name in ("rank", "weight", "good", "sku", "image")}
assert types == {
    "rank": "int64",
    "weight": "double",
    "good": "bool",
    "sku": "string",
    "image": "struct<bytes: binary, path: string>",
}, types
same("parquet, pyarrow", table.to_pylist(), picture=image_bytes("parquet"))
parquet = whole("parquet", data_files="set.parquet", split="train")
assert isinstance(parquet.features["image"], datasets.Image), parquet.features
assert parquet[0]["image"].size == (parquet[0]["width"], parquet[0]["height"])
same("parquet, datasets", raw(parquet), picture=image_bytes("parquet"))
paths = whole("parquet", data_files="paths.parquet", split="train")
assert paths[0]["image"].size == (paths[0]["width"], paths[0]["height"])
same("parquet with paths, datasets", raw(paths), picture=image_bytes("paths"))

# Pictures in folders.
folder = whole("imagefolder")
assert list(folder) == ["train"] and isinstance(folder["train"].features["image"], datasets.Image)
assert folder["train"][0]["image"].size == (folder["train"][0]["width"], folder["train"][0]["height"])
same("imagefolder, datasets", raw(folder["train"]), absent="", picture=image_bytes("imagefolder"))

# Shards.
shards = sorted(glob("shards/*.tar"))
samples = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False))
keys = [sample["__key__"] for sample in samples]
assert len(set(keys)) == len(keys)
for sample in samples:
    row = json.loads(sample["json"])
    bytes_match((row["id"], row["number"]), sample["png"], "webdataset")
    assert sample["txt"].decode() == row["prompt"]
same("webdataset, webdataset", [json.loads(sample["json"]) for sample in samples], absent="")
decoded = next(iter(webdataset.WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("png", "json")))
assert decoded[0].size == (decoded[1]["width"], decoded[1]["height"])
loaded = whole("shards", split="train")
assert isinstance(loaded.features["png"], datasets.Image)
same("webdataset, datasets", [row["json"] for row in loaded], absent="")

# Splits: by the card, whatever names the pictures have.
SPARSE = ("weight", "good")  # an image folder can't tell their types where a split has none
for name in ("imagefolder-split", "jsonl-split", "parquet-split"):
    sets = whole(name)
    sizes = {split: len(part) for split, part in sets.items()}
    assert "train" in sizes and len(sizes) > 1, sizes
    assert all(row == split for split, part in sets.items() for row in part["split"])
    same(f"{name} {sizes}", chain({s: raw(p) if "image" in p.features else p for s, p in sets.items()}),
         absent="", without=SPARSE if name == "imagefolder-split" else ())

# What was embedded, and that nothing else changed.
for row in chain({split: raw(part) for split, part in whole("parquet-split").items()}):
    source = Image.open(out / row["path"])
    copy = Image.open(io.BytesIO(row["image"]["bytes"]))
    assert copy.tobytes() == source.tobytes()
    assert copy.text["Description"] == row["prompt"]
    assert json.loads(copy.text["imgbatch"])["sha256"] == row["sha256"]
    bytes_match((row["id"], row["number"]), (out / row["path"]).read_bytes(), "the run's own")
for path in Path("imagefolder-split/sidecars").rglob("*.json"):
    story = json.loads(path.read_text())
    assert story["prompt"] == KNOWN[story["id"], story["number"]]["prompt"]
print("  what was embedded is there, and no pixel changed")
