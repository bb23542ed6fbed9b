#!/usr/bin/env python3
"""Offers a server ten times what it can do, and tells what became of it.

Start one with a short queue first, then run this beside it:
    dotnet run -c Release --project src/Server -- --urls http://127.0.0.1:8090 --Serving:Batch:MaxRunning=16 --Serving:Queue:MaxRequests=32
    bench/overload.py --url http://127.0.0.1:8090 --seconds 20

Capacity is what a closed loop of twice --running callers gets, so that somebody always waits and nobody is refused; the overload is
an open loop of ten times that rate, over connections that are kept as an ordinary client's pool keeps them (--close: a new one for
each request). Tells goodput (finished answers a second) as a share of capacity, the slowest and the 99th percentile of refusals,
whether each had a Retry-After, how many accepted requests failed, and how long after the overload a single request is as fast as
before (within half).
"""
import argparse
import asyncio
import json
import re
import time
from urllib.parse import urlparse

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--url", default="http://127.0.0.1:8090")
parser.add_argument("--model", default="glyph-en")
parser.add_argument("--seconds", type=float, default=20)
parser.add_argument("--running", type=int, default=16)
parser.add_argument("--tokens", type=int, default=64)
parser.add_argument("--times", type=float, default=10)
parser.add_argument("--close", action="store_true")
args = parser.parse_args()
url = urlparse(args.url)
BODY = json.dumps({"model": args.model, "prompt": "The old house", "max_tokens": args.tokens, "temperature": 0, "ignore_eos": True}).encode()
HEAD = (f"POST /v1/completions HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n{'Connection: close' + chr(13) + chr(10) if args.close else ''}\r\n").encode()
idle = []  # connections that wait for a request, as in the pool of an ordinary client


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    if length:
        return head, await reader.readexactly(int(length[1]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return head, body


async def ask():
    """One request: status (0 = no answer), whether Retry-After came, seconds, whether the answer is whole."""
    start = time.perf_counter()
    try:
        reader, writer = idle.pop() if idle else await asyncio.open_connection(url.hostname, url.port)
        writer.write(HEAD + BODY)
        head, body = await read_answer(reader)
    except (OSError, asyncio.IncompleteReadError):
        return 0, False, time.perf_counter() - start, False
    if args.close:
        writer.close()
    else:
        idle.append((reader, writer))
    return int(head[9:12]), b"\r\nRetry-After:" in head, time.perf_counter() - start, b'"finish_reason":"length"' in body


async def closed_loop(seconds):
    done = 0
    end = time.perf_counter() + seconds

    async def caller():
        nonlocal done
        while time.perf_counter() < end:
            status, _, _, whole = await ask()
            done += status == 200 and whole and time.perf_counter() <= end

    await asyncio.gather(*(caller() for _ in range(2 * args.running)))
    return done / seconds


async def main():
    await ask()
    alone = min([(await ask())[2] for _ in range(5)])
    capacity = await closed_loop(min(args.seconds, 10))
    rate = capacity * args.times
    print(f"capacity {capacity:.1f} answers/s; one alone {1000 * alone:.0f} ms; offering {rate:.0f}/s for {args.seconds:.0f} s")

    start = time.perf_counter()
    tasks, good = [], 0

    async def offered():
        nonlocal good
        result = await ask()
        good += result[0] == 200 and result[3] and time.perf_counter() - start <= args.seconds
        return result

    for i in range(int(rate * args.seconds)):
        delay = start + i / rate - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(offered()))
    offered_seconds = time.perf_counter() - start

    end = time.perf_counter()
    while (await ask())[2] > 1.5 * alone or (await ask())[0] != 200:
        pass
    recovery = time.perf_counter() - end
    results = await asyncio.gather(*tasks)
    refused = sorted(seconds for status, _, seconds, _ in results if status == 429)
    failed = [status for status, _, _, whole in results if status not in (200, 429) or (status == 200 and not whole)]
    print(f"{len(results)} offered in {offered_seconds:.1f} s: {sum(r[0] == 200 for r in results)} answered, {len(refused)} refused, {len(failed)} failed {sorted(set(failed))}")
    print(f"goodput {good / args.seconds:.1f}/s = {100 * good / args.seconds / capacity:.0f} % of capacity")
    if refused:
        print(f"refusals: median {1000 * refused[len(refused) // 2]:.1f} ms, 99 % {1000 * refused[len(refused) * 99 // 100]:.1f} ms, slowest {1000 * refused[-1]:.1f} ms; "
              f"with Retry-After {sum(r[1] for r in results if r[0] == 429)} of {len(refused)}")
    print(f"recovery {recovery:.2f} s")


asyncio.run(main())
