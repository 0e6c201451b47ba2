//! The command line that was typed, for the next line: the options that led to this host and this environment, and
//! every word. What is printed of it is `next::Typed`'s.

use std::ffi::OsStr;

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
    Typed::new(&reach, global.words.iter().map(AsRef::as_ref))
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
                Next::shipit("rollback").remark("goes back"),
                "shipit rollback -e staging -i 'my key'    # goes back",
            ),
            (
                Next::shell("ssh a@b rm /opt/x/current").then(";", Next::shipit("deploy")),
                "ssh a@b rm /opt/x/current; shipit deploy -e staging -i 'my key'",
            ),
            (
                Next::shell("git checkout 1f -- u").then("&&", Next::shipit("unit install")),
                "git checkout 1f -- u && shipit unit install -e staging -i 'my key'",
            ),
            (
                Next::offline("unit explain drift-load"),
                "shipit unit explain drift-load",
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
                Next::again("--print").remark("show it"),
                Next::again("--yes").remark("confirm it"),
                Next::shipit("status"),
            ]),
            [
                "shipit setup --as root@h --print    # show it",
                "shipit setup --as root@h --yes      # confirm it",
                "shipit status",
            ]
        );
        let run = typed(&["shipit", "run", "--", "echo", "it's"]);
        assert_eq!(
            run.line(&Next::again("--accept-new")),
            r"shipit run --accept-new -- echo 'it'\''s'"
        );
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
