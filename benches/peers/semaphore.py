"""What people write: asyncio, aiohttp, a semaphore, a JSONL log. No sync, no resume.

usage: semaphore.py BASE_URL FOLDER JOBS IN_FLIGHT LATENCY_SECONDS
"""

import asyncio
import json
import os
import sys

import aiohttp


async def one(session, semaphore, base, folder, number, latency, log):
    async with semaphore:
        body = {"model": "gpt-image-2", "prompt": f"fox {number}", "n": 1}
        async with session.post(f"{base}/v1/images/generations", json=body) as response:
            response.raise_for_status()
            task = await response.json()
        await asyncio.sleep(latency)
        while True:
            async with session.get(f"{base}/v1/tasks/{task['id']}") as response:
                report = await response.json()
            if report["status"] == "completed":
                break
            await asyncio.sleep(0.1)
        async with session.get(report["results"][0]) as response:
            response.raise_for_status()
            picture = await response.read()
        path = os.path.join(folder, f"{number}.png")
        with open(path, "wb") as file:
            file.write(picture)
        log.write(json.dumps({"id": number, "task": task["id"], "path": path}) + "\n")


async def main():
    base, folder, jobs, in_flight, latency = sys.argv[1:6]
    os.makedirs(folder, exist_ok=True)
    semaphore = asyncio.Semaphore(int(in_flight))
    headers = {"Authorization": "Bearer sk-bench"}
    connector = aiohttp.TCPConnector(limit=0)
    with open(os.path.join(folder, "log.jsonl"), "a") as log:
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            work = (one(session, semaphore, base, folder, n, float(latency), log) for n in range(int(jobs)))
            await asyncio.gather(*work)


asyncio.run(main())
