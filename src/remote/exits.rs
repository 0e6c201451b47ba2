//! The exit statuses of the scripts: each number has one meaning, whichever script exits with it. A script lists its own
//! on a `# exits:` line in the same words; a test compares them with this table, both ways. What is done about one is
//! said where the script was run.

/// A status of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitStatus {
    pub number: i32,
    pub meaning: &'static str,
    /// The scripts that exit with it: file names below `src/remote`, without folder and `.sh`.
    pub scripts: &'static [&'static str],
}

macro_rules! exits {
    ($($name:ident = $number:literal $meaning:literal $($script:literal)+;)*) => {
        $(#[doc = $meaning] pub const $name: i32 = $number;)*

        pub const ALL: &[ExitStatus] = &[$(ExitStatus {
            number: $number,
            meaning: $meaning,
            scripts: &[$($script),+],
        }),*];
    };
}

exits! {
    // Helpers that `setup` left on the host may be older than this program: their numbers stay.
    NOT_UNDERSTOOD = 2 "not understood" "env_helper" "journal_helper" "notify_helper" "run_helper"
        "run_helper_start";
    ENV_REFUSED = 50 "a line that systemd might read differently" "env_helper" "env_helper_change";
    ENV_CHANGED = 51 "the environment was changed in the meantime" "env_helper_change";
    ENV_UNSAFE = 52 "users other than root can change the file" "env_helper";
    CUT_OFF = 53 "stdin was cut off" "env_helper" "env_helper_change" "journal_helper" "notify_helper"
        "run_helper";
    CANNOT_RUN = 57 "the unit cannot run commands (printed)" "run_helper" "run_helper_start";
    NOT_STARTED = 125 "the command was not started (printed)" "run_helper_start";

    RELEASES_LOCKED = 20 "releases could not be locked" "hold";
    RELEASES_NOT_WRITABLE = 21 "the directory of the release could not be created" "hold";
    RELEASE_LOCKED = 22 "the directory of the release could not be locked" "hold";
    NO_ZSTD = 18 "zstd cannot unpack anything here" "receive";
    NOT_UNPACKED = 23 "tar failed" "receive";
    DIFFERS = 24 "the tree differs from its digest" "verify";
    NOT_REUSED = 19 "the files on the host could not be reused" "hold" "reuse";
    SHARED_BLOCKED = 25 "a file is in the way of a shared path" "link";
    SHARED_MISSING = 26 "a shared file is missing" "link";
    OTHER_NAMED = 55 "the path of another release is left in the release" "publish";

    CONDUCTOR_CUT_OFF = 27 "the conductor arrived incomplete" "install_conductor";
    CONDUCTOR_OUTDATED = 29 "the conductor of this version could not be written" "install_conductor";
    HELD = 30 "another request exists (printed)" "drain" "install_conductor" "request" "service";
    OUTDATED = 31 "the host has changed since it was observed (printed)" "request";
    CONFIRMED = 49 "there is nothing to revert" "word";
    NO_CANARY = 58 "the switch has no canary" "word";
    BEGUN = 32 "the conductor has begun the run" "withdraw";
    WITHDRAWN = 33 "the request was withdrawn" "request";
    REQUESTS_LOCKED = 59 "the lock of the requests could not be taken" "drain" "install_conductor" "request" "word";

    SERVICE_REFUSED = 28 "the service was not restarted, reloaded, started or stopped" "service";
    SERVICE_UNHEALTHY = 34 "the service is not healthy afterwards" "service";
    SUDO_REFUSED = 35 "sudo does not allow the command" "by_hand";
    NOT_TRIED = 62 "nothing was tested (printed)" "drain";
    NOT_PUT_BACK = 63 "the instance is not as it was before the trial (printed)" "drain";
    NO_RUN = 36 "no such run on the host" "invocations" "record";
    RUN_UNREADABLE = 37 "the run cannot be read" "invocations" "record";
    NO_HELPER = 54 "the helper is missing, or may not be run" "env" "journal" "run_check";
    CURRENT_UNREADABLE = 126 "cannot change to the directory of the live release" "command" "run" "shell";

    NOT_ROOT = 40 "not root" "access" "install_units" "setup";
    SUDO_RULE_INVALID = 41 "visudo refuses the sudo rule" "setup_install";
    OBSTRUCTED = 42 "a file, symlink or owner is in the way (printed)" "install_units" "setup" "setup_former_user"
        "setup_root";
    NAME_TAKEN = 43 "another app has this name" "setup";
    SWITCHING = 48 "a switch is in progress (printed), or its lock is held" "install_units" "setup_former_user";
    SETUP_LOCKED = 60 "the lock of setup is held" "install_units" "setup";
    SETUP_FAILED = 61 "a command failed" "setup";
    UNITS_CHANGED = 38 "a unit file was changed in the meantime" "install_units";
    FILES_CUT_OFF = 39 "the files arrived incomplete" "install_units" "setup";
    UNITS_INVALID = 44 "systemd-analyze refuses a unit" "install_units";
    UNITS_NOT_LOADED = 45 "systemd does not load a unit: the old files are restored" "install_units";
    UNITS_NOT_STARTED = 46 "the files are installed, but a later step failed" "install_units";
    UNITS_FAILED = 47 "a command failed: the old files are restored" "install_units";
}

/// sh(1): a command that was found and could not be executed. Of `prepare`, whose commands it is about.
pub const COMMAND_NOT_EXECUTABLE: i32 = 126;

/// sh(1): a command that was not found. No script exits with it by itself.
pub const COMMAND_NOT_FOUND: i32 = 127;

/// What is unknown: a status that was not understood, or a script that looked and ended without its last line.
pub const NOT_WHOLE: i32 = 255;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// The scripts: file name without `.sh`, and text.
    fn scripts() -> Vec<(String, String)> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/remote");
        let mut found = Vec::new();
        for folder in std::fs::read_dir(top).into_iter().flatten().flatten() {
            for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(file.path()).unwrap_or_default();
                found.extend(name.strip_suffix(".sh").map(|name| (name.to_owned(), text)));
            }
        }
        assert!(found.len() > 40, "{}", found.len());
        found
    }

    /// What the header lists: `# exits: NUMBER MEANING · …`, gone on with in lines that are indented below it.
    fn listed(text: &str) -> BTreeMap<i32, String> {
        let mut whole = String::new();
        for line in text.lines().take_while(|line| line.starts_with('#')) {
            match line.strip_prefix("# exits: ") {
                Some(first) => whole = first.to_owned(),
                None if whole.is_empty() => {}
                None if line.starts_with("#        ") => {
                    whole = format!("{whole} · {}", line[1..].trim_start());
                }
                None => break,
            }
        }
        let entries = whole.split('·').map(str::trim).filter(|entry| !entry.is_empty());
        let entry = |entry: &str| {
            let (number, meaning) = entry.split_once(' ')?;
            Some((number.parse().ok()?, meaning.to_owned()))
        };
        entries.filter_map(entry).collect()
    }

    /// The statuses that a script's code names; 0 and 1 are every program's.
    fn written(text: &str) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let words: Vec<&str> = line.split([' ', ';', '{', '}', '\'']).collect();
            for pair in words.windows(2) {
                if ["exit", "fail", "return"].contains(&pair[0]) {
                    found.extend(pair[1].parse::<i32>().ok().filter(|n| *n > 1));
                }
            }
        }
        found
    }

    #[test]
    fn the_scripts_exit_with_what_the_table_and_their_headers_say() {
        for (name, text) in scripts() {
            let of_table: BTreeMap<i32, String> = ALL
                .iter()
                .filter(|status| status.scripts.contains(&name.as_str()))
                .map(|status| (status.number, status.meaning.to_owned()))
                .collect();
            assert_eq!(listed(&text), of_table, "{name}: the `# exits:` line");
            let mut written = written(&text);
            if ["process_release", "8-request", "hold"].contains(&name.as_str()) {
                // How one of its functions fails, not how a script ends.
                written.remove(&2);
            }
            let numbers: BTreeSet<i32> = of_table.into_keys().collect();
            assert_eq!(written, numbers, "{name}: its code");
        }
    }

    #[test]
    fn a_number_has_one_meaning_and_every_script_of_the_table_exists() {
        let numbers: BTreeSet<i32> = ALL.iter().map(|status| status.number).collect();
        let meanings: BTreeSet<&str> = ALL.iter().map(|status| status.meaning).collect();
        assert_eq!((numbers.len(), meanings.len()), (ALL.len(), ALL.len()));
        assert!(!numbers.contains(&COMMAND_NOT_FOUND));
        let names: BTreeSet<String> = scripts().into_iter().map(|(name, _)| name).collect();
        for script in ALL.iter().flat_map(|status| status.scripts) {
            assert!(names.contains(*script), "{script}");
        }
    }
}
