"""bench.py SIZE BINARY HOST-DIRECTORY: what scripts/bench.sh prints. Run by it, as root, on a booted lab host."""
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

from proxy import Proxy

SIZES = {"S": (60, 1_000_000), "M": (2_000, 40_000_000)}
BEFORE = os.environ.get("SHIPIT_BENCH_BEFORE")  # another build of shipit, to compare with instead of rsync
REPEATS = int(os.environ.get("SHIPIT_BENCH_REPEATS", "3"))
ROUND_TRIP = 0.05
FAR = 1.0  # so far away that work and noise are small beside each round trip
BUDGETS = {"same, restarted": 13, "rollback": 10}
WORDS = ("function return const let await this event state value index render update"
         " node style class import export default").split()


class Tree:
    """What is deployed: the test app, and text that compresses as JavaScript does."""

    def __init__(self, at, size):
        self.at, self.random, self.turn = at, random.Random(1), 0
        count, total = SIZES[size]
        self.each = total // count
        self.files = [at / f"assets/{i % 20}/{i}.js" for i in range(count)]
        for path in self.files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.text())
        shutil.copy(pathlib.Path(__file__).parents[2] / "tests/apps/server.py", at)
        (at / "behaviour").write_text("graceful")
        (at / "version").write_text("v0")

    def text(self):
        out, length = [], 0
        while length < self.each:
            word = self.random.choice(WORDS) if self.random.random() < 0.6 else "%08x" % self.random.getrandbits(32)
            out.append(word)
            length += len(word) + 1
        return " ".join(out).encode()[: self.each]

    def change(self):
        """Ten files are other ones."""
        self.turn += 1
        for path in self.random.sample(self.files, 10):
            path.write_bytes(self.text())


class Run:
    """One command, measured: seconds, bytes both ways, turns, the client's peak of memory in MiB."""

    def __init__(self, bench, command, **options):
        bench.proxy.reset()
        start = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True, **options)
        self.peak = 0
        watching = threading.Thread(target=self.watch, args=(child,))
        watching.start()
        _, said = child.communicate()
        self.seconds = time.monotonic() - start
        watching.join()
        if child.returncode != 0:
            sys.exit(f"{command}\nended with {child.returncode}:\n{said}")
        time.sleep(bench.proxy.round_trip)  # the last bytes are still on their way
        self.up, self.down = bench.proxy.up, bench.proxy.down
        self.connections, self.turns = bench.proxy.connections, bench.proxy.turns

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
        self.host, self.binary = pathlib.Path(host), binary
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
            "  - unit: acme.service\n    strategy: socket\n    health:\n"
            "      url: http://127.0.0.1:8080/healthz\n      successes: 1\n      watch: 0s\n")
        # The script of the comparison, as people write it: one connection for each thing, no checks of its own.
        self.script = self.home / "deploy.sh"
        self.script.write_text(SCRIPT)

    def root(self, command):
        subprocess.run([*self.ssh, f"root@{self.address}", command], check=True, stdin=subprocess.DEVNULL)

    def fresh(self):
        """The host as before its first deploy, set up."""
        self.root("systemctl --quiet stop acme.service 2>/dev/null; rm -rf /opt/acme; rm -rf /home/deploy/.cache;"
                  "echo 'deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart acme.service' >/etc/sudoers.d/bench")
        self.shipit("setup", "--as", f"root@{self.address}", "--yes")

    def shipit(self, *arguments, binary=None):
        return Run(self, [binary or self.binary, "-i", str(self.host / "id_ed25519"), "--known-hosts",
                          str(self.home / "known_hosts"), "-q", *arguments], cwd=self.home)

    def rsync(self, verb, kept):
        way = " ".join(self.ssh) + f" -p {self.proxy.port}"
        if kept:
            way += f" -o ControlMaster=auto -o ControlPersist=20 -o ControlPath={self.home}/master"
        run = Run(self, ["bash", str(self.script), verb, way], cwd=self.home)
        if kept:
            subprocess.run([*way.split(), "-O", "exit", "deploy@127.0.0.1"], stderr=subprocess.DEVNULL, check=False)
        return run

    def rounds(self, deploy, again, rollback):
        """Every operation in turn, so that a noisy minute is nobody's alone."""
        runs = {}
        for round_trip in (0.0, ROUND_TRIP):
            for _ in range(REPEATS):
                self.proxy.round_trip = 0.0
                self.fresh()
                self.proxy.round_trip = round_trip
                for name, deed in (("first deploy", deploy), *again, ("10 files changed", deploy),
                                   ("rollback", rollback)):
                    if name == "10 files changed":
                        self.tree.change()
                    runs.setdefault(name, {}).setdefault(round_trip, []).append(deed())
        return runs


    def trips(self):
        """Round trips of each budgeted operation: what it takes from far away, less what it takes from near."""
        deeds = {"same, restarted": ("deploy", "--restart"), "rollback": ("rollback",)}
        took = {}
        for round_trip in (0.0, FAR):
            self.proxy.round_trip = 0.0
            self.fresh()
            self.shipit("deploy")
            self.tree.change()
            self.shipit("deploy")
            self.proxy.round_trip = round_trip
            for name, arguments in deeds.items():
                took.setdefault(name, []).append(self.shipit(*arguments).seconds)
        return {name: (far - near) / FAR for name, (near, far) in took.items()}


SCRIPT = r"""
set -euo pipefail
verb=$1 ssh=$2 root=/opt/acme to=deploy@127.0.0.1
if [ "$verb" = deploy ]; then
  id=$(date +%Y%m%d-%H%M%S.%N)
  $ssh $to "mkdir -p $root/releases/$id"
  rsync -az --delete -e "$ssh" source/ "$to:$root/releases/$id/"
  $ssh $to "cd $root && ln -sfn releases/$id new && mv -T new current"
else
  $ssh $to "cd $root && ln -sfn releases/\$(ls releases | tail -n 2 | head -n 1) new && mv -T new current"
fi
$ssh $to 'sudo systemctl restart acme.service'
$ssh $to 'curl -fsS --retry 5 --retry-connrefused http://127.0.0.1:8080/healthz' >/dev/null
"""


def median(runs, field):
    return statistics.median(getattr(run, field) for run in runs)


def amount(count):
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def main():
    size, binary, host = sys.argv[1:]
    bench = Bench(size, binary, host)
    try:
        contenders = {
            "shipit": bench.rounds(
                lambda: bench.shipit("deploy"),
                (("unchanged", lambda: bench.shipit("deploy")),
                 ("same, restarted", lambda: bench.shipit("deploy", "--restart"))),
                lambda: bench.shipit("rollback")),
        }
        if BEFORE:
            contenders["shipit before"] = bench.rounds(
                lambda: bench.shipit("deploy", binary=BEFORE),
                (("unchanged", lambda: bench.shipit("deploy", binary=BEFORE)),
                 ("same, restarted", lambda: bench.shipit("deploy", "--restart", binary=BEFORE))),
                lambda: bench.shipit("rollback", binary=BEFORE))
        for name, kept in () if BEFORE else (("rsync + ssh", False), ("the same, one connection", True)):
            deploy = lambda kept=kept: bench.rsync("deploy", kept)
            contenders[name] = bench.rounds(deploy, (("same, restarted", deploy),),
                                            lambda kept=kept: bench.rsync("rollback", kept))
        bench.proxy.round_trip = 0.0
        trips_far = bench.trips()
    finally:
        shutil.rmtree(bench.home)
    count, total = SIZES[size]
    print(f"{size}: {count} files, {total / 1e6:.0f} MB; medians of {REPEATS}; watch: 0s and one good answer for "
          "shipit, since the scripts check no more. Round trips: what 50 ms cost, divided by them. Turns: how often "
          "the client spoke after it had heard something, TCP's connecting included: at least as many, whatever the noise.")
    print("| operation | with | 0 ms | 50 ms | against shipit | sent | received | TCP | round trips | turns | peak memory |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for operation in contenders["shipit"]:
        for name, runs in contenders.items():
            if operation not in runs:
                continue
            near, far = runs[operation][0.0], runs[operation][ROUND_TRIP]
            trips = (median(far, "seconds") - median(near, "seconds")) / ROUND_TRIP
            ratio = median(far, "seconds") / median(contenders["shipit"][operation][ROUND_TRIP], "seconds")
            peak = f"{max(run.peak for run in near + far):.0f} MiB" if name == "shipit" else ""
            print(f"| {operation} | {name} | {median(near, 'seconds'):.2f} s | {median(far, 'seconds'):.2f} s "
                  f"| {ratio:.2f} × | {amount(median(near, 'up'))} | {amount(median(near, 'down'))} "
                  f"| {median(near, 'connections'):.0f} | {trips:.1f} | {median(far, 'turns'):.0f} | {peak} |", flush=True)
    for name, most in BUDGETS.items():
        said = "kept" if trips_far[name] < most + 0.5 else "MISSED"
        print(f"Budget {said}: {name}, {trips_far[name]:.1f} round trips of {most} "
              f"(one run {FAR:.0f} s away, less one beside the host)")


main()
