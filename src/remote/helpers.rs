//! The root-owned programs that `setup` installs, whole. Who may run them is in the sudo rule; never the scripts of a session.

/// What `setup` installs as `/usr/local/lib/shipit/APP/env`.
pub const ENV_HELPER: &str = concat!(
    include_str!("root/env_helper.sh"),
    include_str!("root/env_helper_readers.sh"),
    include_str!("root/env_helper_change.sh")
);

/// What `setup` installs as `/usr/local/lib/shipit/APP/journal`.
pub const JOURNAL_HELPER: &str = concat!(
    include_str!("root/journal_helper.sh"),
    include_str!("lib/in_use.sh"),
    include_str!("root/journal_helper_use.sh")
);

/// What `setup` installs as `/usr/local/lib/shipit/APP/run`.
pub const RUN_HELPER: &str = concat!(
    include_str!("root/run_helper.sh"),
    include_str!("root/run_helper_unit.sh"),
    include_str!("root/run_helper_start.sh")
);

/// What `setup` installs as `/usr/local/lib/shipit/APP/notify`, with `notify` in deploy.yml.
pub const NOTIFY_HELPER: &str = include_str!("root/notify_helper.sh");
