//! What to do when a shared path of deploy.yml cannot be linked into a release: texts and next lines. Never here: the
//! linking, which is `stage/link.sh`. A line to paste names the path as deploy.yml does, never as the host printed it.

use crate::config::Config;
use crate::failure::{Failure, Next};
use crate::remote::Answer;

/// What to do about a symlink or another file in the place of a shared path, or of a directory on the way to one.
pub(super) fn blocked_shared(config: &Config, failure: Failure, answer: &Answer) -> Failure {
    let shared = format!("{}/shared/", config.root.as_str());
    let is_symlink = |path: &str| {
        let line = format!("{shared}{path} is a symlink to ");
        answer.err.iter().any(|said| said.starts_with(line.as_bytes()))
    };
    let file = config
        .shared
        .files
        .iter()
        .map(|file| file.path.as_str())
        .find(|file| is_symlink(file));
    if let Some(file) = file {
        return failure.next(Next::advice(format!(
            "replace the symlink with the file itself: `cp --remove-destination FILE {shared}{file}`"
        )));
    }
    let above = |path: &str| {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.map(|end| path[..end].to_owned()).find(|path| is_symlink(path))
    };
    if let Some(directory) = config.shared.paths().find_map(|path| above(path.as_str())) {
        return failure.next(Next::advice(format!(
            "replace the symlink {shared}{directory} with a directory that contains the files; for files on another disk, \
             remove it from `shared`, and set the other path in the app's configuration"
        )));
    }
    failure
        .why("a file is in the way of a shared path")
        .next(Next::advice(format!(
            "move it away on the host, or correct `shared` in {}",
            crate::config::FILE_NAME
        )))
}

/// A line for each shared file of deploy.yml that the host reported missing; their directories are made by now.
pub(super) fn missing_shared(config: &Config, mut failure: Failure, answer: &Answer) -> Failure {
    let shared = format!("{}/shared/", config.root.as_str());
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./@%+=,-".contains(c);
    let files = config.shared.files.iter().map(|file| file.path.as_str());
    let reported = |file: &&str| {
        let line = format!("missing {shared}{file}");
        file.chars().all(plain) && answer.err.iter().any(|said| said == line.as_bytes())
    };
    let missing: Vec<&str> = files.filter(reported).collect();
    for file in &missing {
        let words = config.host.scp(file, &format!("{shared}{file}"));
        failure = failure.next(Next::scp(words).remark("copies the file to the host"));
    }
    let optional = missing.first().copied().unwrap_or("env");
    failure.next(
        Next::advice(format!("write `{optional}?` under shared in deploy.yml")).remark("if the app can do without it"),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[test]
    fn a_symlink_in_the_place_of_a_shared_path_has_another_way_out_than_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let text = "app: a\nhost: h\nsource: s\nservices: []\nshared: {dirs: [data/up], files: [env, etc/key]}\n";
        std::fs::write(&file, text).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        for (printed, part) in [
            (
                "data is a symlink to /srv/x, which",
                "the symlink /opt/a/shared/data with",
            ),
            (
                "data/up is a symlink to /srv/x, which",
                "the symlink /opt/a/shared/data/up with",
            ),
            (
                "etc is a symlink to /srv/x, which",
                "the symlink /opt/a/shared/etc with",
            ),
            (
                "env is a symlink to /srv/x, which",
                "cp --remove-destination FILE /opt/a/shared/env",
            ),
            ("data is not a directory", "move it away on the host"),
            ("other is a symlink to /srv/x, which", "move it away on the host"),
        ] {
            let answer = Answer {
                err: vec![format!("/opt/a/shared/{printed}").into_bytes()],
                ..Answer::default()
            };
            let failure = blocked_shared(&config, Failure::new(Exit::Untouched, "link failed"), &answer);
            let next = format!("{:?}", failure.next);
            assert!(next.contains(part), "{printed}: {next}");
        }
    }

    /// A host can print any name. The line to type has only names of deploy.yml that need no quotes, as words of one scp.
    #[test]
    fn a_name_that_only_the_host_printed_is_in_no_line_to_type() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let text = "app: a\nhost: h\nsource: s\nservices: []\nshared: {files: [etc/env, 'two words']}\n";
        std::fs::write(&file, text).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let lines = |printed: &[&str]| {
            let err = printed
                .iter()
                .map(|name| format!("missing /opt/a/shared/{name}").into_bytes());
            let answer = Answer {
                err: err.collect(),
                ..Answer::default()
            };
            let failure = missing_shared(&config, Failure::new(Exit::Untouched, "link failed"), &answer);
            failure.next_lines(&crate::failure::Typed::default())
        };
        let hostile = [
            "-oProxyCommand=id",
            "$(id)",
            "`id`",
            "etc/env;id",
            "etc/env $(id)",
            "etc/env\n",
            "../../etc/shadow",
            "two words",
            "x\u{1b}[2J",
        ];
        let known = lines(&["etc/env"]);
        assert!(known[0].starts_with("scp etc/env h:/opt/a/shared/etc/env"), "{known:?}");
        assert_eq!(known.len(), 2, "{known:?}");
        let more = lines(&[&hostile[..], &["etc/env"]].concat());
        assert_eq!(more, known);
        let advice = "write `env?` under shared in deploy.yml    # if the app can do without it";
        assert_eq!(lines(&hostile), [advice]);
    }
}
