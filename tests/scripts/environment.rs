//! root's helper for the app's environment, killed at every command: the file is the old one or the new one, whole and
//! root's alone, and the same change made again comes to its end.

use std::os::unix::process::ExitStatusExt;

use shipit::remote::ENV_HELPER;

use super::*;

/// The world's file, and its text; empty when there is none.
fn now(world: &World) -> String {
    let path = world.dir.path().join("etc/acme/env");
    fs::read_to_string(path).unwrap_or_default()
}

/// Runs the helper with that on its stdin.
fn change(world: &World, verb: &str, content: &str, fault: Fault) -> Output {
    let sent = format!("1 {verb} ann any {}\n{content}", content.len());
    fs::write(world.dir.path().join("in"), sent).unwrap();
    let tools = if fault == NO_FAULT { "real" } else { "faulty" };
    let path = format!("PATH={}:/usr/sbin", world.dir.path().join(tools).display());
    let text = ENV_HELPER.replace("PATH=/usr/sbin", &path);
    world.run(&format!("exec <\"$FAKE/in\"\n{text}"), &["acme"], fault)
}

#[test]
fn a_change_that_dies_anywhere_leaves_the_old_or_the_new_and_can_be_made_again() {
    const OLD: &str = "# kept\nA=\"1\"\nB='two $x'\n";
    for (shell, before, verb, content, after) in [
        (SHELLS[1], OLD, "set", "A=\"3\"\n", "# kept\nA=\"3\"\nB='two $x'\n"),
        (SHELLS[0], OLD, "push", "C=1\n", "C=1\n"),
    ] {
        let moments = killed::sweep(1, killed::KILLED, |fault| {
            let world = World::new(shell);
            if !before.is_empty() {
                let out = change(&world, "push", before, NO_FAULT);
                assert!(out.status.success(), "{out:?}");
            }
            let out = change(&world, verb, content, fault);
            let left = now(&world);
            let told = format!("{verb} {fault:?} {out:?}");
            assert!(left == before || left == after, "{told}: {left}");
            let again = change(&world, verb, content, NO_FAULT);
            assert!(again.status.success(), "{told}: {again:?}");
            assert_eq!(now(&world), after, "{told}");
            let dir = world.dir.path().join("etc/acme");
            let names: Vec<_> = fs::read_dir(&dir).unwrap().collect();
            assert_eq!(names.len(), 1, "{told}: {names:?}");
            let mode = fs::metadata(dir.join("env")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{told}");
            out.status.signal() == Some(9)
        });
        assert!(moments > 12, "{verb}: {moments}");
    }
}

#[test]
fn a_change_that_cannot_be_read_back_or_written_is_no_change() {
    let world = World::new(SHELLS[0]);
    change(&world, "push", "A=1\n", NO_FAULT);
    for (content, verb) in [
        ("A=1", "erase"),
        ("A=\"x", "set"),
        ("A=$(id)\n", "set"),
        ("PATH=/tmp\n", "push"),
        ("LD_PRELOAD=/tmp/x\n", "set"),
        ("PYTHONPATH=/tmp\n", "push"),
        ("A=1\nB C=2\n", "push"),
        ("# x \\\nB=1\n", "push"),
        ("A=a\u{7}\n", "push"),
    ] {
        let out = change(&world, verb, content, NO_FAULT);
        assert!(!out.status.success(), "{content:?}: {out:?}");
        assert_eq!(now(&world), "A=1\n", "{content:?}");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!said.contains("id") || said.contains("line"), "{said}");
    }
    // The same again changes nothing, not even the file's inode.
    let list = change(&world, "list", "", NO_FAULT).stdout;
    assert_eq!(change(&world, "set", "A=1\n", NO_FAULT).stdout, b"");
    assert_eq!(change(&world, "list", "", NO_FAULT).stdout, list);
}

/// Two first changes at once: between the question whether the directory is there and its making, the other makes it.
#[test]
fn a_directory_that_another_makes_at_the_same_moment_stops_nobody() {
    under_each_shell(|world| {
        let mkdir = world.dir.path().join("real/mkdir");
        fs::remove_file(&mkdir).unwrap();
        let text = "#!/bin/sh\n/usr/bin/mkdir \"$@\" && case $1 in -p) ;; *) exec /usr/bin/mkdir \"$@\" ;; esac\n";
        fs::write(&mkdir, text).unwrap();
        fs::set_permissions(&mkdir, PermissionsExt::from_mode(0o755)).unwrap();
        let out = change(&world, "set", "A=1\n", NO_FAULT);
        assert!(out.status.success(), "{out:?}");
        assert_eq!(now(&world), "A=1\n");
        fs::create_dir_all(world.root().join("releases/.in-new2")).unwrap();
        fs::create_dir_all(world.root().join("shared")).unwrap();
        let out = world.script("link", &["new2", "dir", "log/deep", "optional", "etc/x"], NO_FAULT);
        assert!(out.status.success(), "{out:?}");
    });
}

/// A directory that is looked for and then made can be made by another process in between. Where `mkdir` may meet one
/// that exists, it is asked again, or only one process at a time comes there.
#[test]
fn no_script_looks_for_a_directory_and_then_fails_to_make_it() {
    // The first words of the command, and why nobody else makes it at that moment.
    const ALONE: &[(&str, &str)] = &[
        ("root/setup.sh", "the lock of setup"),
        ("root/setup_root.sh", "the lock of setup"),
        ("root/setup_install.sh", "the lock of setup"),
        ("root/run_helper_start.sh", "a name of its own"),
        ("root/install_units.sh", "below a directory of its own"),
        ("stage/hold.sh", "the lock of releases"),
        ("conductor/5-slots.sh", "the lock of the conductor"),
        ("conductor/7-settle.sh", "the lock of the conductor"),
    ];
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/remote");
    let (mut made, mut used) = (0, std::collections::BTreeSet::new());
    for dir in fs::read_dir(&top)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|dir| dir.is_dir())
    {
        for path in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text
                .lines()
                .filter(|line| !line.trim_start().starts_with('#'))
                .collect();
            for (at, line) in lines.iter().enumerate() {
                let word = |word: &str| line.split([' ', ';', '(', '{']).any(|each| each == word);
                if !word("mkdir") || line.contains("mkdir -p") && line.matches("mkdir").count() == 1 {
                    continue;
                }
                made += 1;
                let rest = lines[at..].iter().take(2).copied().collect::<String>();
                let after = rest.rsplit("mkdir ").next().unwrap_or_default();
                let again = after.contains("|| [ -d ") || after.contains("&&    [ ! -d ");
                let alone = ALONE.iter().find(|(script, _)| *script == name);
                assert!(again || alone.is_some(), "{name}: {line}");
                used.extend(alone.filter(|_| !again).map(|(script, _)| *script));
            }
        }
    }
    assert!(made > 8, "{made}");
    assert_eq!(used.len(), ALONE.len(), "only {used:?}");
}

/// The statements of a script that ask whether something is there, and then change it by a command that would fail, or do
/// harm, if another process had changed it in between. `mkdir` has the test above.
fn looks_then_acts(text: &str) -> Vec<String> {
    const LOOKS: [&str; 12] = [
        "[ -e ", "[ -f ", "[ -d ", "[ -L ", "[ -s ", "[ ! -e ", "[ ! -f ", "[ ! -d ", "[ ! -L ", " -ef ", "id -u ",
        "$size",
    ];
    const ACTS: [&str; 14] = [
        "mv", "ln", "rm", "rmdir", "cp", "touch", "mkfifo", "useradd", "groupadd", "usermod", "put", "discard", ":",
        "true",
    ];
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let ends = [
            "then",
            "&&",
            "||",
            "\\",
            "{",
            "|| return 0",
            "|| return",
            "|| continue",
            "|| exit 0",
        ];
        let goes_on = ends.iter().any(|end| line.ends_with(end));
        let next = lines.get(at + 1).filter(|_| goes_on);
        let whole = format!("{line} {}", next.unwrap_or(&""));
        // Where it looks in the next line only, that line is found by itself.
        let look = LOOKS.iter().filter_map(|look| line.find(look)).min();
        let Some(look) = look else { continue };
        let words: Vec<&str> = whole[look..]
            .split([' ', ';', '(', '{', '"'])
            .filter(|word| !word.is_empty())
            .collect();
        let acts = |pair: &[&str]| match pair[0] {
            // Only what makes a file.
            ":" | "true" => pair[1].starts_with('>'),
            word => ACTS.contains(&word),
        };
        if words.windows(2).any(acts) {
            found.push(whole.trim().to_owned());
        }
    }
    found
}

#[test]
fn no_script_looks_and_then_acts_on_what_another_may_have_changed() {
    // Script, words of the statement, and why nothing comes in between, or why it does no harm.
    const JUDGED: &[(&str, &str, &str)] = &[
        (
            "conductor/1-marks.sh",
            "mark() {",
            "only the conductor makes marks, and holds its lock",
        ),
        ("conductor/5-routers.sh", "-f \"$file\"", "the lock of the conductor"),
        ("conductor/5-routers.sh", "-f \"$other\"", "the lock of the conductor"),
        ("conductor/5-slots.sh", "rm -f -- slot.tmp", "the lock of the conductor"),
        (
            "conductor/7-orphans.sh",
            "../releases/${id#.in-}",
            "published in another order: the directory first",
        ),
        (
            "conductor/7-orphans.sh",
            "/proc/${file##*.}",
            "its process is gone, and its name was that process's own",
        ),
        (
            "conductor/7-settle.sh",
            "links/$id",
            "the lock of the conductor; only what belongs to a release that is gone",
        ),
        (
            "conductor/7-settle.sh",
            ".del-$id",
            "the lock of the conductor; if the rename fails, the release stays",
        ),
        (
            "conductor/8-end.sh",
            "rm -f -- request",
            "no other request can be placed beside one that is there",
        ),
        ("lib/actions.sh", "-lt 65536", "asked again under a lock on the record"),
        ("root/install_units.sh", "scratch/old/$name", "the lock of setup"),
        ("root/setup_former_user.sh", "sudoers.d", "the lock of setup"),
        ("root/setup_install.sh", "-e \"$at\"", "the lock of setup"),
        ("root/setup_install.sh", "-e \"$gone\"", "the lock of setup"),
        (
            "stage/hold.sh",
            "! -L \"$1\"",
            "the lock of releases, and that of the upload",
        ),
        (
            "stage/hold.sh",
            "discard \"$of\"",
            "the lock of releases, and that of the upload",
        ),
        (
            "stage/hold.sh",
            "discard \"$1\"",
            "the lock of releases, and that of the upload",
        ),
        (
            "stage/hold.sh",
            "ln -s -- \"$held_id\"",
            "the lock of releases; prepare.sh replaces the symlink",
        ),
        ("stage/link.sh", "rmdir", "its own upload, which it holds locked"),
        (
            "stage/prepare.sh",
            "/prepared\"",
            "its own upload, which it holds locked",
        ),
        (
            "stage/publish.sh",
            "rm -f -- \"../releases/.in-$id\"",
            "its own upload, which it holds locked",
        ),
        ("switch/follow.sh", ": >>events", "appends nothing: what is there stays"),
        (
            "switch/request.sh",
            ": >>ledger",
            "appends nothing: what is there stays",
        ),
        (
            "switch/request.sh",
            "-d spare",
            "the lock of requests; without the spare run a new one is made",
        ),
        ("switch/withdraw.sh", "rm -f -- request", "the lock of requests"),
        ("conductor/7-settle.sh", "spare.tmp", "the lock of the conductor"),
        (
            "conductor/8-notify.sh",
            "-d notify",
            "if it is gone, nobody is to be notified, and the run goes on",
        ),
        ("root/setup.sh", "ln -sfnT", "the lock of setup"),
    ];
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/remote");
    let mut used = std::collections::BTreeSet::new();
    let mut open = Vec::new();
    let folders = fs::read_dir(&top).unwrap().map(|entry| entry.unwrap().path());
    for dir in folders.filter(|dir| dir.is_dir()) {
        for path in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
            if !name.ends_with(".sh") {
                continue;
            }
            for found in looks_then_acts(&fs::read_to_string(&path).unwrap()) {
                let known = |(script, words, _): &&(&str, &str, &str)| *script == name && found.contains(words);
                match JUDGED.iter().position(|one| known(&one)) {
                    Some(at) => _ = used.insert(at),
                    None => open.push(format!("{name}: {found}")),
                }
            }
        }
    }
    assert!(open.is_empty(), "judge these, and fix or list them: {open:#?}");
    let stale = JUDGED.iter().enumerate().filter(|(at, _)| !used.contains(at));
    let stale: Vec<_> = stale.map(|(_, one)| one).collect();
    assert!(stale.is_empty(), "no such statement: {stale:#?}");
    // What the search must find.
    for text in [
        "[ -e \"$x\" ] || >\"$x\" || :\n[ -e x ] || : >x",
        "if [ ! -d spare ]; then\n    mv -T a spare",
        "[ -f y ] &&\n    rm y",
        "id -u \"$user\" >/dev/null || useradd \"$user\"",
    ] {
        assert_eq!(looks_then_acts(text).len(), 1, "{text}");
    }
}
