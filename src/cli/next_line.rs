//! The command line that was typed, for the next line: the options that led to this host and this environment, and
//! every word. What is printed of it is `next::Typed`'s.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::args::Global;
use crate::failure::Typed;

pub(super) fn typed(global: &Global) -> Typed {
    let file = |path: &'_ Option<std::path::PathBuf>| path.as_ref().map(|path| path.as_os_str().to_owned());
    let mut reach = vec![
        ("-c", file(&global.config)),
        ("-e", global.environment.clone().map(Into::into)),
        ("-i", file(&global.identity)),
        ("--known-hosts", file(&global.known_hosts)),
        ("-F", file(&global.ssh_config)),
    ];
    reach.retain(|(_, value)| value.is_some());
    let mut reach: Vec<(&str, Option<&OsStr>)> = reach.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    if global.system_ssh {
        reach.push(("--system-ssh", None));
    }
    let ssh = [
        ("-F", file(&global.ssh_config)),
        ("-o", global.known_hosts.as_deref().map(known_hosts)),
        ("-i", file(&global.identity)),
    ];
    let ssh: Vec<(&str, &OsStr)> = ssh
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    Typed::new(&reach, &ssh, global.words.iter().map(AsRef::as_ref))
}

/// The option of ssh for such a file. ssh(1) takes several there, so a name with spaces is quoted.
fn known_hosts(file: &Path) -> OsString {
    let file = file.display().to_string();
    if file.contains(' ') {
        format!("UserKnownHostsFile=\"{file}\"").into()
    } else {
        format!("UserKnownHostsFile={file}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Args;
    use crate::failure::Next;
    use crate::failure::{Exit, Failure};
    use clap::Parser;

    fn typed(words: &[&str]) -> Typed {
        let mut args = Args::try_parse_from(words).expect("a command line");
        args.global.words = words[1..].iter().map(Into::into).collect();
        super::typed(&args.global)
    }

    #[test]
    fn the_next_line_leads_where_this_one_led() {
        let typed = typed(&["shipit", "deploy", "-e", "staging", "-i", "my key"]);
        for (line, said) in [
            (
                Next::shipit("rollback").remark("rolls back to the previous release"),
                "shipit rollback -e staging -i 'my key'    # rolls back to the previous release",
            ),
            (
                Next::ssh("a@b rm /opt/x/current").then(";", Next::shipit("deploy")),
                "ssh -i 'my key' a@b rm /opt/x/current; shipit deploy -e staging -i 'my key'",
            ),
            (Next::ssh_copy_id("-i key.pub a@b"), "ssh-copy-id -i key.pub a@b"),
            (
                Next::shell("git checkout 1f -- u").then("&&", Next::shipit("unit install")),
                "git checkout 1f -- u && shipit unit install -e staging -i 'my key'",
            ),
            (
                Next::offline("unit explain drift-load"),
                "shipit unit explain drift-load",
            ),
            (
                Next::shipit("run --as-deploy -- COMMAND"),
                "shipit run --as-deploy -e staging -i 'my key' -- COMMAND",
            ),
            (Next::advice("ask whoever revoked it"), "ask whoever revoked it"),
        ] {
            assert_eq!(typed.line(&line), said);
        }
    }

    #[test]
    fn the_same_command_is_said_again_with_what_it_lacked() {
        let setup = typed(&["shipit", "setup", "--as", "root@h"]);
        assert_eq!(
            setup.lines(&[
                Next::again("--print").remark("shows what root would do"),
                Next::again("--yes").remark("confirms it"),
                Next::shipit("status"),
            ]),
            [
                "shipit setup --as root@h --print    # shows what root would do",
                "shipit setup --as root@h --yes      # confirms it",
                "shipit status",
            ]
        );
        let run = typed(&["shipit", "run", "--", "echo", "it's"]);
        assert_eq!(
            run.line(&Next::again("--accept-new")),
            r"shipit run --accept-new -- echo 'it'\''s'"
        );
        for before in [
            ["plan", "-c", "dir"],
            ["plan", "--config", "dir"],
            ["-cdir", "plan", "-v"],
            ["--config=dir", "plan", "-v"],
        ] {
            let words: Vec<&str> = ["shipit"].into_iter().chain(before).collect();
            let line = typed(&words).line(&Next::again("-c").arg("dir/deploy.yml"));
            assert!(
                line.ends_with("-c dir/deploy.yml") && line.matches("dir").count() == 1,
                "{line}"
            );
        }
    }

    #[test]
    fn the_ssh_program_gets_the_options_that_led_to_the_host() {
        let typed = typed(&[
            "shipit",
            "plan",
            "-F",
            "my config",
            "-i",
            "key",
            "--known-hosts",
            "my hosts",
        ]);
        let options = "-F 'my config' -o 'UserKnownHostsFile=\"my hosts\"'";
        for (line, said) in [
            (
                Next::ssh("-p 2222 a@b true"),
                format!("ssh {options} -i key -p 2222 a@b true"),
            ),
            (
                Next::ssh_to_jump("ssh://a@b:2 true"),
                "ssh -F 'my config' ssh://a@b:2 true".to_owned(),
            ),
            (Next::scp("f a@b:/f"), format!("scp {options} -i key f a@b:/f")),
            (
                Next::ssh_copy_id("-i key.pub a@b"),
                format!("ssh-copy-id {options} -i key.pub a@b"),
            ),
        ] {
            assert_eq!(typed.line(&line), said);
        }
    }

    #[test]
    fn a_failure_that_names_no_line_to_type_gets_the_same_command_again() {
        let typed = typed(&["shipit", "deploy", "-e", "staging"]);
        let wrong = Failure::new(Exit::Usage, "`port` is a number");
        assert!(wrong.next_lines(&typed).is_empty());
        let bare = Failure::new(Exit::Untouched, "`build` failed");
        assert_eq!(bare.next_lines(&typed), ["shipit deploy -e staging    # again"]);
        let told = bare.next(Next::shipit("logs"));
        assert_eq!(told.next_lines(&typed), ["shipit logs -e staging"]);
    }
}
