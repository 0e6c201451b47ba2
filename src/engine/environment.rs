//! The app's environment file on the host, read and changed through the helper that runs as root. Values travel on the
//! session's stdin and never come back.

use super::{metadata, session};
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::plan::needs;
use crate::remote::{Answer, ENV_HELPER, Script, exits};

/// The file on the host.
pub fn file(config: &Config) -> String {
    format!("/etc/{}/env", config.app.as_str())
}

#[derive(Debug, Default)]
pub struct Answered {
    pub version: String,
    pub names: Vec<String>,
    /// `added`, `changed` or `removed`, and the name.
    pub changes: Vec<(String, String)>,
    /// The units that read the file.
    pub readers: Vec<String>,
}

/// The line was lost. Who only asked for the names knows that nothing changed.
fn lost_while(verb: &str, lost: &Lost) -> Failure {
    if verb == "list" {
        return session::lost_while(lost, "reading the environment", "nothing changed");
    }
    let state = "the change was made completely or not at all";
    let mut failure = session::lost_while(lost, "changing the environment", state);
    failure.exit = Exit::Unknown;
    failure.next(Next::shipit("env list"))
}

/// The environment of one app on one host.
pub struct Environment<'a> {
    pub host: &'a mut dyn Host,
    pub config: &'a Config,
    pub observed: &'a Observed,
}

impl Environment<'_> {
    /// `list`, `set`, `unset` or `push`; refused when the file is no longer of this `version`.
    /// Fails when the connection is lost, or the helper is missing or refuses.
    pub fn ask(&mut self, verb: &str, version: &str, content: &[u8]) -> Result<Answered, Failure> {
        let by: String = metadata::who().split_whitespace().collect();
        let mut sent = format!("1 {verb} {by} {version} {}\n", content.len()).into_bytes();
        sent.extend(content);
        let encoded = crate::step::encoded(by.as_bytes());
        let (access, root) = (needs::access(self.observed), self.config.root.as_str());
        let mut args = vec![access, root, verb, &encoded, self.config.app.as_str(), ENV_HELPER];
        args.extend(self.config.instances().map(|one| one.unit));
        let answer = session::fed(self.host, &Script::env(args), &sent).map_err(|lost| lost_while(verb, &lost))?;
        if answer.code != 0 {
            return Err(self.refused(verb, &answer));
        }
        let mut said = Answered::default();
        let read = format!("{} (", file(self.config));
        for line in String::from_utf8_lossy(&answer.out).lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "version" => said.version = rest.into(),
                "name" => said.names.push(rest.into()),
                "added" | "changed" | "removed" => said.changes.push((word.into(), rest.into())),
                "reads" => {
                    if let Some((unit, path)) = rest.split_once(' ')
                        && path.starts_with(&read)
                    {
                        said.readers.push(unit.into());
                    }
                }
                _ => {}
            }
        }
        Ok(said)
    }

    fn refused(&self, verb: &str, answer: &Answer) -> Failure {
        let file = file(self.config);
        let what = match verb {
            "list" => format!("{file} could not be read"),
            _ => format!("{file} was not changed"),
        };
        let setup = self
            .config
            .host
            .as_root("setup")
            .remark("run it again to install the helper");
        let failure = match answer.code {
            exits::NO_HELPER => Failure::new(Exit::Untouched, "the host has no helper for `shipit env` yet")
                .why(format!(
                    "{file} is root-owned; setup installs the helper that lets {} change it",
                    self.observed.user
                ))
                .next(setup),
            exits::ENV_CHANGED => Failure::new(Exit::Untouched, what).next(Next::shipit("env list")),
            exits::NOT_UNDERSTOOD => {
                Failure::new(Exit::Untouched, "the helper on the host has a different version").next(setup)
            }
            _ => Failure::new(Exit::Untouched, what),
        };
        let failure = failure.host("nothing changed").whys(answer.errors());
        if failure.why.is_empty() {
            return failure.why(format!("the helper exited with status {}", answer.code));
        }
        failure
    }
}
