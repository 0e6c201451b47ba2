"""load.py URL RATE: asks URL that many times a second, each time on a new connection, until stdin ends.

An open loop: requests leave at their time whether or not the server keeps up, and none is ever retried. Prints
`asking` when the first one was answered, and one line at the end: how many were asked, how many failed and how, the
slowest good answer, and which answers came how often.
"""
import asyncio
import collections
import sys
import time
import urllib.parse


class Counts:
    """What became of the requests so far."""

    def __init__(self):
        self.answers, self.failed, self.slowest = collections.Counter(), collections.Counter(), 0.0

    def __str__(self):
        asked = sum(self.answers.values()) + sum(self.failed.values())
        how = ", ".join(f"{count} {kind}" for kind, count in self.failed.most_common())
        who = ", ".join(f"{body} {count}" for body, count in sorted(self.answers.items()))
        failed = f"{sum(self.failed.values())} failed" + (f" ({how})" if how else "")
        return f"{asked} requests, {failed}, slowest response {self.slowest * 1000:.0f} ms [{who}]"


async def answer(url):
    reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
    try:
        request = f"GET {url.path or '/'} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        return await reader.read()
    finally:
        writer.close()


async def ask(url, counts):
    due = time.monotonic()
    try:
        head, _, body = (await asyncio.wait_for(answer(url), 10)).partition(b"\r\n\r\n")
        status = head.split(b" ")[1].decode() if head.startswith(b"HTTP/") else ""
        if status == "200":
            if not counts.answers:
                print("asking", flush=True)
            counts.answers[body.decode(errors="replace").strip()] += 1
            counts.slowest = max(counts.slowest, time.monotonic() - due)
        else:
            counts.failed[status or "closed without an answer"] += 1
    except (OSError, asyncio.TimeoutError) as error:
        counts.failed[type(error).__name__] += 1


async def main():
    url, rate = urllib.parse.urlsplit(sys.argv[1]), float(sys.argv[2])
    counts, asking = Counts(), set()
    over = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    start, sent = time.monotonic(), 0
    while not over.done():
        while start + sent / rate <= time.monotonic():
            task = asyncio.ensure_future(ask(url, counts))
            asking.add(task)
            task.add_done_callback(asking.discard)
            sent += 1
        await asyncio.sleep(max(0.0, start + sent / rate - time.monotonic()))
    if asking:
        await asyncio.wait(set(asking))
    print(counts)


asyncio.run(main())
