//! The units for which `setup` grants nothing: whoever may start them at will, and can change a path that systemd opens
//! as root for them, becomes root. Judged by the rule `root-path`, in the repository's files and in the host's. The same
//! for a unit that starts such a unit: a failed socket is bound again by each restart of its service. Also the
//! units that are not the app's own: another app's are refused, and root is told of a package's before the question.

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::observed::{self, Live};
use crate::plan::units::{Purpose, units};
use crate::text::shown;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::quoting;
use crate::unit::rules::{self, Facts, Finding, Severity};
use crate::unit::specifier::{self, Place};

/// A unit without sudo lines, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    pub unit: String,
    pub why: String,
}

/// Every unit of deploy.yml that must not get sudo lines, each once. `live`: what the host reported, where it was asked.
pub fn withheld(config: &Config, repository: &[Unit], live: Option<&Live>) -> Vec<Withheld> {
    let of_repository = repository.iter().map(|unit| {
        let mut context = observed::context(unit, repository, Some(config));
        // Only the rule `root-path` may judge by these: of other facts, there are none.
        context.host = live.map(|live| Facts::of_files(observed::files(unit, &live.answers)));
        (unit, rules::lint(unit, &context))
    });
    let mut judged: Vec<(&Unit, Vec<Finding>)> = of_repository.collect();
    let of_host = live.into_iter().flat_map(|live| live.judge(config));
    judged.extend(of_host.map(|(unit, _, findings)| (unit, findings)));
    let own = |name: &str| {
        let mut of_host = live.into_iter().flat_map(|live| &live.units);
        let unread = of_host.find_map(|(unit, facts)| is(unit, name).then(|| unread(unit, facts))?);
        if unread.is_some() {
            return unread;
        }
        let error = judged
            .iter()
            .filter(|(unit, _)| is(unit, name))
            .flat_map(|(_, findings)| findings)
            .find(|finding| finding.rule == rules::ROOT_PATH && finding.severity == Severity::Error)?;
        let (file, message) = (shown(error.file.as_bytes()), shown(error.message.as_bytes()));
        Some(format!("{file}:{}: {message}", error.line))
    };
    let reason = |name: &str| {
        own(name).or_else(|| {
            let started = started(name, &judged);
            let (with, why) = started.iter().find_map(|with| Some((with, own(with)?)))?;
            Some(format!("systemd starts {} with it; {why}", shown(with.as_bytes())))
        })
    };
    let mut names = units(config, Purpose::Grant);
    names.dedup();
    let found = names.into_iter().filter_map(|unit| {
        let why = reason(unit)?;
        let unit = unit.to_owned();
        Some(Withheld { unit, why })
    });
    found.collect()
}

/// Which of the files that systemd has loaded a unit from could not be read: its settings are not known then.
fn unread(unit: &Unit, facts: &Facts) -> Option<String> {
    let properties = &facts.properties;
    if !properties.is_loaded() {
        return None;
    }
    if unit.files.is_empty() {
        return Some("its file on the host cannot be read".to_owned());
    }
    let read = |path: &str| unit.files.iter().any(|file| file.path == path);
    let unread = match quoting::split(properties.text("DropInPaths")) {
        Ok(words) => words.into_iter().map(|word| word.text).find(|path| !read(path))?,
        Err(_) => properties.text("DropInPaths").to_owned(),
    };
    Some(format!("its drop-in {} cannot be read", shown(unread.as_bytes())))
}

/// Whether a file is that of the unit with this name, as it is or as an instance.
fn is(unit: &Unit, name: &str) -> bool {
    unit.name.as_str() == name || UnitName::new(name).and_then(|name| name.template()).as_ref() == Some(&unit.name)
}

/// The units that systemd starts with this one, as far as these files say, also by way of others.
fn started(name: &str, files: &[(&Unit, Vec<Finding>)]) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    let mut at = 0;
    while let Some(name) = all.get(at).cloned() {
        at += 1;
        let expanded = |text: &str| {
            let unit = UnitName::new(&name)?;
            specifier::expand(text, &unit, &Place::system()).ok()
        };
        for (unit, _) in files {
            let mut more: Vec<String> = Vec::new();
            if is(unit, &name) {
                let words = unit
                    .words(
                        "Unit",
                        ["Requires", "Wants", "BindsTo", "Upholds", "OnFailure", "OnSuccess"],
                    )
                    .into_iter();
                let words = words.chain(unit.words("Service", "Sockets"));
                more.extend(words.filter_map(|(word, _)| expanded(&word)));
                // A connection starts it.
                let service = (unit.name.kind() == "socket")
                    .then(|| rules::service_of(unit))
                    .flatten();
                more.extend(service.map(|service| service.to_string()));
            }
            // A restart of what it is a part of restarts it too.
            let mut pulls = unit.words("Install", ["WantedBy", "RequiredBy", "UpheldBy"]);
            pulls.extend(unit.words("Unit", "PartOf"));
            if pulls.iter().any(|(word, _)| *word == name) {
                more.push(unit.name.to_string());
            }
            for one in more {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
    }
    all.remove(0);
    all
}

/// Fails for a unit that the sudo rule of another app names. Two apps may share what a package brings: php-fpm, or a web
/// server.
pub fn unclaimed(config: &Config, live: &Live) -> Result<(), Failure> {
    let named = units(config, Purpose::Grant).into_iter();
    let own = named.filter(|unit| package_file(live, unit).is_none());
    let claimed = own.filter_map(|unit| {
        let apps = live.answers.claimed.get(unit)?;
        // Set up like that before.
        if apps.iter().any(|app| app == config.app.as_str()) {
            return None;
        }
        let other = shown(apps.first()?.as_bytes());
        Some(format!(
            "{unit} is a unit of the app {other}: /etc/sudoers.d/shipit-{other} names it"
        ))
    });
    let why: Vec<String> = claimed.collect();
    if why.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(
        Exit::Untouched,
        format!("{} cannot have units of another app", config.app.as_str()),
    );
    failure.why = why;
    let again = config.host.as_root("setup");
    Err(failure
        .host("nothing changed")
        .next(again.remark("after you name units of this app in deploy.yml, or remove the other app's rule")))
}

/// The units of deploy.yml that a package brings, and not the app, each with its file.
pub fn of_packages<'a>(config: &'a Config, live: &Live) -> Vec<(&'a str, String)> {
    let mut names = units(config, Purpose::Observe);
    names.dedup();
    let found = names.into_iter();
    found
        .filter_map(|unit| Some((unit, package_file(live, unit)?)))
        .collect()
}

/// The unit's file, if it lies where packages install (file-hierarchy(7)) and administrators do not.
fn package_file(live: &Live, unit: &str) -> Option<String> {
    let file = live.unit(unit)?.0.files.first()?;
    let of_package = ["/usr/lib/", "/lib/"].iter().any(|place| file.path.starts_with(place));
    of_package.then(|| shown(file.path.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::observed::{Answers, HostUnits};

    #[test]
    fn whatever_systemd_starts_with_a_unit_counts_also_by_way_of_others() {
        let unit = |name: &str, text: &str| Unit::parse(name, text.as_bytes()).unwrap();
        let units = [
            unit(
                "acme.service",
                "[Unit]\nOnFailure=acme-alert.service\nWants=acme-log@%N.service\n",
            ),
            unit(
                "acme.socket",
                "[Unit]\nPartOf=acme.service\n[Socket]\nListenStream=80\n",
            ),
            unit("acme-alert.service", "[Unit]\nRequires=acme-mail.service\n"),
            unit("acme-metrics.service", "[Install]\nWantedBy=acme.service\n"),
            unit("other.service", "[Unit]\nAfter=acme.service\n"),
        ];
        let files: Vec<(&Unit, Vec<Finding>)> = units.iter().map(|unit| (unit, Vec::new())).collect();
        let mut found = started("acme.service", &files);
        found.sort();
        let all = [
            "acme-alert.service",
            "acme-log@acme.service",
            "acme-mail.service",
            "acme-metrics.service",
            "acme.socket",
        ];
        assert_eq!(found, all);
    }

    fn config(dir: &tempfile::TempDir) -> Config {
        let file = dir.path().join("deploy.yml");
        let yml = "app: acme\nhost: deploy@h\nsource: .\nservices:\n  - unit: acme.service\n    strategy: restart\n    \
                   health: {url: 'http://127.0.0.1:8080/'}\n";
        std::fs::write(&file, yml).unwrap();
        crate::config::load(&file, None).unwrap()
    }

    fn packed(text: &str) -> String {
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text)
    }

    /// What is withheld on a host that printed this of the app's units.
    fn of_host(printed: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let host_units = HostUnits::parse(printed.as_bytes());
        let live = Live::new(host_units, Answers::default(), "/opt/acme", &[]);
        let all = withheld(&config(&dir), &[], Some(&live)).into_iter();
        all.map(|one| one.why).collect()
    }

    #[test]
    fn a_unit_with_a_drop_in_that_could_not_be_read_gets_no_sudo_line() {
        let (drop_in, spaced) = (
            "/etc/systemd/system/acme.service.d/a.conf",
            "/run/acme.service.d/b c.conf",
        );
        let service = packed("[Unit]\nRequires=acme.socket\n[Service]\nUser=app\nExecStart=/bin/true\n");
        let unit = |read: &str| {
            format!(
                "unit acme.service\nshow LoadState=loaded\nshow DropInPaths={drop_in} \"{spaced}\"\n\
                 file {service} /etc/systemd/system/acme.service\n{read}"
            )
        };
        let of = |text: &str| packed(text);
        let both = format!("file {0} {drop_in}\nfile {0} {spaced}\n", of("[Service]\nNice=1\n"));
        assert_eq!(of_host(&unit(&both)), [""; 0]);
        let first = format!(
            "file {0} {drop_in}\nunreadable file {spaced}\n",
            of("[Service]\nNice=1\n")
        );
        assert_eq!(of_host(&unit(&first)), [format!("its drop-in {spaced} cannot be read")]);
        // What systemd starts with it.
        let socket = format!(
            "{}unit acme.socket\nshow LoadState=loaded\nshow DropInPaths=/run/s.conf\nfile {} /run/acme.socket\n\
             unreadable file /run/s.conf\n",
            unit(&both),
            of("[Socket]\nListenStream=8080\n")
        );
        let why = "systemd starts acme.socket with it; its drop-in /run/s.conf cannot be read";
        assert_eq!(of_host(&socket), [why]);
    }

    #[test]
    fn a_unit_of_the_repository_is_judged_by_what_the_host_reports_of_its_paths() {
        let dir = tempfile::tempdir().unwrap();
        let text = "[Service]\nUser=app\nEnvironmentFile=/etc/acme/conf.d/app.env\nExecStart=/bin/true\n";
        let repository = [Unit::parse("acme.service", text.as_bytes()).unwrap()];
        let asked = observed::root_paths(&repository);
        let why = |way: &str| {
            let said = asked
                .iter()
                .enumerate()
                .map(|(number, question)| match question.args() {
                    ["way", _] => format!("{number} {way}\n"),
                    _ => format!("{number} absent\n"),
                });
            let answers = Answers::parse(&asked, said.collect::<String>().as_bytes());
            let live = Live::new(HostUnits::default(), answers, "/opt/acme", &[]);
            let all = withheld(&config(&dir), &repository, Some(&live)).into_iter();
            all.map(|one| one.why).collect::<String>()
        };
        assert!(
            why("open deploy 755 /etc/acme/conf.d")
                .ends_with("deploy owns /etc/acme/conf.d; a symlink there can point root at any file")
        );
        assert_eq!(why("closed"), "");
        assert!(withheld(&config(&dir), &repository, None).is_empty());
    }
}
