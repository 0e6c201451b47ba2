"""bench.py BINARY HOST-DIRECTORY SIZE...: what `scripts/bench.sh upload` prints. Run by it, as root, on a booted lab host."""
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from peers import NAMES, Peer
from proxy import Proxy

SIZES = {"S": (60, 1_000_000), "M": (2_000, 40_000_000), "L": (12_000, 250_000_000), "B": (1, 60_000_000)}
BEFORE = os.environ.get("SHIPIT_BENCH_BEFORE")  # another build of shipit, to compare with as well
REPEATS = int(os.environ.get("SHIPIT_BENCH_REPEATS", "3"))
# Milliseconds of a round trip, and after @ the Mbit/s upwards.
NETWORKS = os.environ.get("SHIPIT_BENCH_NETWORKS", "0 50 100 100@20").split()
# The tools to compare with besides the scripts.
PEERS = os.environ.get("SHIPIT_BENCH_PEERS", "").split()
OPERATIONS = ("first", "unchanged", "changed", "touched", "renamed", "rollback")
FAR = 1.0  # seconds: so far away that work and noise are small beside each round trip
BUDGETS = {"same, restarted": 13, "rollback": 10}
WORDS = ("function return const let await this event state value index render update"
         " node style class import export default").split()


class Tree:
    """What is deployed: text that compresses as JavaScript does, or one program."""

    def __init__(self, at, size):
        self.at, self.random, self.turn = at, random.Random(1), 0
        count, total = SIZES[size]
        self.each, self.program = total // count, count == 1
        if self.program:
            self.files = [at / "server"]
            at.mkdir(parents=True)
            # Some words come again and again, as machine code repeats its instructions: it compresses to a fourth or so.
            words = [self.random.randbytes(16) for _ in range(4000)]
            content = bytearray()
            while len(content) < total:
                content += self.random.choice(words) if self.random.random() < 0.7 else self.random.randbytes(4)
            self.files[0].write_bytes(content)
        else:
            self.files = [at / f"assets/{i % 20}/{i}.js" for i in range(count)]
            for path in self.files:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.text())

    def text(self):
        out, length = [], 0
        while length < self.each:
            word = self.random.choice(WORDS) if self.random.random() < 0.6 else "%08x" % self.random.getrandbits(32)
            out.append(word)
            length += len(word) + 1
        return " ".join(out).encode()[: self.each]

    def change(self):
        """Ten files are other ones; or the program is a little longer, and 2,000 addresses in it are others."""
        if self.program:
            content = bytearray(self.files[0].read_bytes())
            at = self.random.randrange(len(content))
            content[at:at] = self.random.randbytes(100)
            for _ in range(2000):
                at = self.random.randrange(len(content) - 4)
                content[at:at + 4] = self.random.randbytes(4)
            self.files[0].write_bytes(content)
            return
        for path in self.random.sample(self.files, min(10, len(self.files))):
            path.write_bytes(self.text())

    def touch(self):
        for path in self.files:
            os.utime(path)

    def rename(self):
        """One directory of twenty has another name; or the program has one."""
        self.turn += 1
        old = self.files[0] if self.program else self.files[0].parent
        new = old.with_name(f"renamed-{self.turn}")
        old.rename(new)
        self.files = [new if path == old else new / path.name if path.parent == old else path for path in self.files]


class Run:
    """One command, measured: seconds until the release is live, seconds in all, bytes both ways, turns, the client's
    peak of memory in MiB."""

    def __init__(self, bench, command, **options):
        bench.proxy.reset()
        start = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, **options)
        self.peak = 0
        watching = threading.Thread(target=self.watch, args=(child,))
        watching.start()
        lines, errors = [], []
        hearing = threading.Thread(target=lambda: errors.append(child.stderr.read()))
        hearing.start()
        for line in child.stdout:
            lines.append(line)
            heard = time.monotonic() - start
        child.wait()
        hearing.join()
        self.seconds = self.live = time.monotonic() - start
        watching.join()
        if child.returncode != 0:
            sys.exit(f"{command}\nended with {child.returncode}:\n{''.join(lines + errors)}")
        ended = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        if ended.get("live_seconds"):
            self.live = heard - (ended["seconds"] - ended["live_seconds"])
        time.sleep(bench.proxy.round_trip)  # the last bytes are still on their way
        self.up, self.down, self.turns = bench.proxy.up, bench.proxy.down, bench.proxy.turns

    def watch(self, child):
        """VmHWM only grows, so the last reading is the peak; rusage would include the Python that forked."""
        while child.poll() is None:
            try:
                for line in open(f"/proc/{child.pid}/status", encoding="ascii", errors="replace"):
                    if line.startswith("VmHWM:"):
                        self.peak = max(self.peak, int(line.split()[1]) / 1024)
            except OSError:
                return
            time.sleep(0.01)


class Bench:
    """One host, one tree, one delayed way between them."""

    def __init__(self, size, binary, host):
        self.host = pathlib.Path(host)
        self.address = (self.host / "address").read_text().strip()
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="shipit-bench-"))
        self.proxy = Proxy(self.address, 22)
        self.tree = Tree(self.home / "source", size)
        known = (self.host / "known_hosts").read_text()
        (self.home / "known_hosts").write_text(known + known.replace(self.address, f"[127.0.0.1]:{self.proxy.port}"))
        self.ssh = ["ssh", "-F", "/dev/null", "-i", str(self.host / "id_ed25519"), "-o", "IdentitiesOnly=yes",
                    "-o", f"UserKnownHostsFile={self.home / 'known_hosts'}"]
        (self.home / "deploy.yml").write_text(
            f"app: acme\nhost: deploy@127.0.0.1:{self.proxy.port}\nsource: source\nservices:\n"
            "  - unit: acme.service\n    strategy: restart\n")
        (self.home / "deploy.sh").write_text(SCRIPT)
        (self.home / "master").mkdir()
        self.contenders = {"shipit": lambda verb: self.shipit(binary, verb)}
        if BEFORE:
            self.contenders["shipit before"] = lambda verb: self.shipit(BEFORE, verb)
        for name in ("link-dest", "tar"):
            self.contenders[name] = lambda verb, name=name: self.script(name, verb)
        self.peers = {}
        for name in PEERS:
            if name not in NAMES:
                sys.exit(f"no such tool: {name} ({', '.join(NAMES)})")
            self.peers[name] = Peer(name, self.home, self.ssh, self.address, self.proxy.port, self.host / "id_ed25519",
                                    self.home / "known_hosts")
            self.contenders[name] = lambda verb, name=name: self.peer(self.peers[name], verb)

    def root(self, command):
        subprocess.run([*self.ssh, f"root@{self.address}", command], check=True, stdin=subprocess.DEVNULL)

    def fresh(self):
        """The host as before its first deploy, set up; and a client that remembers nothing."""
        self.proxy.round_trip, self.proxy.rate = 0.0, None
        self.root("systemctl --quiet stop acme.service 2>/dev/null; rm -rf /opt/acme /opt/.acme.*")
        shutil.rmtree(self.home / ".cache", ignore_errors=True)
        self.shipit(next(iter(sys.argv[1:])), "setup", "--as", f"root@{self.address}", "--yes")

    def shipit(self, binary, *arguments):
        return Run(self, [binary, "-i", str(self.host / "id_ed25519"), "--known-hosts", str(self.home / "known_hosts"),
                          "--json", *arguments], cwd=self.home, env={**os.environ, "HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / ".cache")})

    def script(self, name, verb):
        way = " ".join(self.ssh) + f" -p {self.proxy.port}"
        if name == "link-dest":
            way += f" -o ControlMaster=auto -o ControlPersist=20 -o ControlPath={self.home}/master/of"
        run = Run(self, ["bash", "deploy.sh", name, verb, way], cwd=self.home)
        if name == "link-dest":
            subprocess.run([*way.split(), "-O", "exit", "deploy@127.0.0.1"], stderr=subprocess.DEVNULL, check=False)
        return run

    def peer(self, peer, verb):
        peer.before(verb)
        command, environment = peer.command(verb)
        run = Run(self, command, cwd=peer.at, env=environment)
        peer.after()
        return run

    def rounds(self):
        """Every operation of every contender in turn, so that a noisy minute is nobody's alone."""
        runs = {}
        for _ in range(REPEATS):
            for network in NETWORKS:
                for name, deed in self.contenders.items():
                    self.fresh()
                    if name in self.peers:
                        self.peers[name].fresh()
                    trip, _, rate = network.partition("@")
                    self.proxy.round_trip = float(trip) / 1000
                    self.proxy.rate = float(rate) * 125_000 if rate else None
                    for operation in OPERATIONS:
                        change = {"changed": self.tree.change, "touched": self.tree.touch, "renamed": self.tree.rename}
                        change.get(operation, lambda: None)()
                        run = deed("rollback" if operation == "rollback" else "deploy")
                        runs.setdefault((operation, network), {}).setdefault(name, []).append(run)
        return runs

    def trips(self, binary):
        """Round trips of each budgeted operation: what it takes from far away, less what it takes from near."""
        deeds = {"same, restarted": ("deploy", "--restart"), "rollback": ("rollback",)}
        took = {}
        for round_trip in (0.0, FAR):
            self.fresh()
            self.shipit(binary, "deploy")
            self.tree.change()
            self.shipit(binary, "deploy")
            self.proxy.round_trip = round_trip
            for name, arguments in deeds.items():
                took.setdefault(name, []).append(self.shipit(binary, *arguments).seconds)
        return {name: (far - near) / FAR for name, (near, far) in took.items()}


# As people write it. `tar`: all is sent, by one command.
SCRIPT = r"""
set -euo pipefail
name=$1 verb=$2 ssh=$3 root=/opt/acme to=deploy@127.0.0.1 id=$(date +%Y%m%d-%H%M%S.%N)
live="cd $root && ln -sfn releases/$id new && mv -T new current && sudo systemctl restart acme.service"
if [ "$verb" = rollback ]; then
  $ssh $to "cd $root && ln -sfn releases/\$(ls releases | tail -n 2 | head -n 1) new && mv -T new current &&
    sudo systemctl restart acme.service"
elif [ "$name" = tar ]; then
  tar -C source -cf - . | zstd -q -3 -T0 | $ssh $to "mkdir -p $root/releases/$id && cd $root/releases/$id && zstd -dqc | tar -xf - && $live"
else
  $ssh $to "mkdir -p $root/releases/$id"
  rsync -az --link-dest="$root/current/" -e "$ssh" source/ "$to:$root/releases/$id/"
  $ssh $to "$live"
fi
"""


def median(runs, field):
    return statistics.median(getattr(run, field) for run in runs)


def amount(count):
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def table(size, runs):
    count, total = SIZES[size]
    print(f"\n{size}: {count} files, {total / 1e6:.0f} MB; medians of {REPEATS}. Seconds until the new release runs; shipit "
          "then goes on to verify it (in brackets: until it ends). Where nothing changed, shipit ends without a switch, "
          "and the others restart the service.\n")
    print("| operation | network | with | live | against the best other | sent | received | turns | client's memory |")
    print("|---|---|---|---|---|---|---|---|---|")
    for operation in OPERATIONS:
        for network in NETWORKS:
            of = runs[operation, network]
            best = min(median(found, "live") for name, found in of.items() if not name.startswith("shipit"))
            for name, found in of.items():
                live = f"{median(found, 'live'):.2f} s"
                if name.startswith("shipit"):
                    live += f" ({median(found, 'seconds'):.2f})"
                    peak = f"{max(run.peak for run in found):.0f} MiB"
                else:
                    peak = ""
                trip, _, rate = network.partition("@")
                named = f"{trip} ms" + (f", {rate} Mbit/s" if rate else "")
                print(f"| {operation} | {named} | {name} | {live} | {median(found, 'live') / best:.2f} "
                      f"| {amount(median(found, 'up'))} | {amount(median(found, 'down'))} "
                      f"| {median(found, 'turns'):.0f} | {peak} |", flush=True)


def main():
    binary, host, *sizes = sys.argv[1:]
    for size in sizes:
        bench = Bench(size, binary, host)
        try:
            table(size, bench.rounds())
            if size == "S":
                for name, trips in bench.trips(binary).items():
                    said = "kept" if trips < BUDGETS[name] + 0.5 else "MISSED"
                    print(f"\nBudget {said}: {name}, {trips:.1f} round trips of {BUDGETS[name]} "
                          f"(one run {FAR:.0f} s away, less one beside the host)")
        finally:
            shutil.rmtree(bench.home)


main()
