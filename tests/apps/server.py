"""A small web server that can be started, drained, reloaded and broken in the ways that real ones are.

Listens on $PORT or $SOCKET, or on the socket that systemd hands over; says READY=1 where systemd listens for it.
GET / answers the release's version, GET /healthz `ok VERSION`, GET /pid the process, GET /release the name of
the directory it runs from, GET /slow the version after 2 s, GET /slower after 10 s. What it does beside that stands in the file `behaviour` of its release, one word:
  plain      no handler for SIGTERM: dies at once
  graceful   SIGTERM: answers what is there with `Connection: close`, then ends; an idle connection may ask for 1 s, or
             for as many as follow: `graceful 300`
             SIGHUP: the same, then becomes the program that `current` names now, listener kept, same process
  stubborn   graceful, but ignores SIGHUP: the old code answers on
  slow       graceful, ready after 1.5 s, or after as many as follow: `slow 5`
  crash      ends with 7 before it listens
  doomed     ends with 7 two seconds after it is ready
  unhealthy  answers 500 to everything
  souring    healthy until 20 clients were answered, then answers 500 to everything
  hanging    accepts and never answers
  stuck      never comes to listen, ignores SIGTERM
  mute       listens, never says that it is ready, ignores SIGTERM
  deaf       graceful, but ignores SIGTERM
"""
import os
import select
import signal
import socket
import sys
import time

DRAIN_SECONDS = 1.0  # an idle keep-alive connection may ask for that long before it is closed
HEARD = set()


def notify(text):
    """sd_notify(3): one datagram to the manager, if there is one."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.connect("\0" + path[1:] if path.startswith("@") else path)
            manager.send(text.encode())


def listener():
    """The inherited socket (sd_listen_fds(3), or from before a reload), or one of our own."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        found = socket.socket(fileno=3)
    elif "KEPT_FD" in os.environ:
        found = socket.socket(fileno=int(os.environ["KEPT_FD"]))
    elif "SOCKET" in os.environ and "PORT" not in os.environ:
        found = socket.socket(socket.AF_UNIX)
        if os.path.exists(os.environ["SOCKET"]):
            os.unlink(os.environ["SOCKET"])
        found.bind(os.environ["SOCKET"])
        found.listen(4096)
    else:
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("0.0.0.0", int(os.environ.get("PORT", "8080"))))
        found.listen(4096)
    found.setblocking(False)
    return found


class Connection:
    """One client: what it sent so far, and when its answer is due."""

    def __init__(self, sock):
        self.sock, self.got, self.due = sock, b"", None


class Server:
    """One thread, one poll loop."""

    def __init__(self, behaviour, version):
        self.behaviour, self.version = behaviour, version
        self.listener = listener()
        self.poll = select.poll()
        self.poll.register(self.listener, select.POLLIN)
        self.clients = {}
        self.answered = 0
        self.draining = None  # until when

    def accept(self):
        """Takes all that wait: whoever is left in a queue that is closed gets a reset."""
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            self.clients[sock.fileno()] = Connection(sock)
            self.poll.register(sock, select.POLLIN)

    def close(self, fd):
        self.poll.unregister(fd)
        self.clients.pop(fd).sock.close()

    def read(self, fd):
        client = self.clients[fd]
        try:
            more = client.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            return self.close(fd)
        client.got += more
        if b"\r\n\r\n" in client.got and client.due is None and self.behaviour != "hanging":
            client.due = time.monotonic() + (
                2 if b" /slow " in client.got else 10 if b" /slower " in client.got else 0.6 if self.behaviour == "sluggish" else 0)
            self.answer(fd)

    def answer(self, fd):
        client = self.clients[fd]
        if client.due > time.monotonic():
            return
        head, _, client.got = client.got.partition(b"\r\n\r\n")
        client.due = None
        path = head.split(b" ")[1]
        body = {b"/healthz": "ok " + self.version, b"/pid": str(os.getpid()),
                b"/release": os.path.basename(os.getcwd())}.get(path, self.version) + "\n"
        status = "200 OK"
        self.answered += path != b"/healthz"
        if self.behaviour == "unhealthy" or self.behaviour == "souring" and self.answered > 20 or self.behaviour == "erring" and path != b"/healthz" \
                or self.behaviour == "unready" and path == b"/ready":
            status, body = "500 Internal Server Error", "the database is gone\n"
        last = self.draining is not None or b"connection: close" in head.lower()
        text = "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s" % (
            status, len(body), "close" if last else "keep-alive", body)
        try:
            client.sock.send(text.encode())
        except OSError:
            last = True
        if last:
            self.close(fd)

    def drain(self):
        """No new clients; those who are here get one more answer each."""
        self.accept()
        self.poll.unregister(self.listener)
        if "LISTEN_PID" not in os.environ and signal.SIGTERM in HEARD:
            self.listener.close()
        self.draining = time.monotonic() + DRAIN_SECONDS

    def finished(self):
        if self.draining is None:
            return False
        if time.monotonic() >= self.draining:
            asked = {fd for fd, _ in self.poll.poll(0)}  # they came in time, though they were not read yet
            for fd in [fd for fd, client in self.clients.items() if client.due is None and fd not in asked]:
                self.close(fd)
        return not self.clients

    def run(self, wake, death):
        """Serves until it is drained after SIGTERM, or has to make way for the next program."""
        self.poll.register(wake, select.POLLIN)
        while not self.finished():
            waits = [c.due for c in self.clients.values() if c.due] + [t for t in (self.draining, death) if t]
            rest = max(0, min(waits) - time.monotonic()) * 1000 + 1 if waits else None
            ready = self.poll.poll(rest)
            if death and time.monotonic() >= death:
                print("the cache is corrupt, giving up", file=sys.stderr)
                os._exit(7)
            for fd, _ in ready:
                if fd == wake:
                    os.read(wake, 100)
                elif self.draining is None and fd == self.listener.fileno():
                    self.accept()
                elif fd in self.clients:
                    self.read(fd)
            for fd in [fd for fd, client in self.clients.items() if client.due]:
                self.answer(fd)
            if HEARD and self.draining is None:
                notify("STOPPING=1" if signal.SIGTERM in HEARD else "RELOADING=1")
                self.drain()


def become_the_next(kept):
    """Runs what the path we were started by names now, in this process, with the listener open."""
    os.set_inheritable(kept, True)
    os.environ["KEPT_FD"] = str(kept)
    os.execv(sys.executable, [sys.executable, PROGRAM])


def main():
    global DRAIN_SECONDS
    with open("behaviour") as file:
        behaviour, _, seconds = file.read().strip().partition(" ")
    with open("version") as file:
        version = file.read().strip()
    print("version %s starts" % version, file=sys.stderr)
    if behaviour == "graceful" and seconds:
        DRAIN_SECONDS = float(seconds)
    if behaviour == "crash":
        print("cannot open the database: no such file", file=sys.stderr)
        sys.exit(7)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    if behaviour != "plain":
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGTERM, lambda *_: behaviour in ("mute", "stuck", "deaf") or HEARD.add(signal.SIGTERM))
        signal.signal(signal.SIGHUP, lambda *_: behaviour == "stubborn" or HEARD.add(signal.SIGHUP))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP, signal.SIGTERM])
    if behaviour == "slow":
        time.sleep(float(seconds or 1.5))
    while behaviour == "stuck":
        time.sleep(1)
    server = Server(behaviour, version)
    if behaviour != "mute":
        notify("READY=1\nSTATUS=version %s" % version)
    server.run(wake, time.monotonic() + 2 if behaviour == "doomed" else None)
    # Blocked until the new program has its own handlers: an early signal would otherwise end it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP, signal.SIGTERM])
    if signal.SIGTERM not in HEARD:
        become_the_next(server.listener.fileno())


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv[0])
    # The process stands in its own release, so that anybody can see in /proc which one it is from.
    os.chdir(os.path.dirname(os.path.realpath(PROGRAM)))
    main()
