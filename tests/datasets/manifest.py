"""A manifest of awkward jobs: names that loaders take for splits, values of
mixed types, several pictures a job."""

import json
import sys

count = int(sys.argv[1])
jobs = []
for n in range(count):
    job = {"id": f"job-{n}", "prompt": f"A picture of thing number {n}", "meta": {"class": f"c{n % 3}", "rank": n}}
    match n % 8:
        case 1:
            job |= {"id": f"crash-test-{n}", "prompt": '=HYPERLINK("x") a fox, "red"'}
            job["meta"]["weight"] = 3
        case 2:
            job |= {"id": f"v1.{n}/test/hero", "prompt": "two lines,\n狐 and a\ttab"}
            job["meta"]["weight"] = 2.5
        case 3:
            job |= {"n": 2}
        case 4:
            job |= {"prompt": "A {{ colour }} mug", "matrix": {"colour": ["white", "sage"]}}
        case 5:
            job["meta"] |= {"sku": f"00{n}", "tags": ["a", n], "good": True}
        case 6:
            job |= {"size": "16:9", "resolution": "1K"}
    jobs.append(job)
print(
    json.dumps(
        {"version": 1, "name": "datasets", "defaults": {"size": "1024x1024", "quality": "low"}, "jobs": jobs}
    )
)
