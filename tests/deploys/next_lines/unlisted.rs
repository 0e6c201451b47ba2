//! Places that make a line and have no row, each with the reason. A place whose kind is `advice` is a sentence for a
//! person, or text for a file: it needs none.

/// Something has to be put right by hand first, and the line says so.
const FIRST: &str = "to be typed after something was put right by hand";
const PASSWORD: &str = "a person types a password";
const EDITOR: &str = "opens an editor";
const NETWORK: &str = "installs packages from the network";
const RACE: &str = "printed only if two things happen at the same moment; the line looks, or repeats what was typed";
const FAULT: &str = "printed after a fault that tests/faults makes; the line only looks";
const NOTIFY: &str =
    "needs `notify` in deploy.yml; tests/deploys/notifying.rs makes the state, and leaves it by that command";
const TIMER: &str = "needs a timer that was due; tests/days/status.rs makes the state";
const BESIDE: &str = "printed below a line that has a row, and typed after it";
const ELSEWHERE: &str =
    "a next line of `init` or `up`, or before them, which tests/deploys/beginning.rs and tests/init.rs follow";

pub const SITES: &[(&str, &str)] = &[
    (
        "host/mod.rs shell sudo chage --maxdays -1 --lastday \"$(date +%F)\" USER",
        "tests/deploys/logins.rs",
    ),
    (
        "host/mod.rs shell sudo usermod --shell /bin/sh USER",
        "tests/deploys/logins.rs",
    ),
    ("engine/session.rs again", FAULT),
    ("engine/switch.rs again", RACE),
    (
        "cli/logs.rs again --{key} '2 hours ago'",
        "tests/days/logs.rs types the same line",
    ),
    ("cli/logs.rs shipit logs --help", "only shows the help"),
    (
        "cli/logs.rs shipit logs",
        "of a run without a process; engine/journal/mod.rs has a row for the same line",
    ),
    (
        "cli/up/stop.rs shipit deploy --restart",
        "the line of `deploy`, which has a row, with another remark",
    ),
    (
        "config/environments.rs again -e {one}",
        "repeats what was typed, with a name of deploy.yml",
    ),
    (
        "config/environments.rs again -e {}",
        "repeats what was typed, with a name of deploy.yml",
    ),
    (
        "engine/ended.rs shipit <run.command.word>",
        "after a user canceled a switch: the same command again",
    ),
    ("engine/drain.rs shipit status", FAULT),
    (
        "engine/drain.rs as_root setup",
        "tests/deploys/sudo.rs types the same line",
    ),
    (
        "diagnosis/drain.rs shipit logs --unit",
        "needs an instance that does not come back; only looks",
    ),
    (
        "diagnosis/drain.rs shipit status",
        "needs an instance that does not come back; only looks",
    ),
    (
        "engine/held.rs again",
        "needs a lock that stays taken for 30 seconds; tests/faults/request.rs makes the state",
    ),
    ("cli/unit/generate.rs again --print", "only prints"),
    (
        "cli/unit/generate.rs shell rm",
        "tests/units/commanding.rs does the same",
    ),
    ("cli/unit/generate.rs again", "tests/units/commanding.rs does the same"),
    (
        "plan/unit_names.rs shipit unit generate --only",
        "tests/deploys/logins.rs types it, with --print",
    ),
    ("cli/env.rs shipit env unset", "tests/days/env.rs types it"),
    (
        "cli/run.rs shipit run --as-deploy -- COMMAND",
        "COMMAND is for a person to fill in",
    ),
    ("cli/timeline.rs shipit deploy", "tests of `report` make the state"),
    ("cli/timeline.rs shipit doctor", "only looks"),
    (
        "engine/deploy.rs shipit unit diff",
        "only shows; tests/deploys/drifting.rs makes the state",
    ),
    (
        "engine/deploy.rs shipit doctor",
        "needs a live service whose unit was removed; only looks",
    ),
    (
        "engine/deploy.rs shipit deploy --checksum",
        "needs files that were not touched for two seconds; tests/deploys/arriving.rs makes the state",
    ),
    ("cli/timeline.rs shipit status -v", "only looks"),
    (
        "diagnosis/machine.rs shipit attach",
        "the line of `status`, which has a row",
    ),
    (
        "cli/service.rs shipit status",
        "needs a service with two instances; only looks",
    ),
    (
        "diagnosis/health.rs shell sudo ss -ltnp",
        "only looks; tests/doctor makes the state",
    ),
    ("diagnosis/units.rs shell sudo systemctl start {name}", FIRST),
    ("cli/env.rs shipit env push FILE", "FILE is for a person to fill in"),
    ("cli/init/mod.rs offline init", ELSEWHERE),
    ("cli/init/mod.rs again --print", ELSEWHERE),
    ("cli/init/mod.rs shipit up --as", ELSEWHERE),
    ("cli/init/mod.rs shipit unit generate", ELSEWHERE),
    (
        "cli/init/mod.rs shipit unit generate --app {app} --program binary --command '/opt/{app}/current/{app}'",
        ELSEWHERE,
    ),
    ("cli/setup/mod.rs as_root unit install", FIRST),
    ("cli/unit/install.rs as_root unit install", FIRST),
    ("engine/withheld.rs as_root setup", FIRST),
    ("cli/status/mod.rs as_root up", ELSEWHERE),
    ("cli/up/look.rs as_root up", ELSEWHERE),
    ("cli/up/stop.rs as_root up", ELSEWHERE),
    ("cli/up/stop.rs again", ELSEWHERE),
    (
        "cli/unit/generate.rs shipit unit generate --app acme",
        "acme is for a person to fill in",
    ),
    (
        "cli/unit/lint.rs shipit unit lint --drop-in",
        "only for a unit below /usr/lib of this machine",
    ),
    (
        "config/target.rs shipit {command} --as",
        "makes the lines of `as_root`, which have rows",
    ),
    ("diagnosis/access.rs shell sudo systemctl edit {}", EDITOR),
    (
        "diagnosis/access.rs shell findmnt --target",
        "only looks; tests/doctor/access.rs",
    ),
    (
        "diagnosis/access.rs shell sudo journalctl -u {} --grep='invalid environment'",
        "only looks; tests/doctor/access.rs",
    ),
    (
        "diagnosis/access.rs shipit env set NAME",
        "NAME is for a person to fill in",
    ),
    ("diagnosis/laptop.rs shell <line>", "tests/deploys/setting_up.rs"),
    (
        "diagnosis/laptop.rs shell sudo rm -f /etc/nologin /run/nologin",
        "tests/deploys/setting_up.rs",
    ),
    ("diagnosis/timers.rs shell sudo journalctl -u {unit} -n 50", TIMER),
    ("diagnosis/timers.rs shell sudo systemctl start {unit}", TIMER),
    ("diagnosis/notify.rs as_root setup", NOTIFY),
    ("diagnosis/notify.rs as_root unit install", NOTIFY),
    ("diagnosis/notify.rs shipit unit generate --only", NOTIFY),
    (
        "diagnosis/machine.rs shell <line.as_str>",
        "doctor::ways types it on hosts that need it",
    ),
    (
        "plan/needs.rs shell <line>",
        "the same line as doctor's, in the refusal of a deploy",
    ),
    (
        "diagnosis/machine.rs shell sudo mkdir -p {KEPT_JOURNAL} && sudo systemd-tmpfiles --create --prefix {KEPT_JOURNAL} && sudo systemctl restart systemd-journald",
        "doctor::ways types it on a host that needs it",
    ),
    (
        "diagnosis/room.rs shell <find>",
        "needs a disk without free inodes; only looks; tests/doctor/access.rs",
    ),
    (
        "diagnosis/machine.rs shell findmnt --target",
        "needs a read-only disk; only looks",
    ),
    (
        "diagnosis/machine.rs shell sudo dmesg --level=err,warn | tail",
        "needs a read-only disk; only looks",
    ),
    (
        "diagnosis/health.rs offline unit explain socket-not-taken",
        "only looks; tests/doctor/live.rs makes the state",
    ),
    (
        "diagnosis/health.rs shell sudo ss -ltnp 'sport = :{port}'",
        "only looks; tests/doctor makes the state",
    ),
    (
        "diagnosis/health.rs shell systemctl list-sockets",
        "tests/doctor/ways.rs types it beside a socket unit that holds the port",
    ),
    (
        "diagnosis/health.rs shell systemctl status {other}",
        "only looks; tests/doctor makes the state",
    ),
    (
        "diagnosis/laptop.rs shell ssh-add -l",
        "needs a broken ssh agent; only looks",
    ),
    ("diagnosis/laptop.rs shell ssh-keygen -t ed25519", PASSWORD),
    ("diagnosis/laptop.rs ssh_copy_id <login.ssh_to.clone>", PASSWORD),
    (
        "diagnosis/room.rs shell df -h {path}",
        "needs a disk that is nearly full; only looks",
    ),
    (
        "diagnosis/room.rs shell df -h {path}; sudo du -xh {path} | sort -h | tail",
        "needs a full disk; only looks",
    ),
    ("plan/packaged.rs ssh -t {root} apt-get install {packages}", NETWORK),
    ("diagnosis/packages.rs ssh -t {root} apt-get install {package}", NETWORK),
    (
        "diagnosis/remedy.rs shell sudo install -d -m 0750{owner}",
        "tests/doctor/broken.rs",
    ),
    (
        "diagnosis/machine.rs shell timedatectl",
        "needs another clock than this machine's; only looks",
    ),
    (
        "diagnosis/machine.rs shipit deploy",
        "degraded by its first deploy: the line is that of `status`",
    ),
    (
        "diagnosis/room.rs shipit prune --keep 1",
        "needs a full disk: tests/deploys/full_disk.rs",
    ),
    (
        "diagnosis/remedy.rs shell sudo journalctl -u {unit} -n 50",
        "only looks; tests/doctor makes the state",
    ),
    ("diagnosis/remedy.rs shell sudo systemctl start {unit}", FIRST),
    (
        "diagnosis/remedy.rs shipit unit generate{command}",
        "the line of `setup`, which has a row",
    ),
    (
        "diagnosis/router/mod.rs shell sudo journalctl -u {unit} -n 20",
        "only looks; tests/doctor/routed.rs",
    ),
    (
        "diagnosis/router/mod.rs shell {check} && {reset}sudo systemctl start {unit}",
        "tests/doctor/routed.rs",
    ),
    (
        "diagnosis/units.rs shipit logs --unit",
        "needs a start that never completes; only looks",
    ),
    ("engine/attempt.rs shipit deploy --release", RACE),
    ("engine/attempt.rs shipit deploy --wait", RACE),
    ("engine/attempt.rs shipit releases", RACE),
    ("engine/environment.rs shipit env list", RACE),
    ("engine/install_units.rs again", FIRST),
    ("engine/install_units.rs shipit unit diff", RACE),
    ("engine/install_units.rs shipit unit install", FAULT),
    ("engine/run_command.rs shipit status", FAULT),
    ("host/ssh/errors.rs shipit doctor --as", "tests/deploys/setting_up.rs"),
    ("engine/setup.rs as_root setup", FIRST),
    (
        "engine/setup.rs shell apt-get install curl tar util-linux perl-base",
        NETWORK,
    ),
    ("engine/stage.rs shipit deploy", FAULT),
    ("engine/stage.rs shipit doctor", FAULT),
    (
        "engine/room.rs shipit prune",
        "needs a full disk: tests/deploys/full_disk.rs",
    ),
    ("engine/switch.rs shipit attach", FAULT),
    (
        "engine/word.rs shipit attach",
        "only looks; the switch in progress goes on",
    ),
    ("engine/ended.rs shipit deploy", FIRST),
    ("engine/switch.rs shipit doctor", FAULT),
    ("engine/ended.rs shipit logs", FAULT),
    ("engine/switch.rs shipit status", FAULT),
    ("engine/switch.rs shipit releases", FAULT),
    ("engine/ended.rs shipit status", FAULT),
    ("engine/switch.rs ssh {} systemctl status {} shipit-{}.service", RACE),
    (
        "engine/units.rs shipit unit generate",
        "the line of `unit diff`, which has a row",
    ),
    (
        "failure/mod.rs again",
        "repeats what was typed, where nothing else is known",
    ),
    ("host/ssh/errors.rs shipit setup --as", PASSWORD),
    ("host/ssh/errors.rs ssh_copy_id -i {key} {place}", PASSWORD),
    (
        "source/archive.rs shell export TMPDIR=/var/tmp",
        "needs a full /tmp on this machine",
    ),
    ("plan/needs.rs shipit deploy", BESIDE),
    ("plan/needs.rs shipit deploy --restart", BESIDE),
    ("plan/needs.rs ssh -t {} visudo -f", EDITOR),
    (
        "plan/confined.rs ssh -t {root} systemctl edit {guard}.service {guard}-boot.service",
        EDITOR,
    ),
    (
        "host/mod.rs shell sudo journalctl -u ssh -n 20",
        "only looks; needs a login that sshd starts nothing for",
    ),
    ("plan/unit_files/install.rs as_root unit install", BESIDE),
    ("plan/unit_files/install.rs shell ls -l {PLACE}/{name}", "only looks"),
    ("plan/unit_files/install.rs shell systemctl start {name}", BESIDE),
];
