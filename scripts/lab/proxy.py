"""A TCP proxy on the loopback that delays every byte by half a round trip each way, and counts.

The kernels that labs run on often have no netem. A chunk is stamped when it is read and handed on when it is due, so
the delay is one of distance. With a rate, it is also one of bandwidth, upwards: then little waits on the way, as in a
router with a small buffer (what the sender's own kernel keeps comes before it, and is not bounded here).
"""
import asyncio
import threading

BUFFER = 0.05  # seconds of bytes that wait before a slow link


class Proxy:
    """Runs in a thread of its own; `round_trip` (seconds) and `rate` (bytes a second upwards, None for any) may change
    between connections."""

    def __init__(self, host, port):
        self.target, self.round_trip, self.rate, self.port = (host, port), 0.0, None, None
        self.reset()
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True).start()
        ready.wait()

    def reset(self):
        """`turns`: how often the client spoke after it had heard something, and one for each TCP connection: no
        less than the round trips that it waited for, since goodbyes and ends of input count too."""
        self.up = self.down = self.connections = self.turns = 0
        self.heard = False

    async def _run(self, ready):
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    async def _client(self, near, to_near):
        self.connections += 1
        self.turns += 1
        self.heard = True
        delay = self.round_trip / 2
        if delay:
            await asyncio.sleep(2 * delay)  # TCP's own connecting
        try:
            far, to_far = await asyncio.open_connection(*self.target)
        except OSError:
            return to_near.close()
        await asyncio.gather(self._carry(near, to_far, delay, "up"), self._carry(far, to_near, delay, "down"))

    async def _carry(self, reader, writer, delay, way):
        due = asyncio.Queue(4096)
        loop = asyncio.get_running_loop()
        rate, free = self.rate if way == "up" else None, 0.0

        async def hand_on():
            while True:
                when, chunk = await due.get()
                await asyncio.sleep(when - loop.time())
                if not chunk:
                    return
                self.turns += way == "up" and self.heard
                self.heard = way == "down"
                setattr(self, way, getattr(self, way) + len(chunk))
                writer.write(chunk)
                await writer.drain()

        handing = asyncio.ensure_future(hand_on())
        try:
            chunk = b"-"
            while chunk:
                chunk = await reader.read(65536)
                sent = loop.time()
                if rate:
                    free = sent = max(free, sent) + len(chunk) / rate
                await due.put((sent + delay, chunk))
                await asyncio.sleep(free - loop.time() - BUFFER)
        except OSError:
            await due.put((loop.time() + delay, b""))
        try:
            await handing
        except OSError:
            pass
        writer.close()
