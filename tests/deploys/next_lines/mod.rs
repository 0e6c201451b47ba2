//! Every next line that shipit can print, typed as it stands in the state that prints it: it must lead out of that
//! state. A line that leads back to itself is a circle. The rows are in the tables beside this file; `sites` finds every
//! place in `src` that makes a line, and each has a row or a reason.

mod broken; // what doctor finds, and how it is repaired
mod first; // from a fresh host to a live app
mod live; // an app that runs, and what goes wrong around it
mod looking; // lines that need no host, or that only show something
mod sites; // where the lines are made
mod units;
mod unlisted; // the places without a row, each with its reason // units on their way to the host, and services that do not run

use std::process::{Command, Stdio};

use super::desk::{Desk, Ran, acme};
use super::terminal::typed;
use crate::apps::{ACME, Kind, Service};
use crate::bounds::Ends as _;
use crate::lab::{self, Host, Suite};

/// What the line must do.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// It leads out: the command that printed it prints it no more.
    Gone,
    /// It ends like this, in another state.
    Ends(&'static str),
    /// It changes nothing and shows this.
    Shows(&'static str),
}
use Then::{Ends, Gone, Shows};

/// One state, the commands that print the line there, and what it must do.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// How the state is made: a shell line on the host, as root, and then one on the desk.
    host: &'static str,
    desk: &'static str,
    /// Each place that makes the line, and the arguments of shipit that print it. All print the same line.
    prints: &'static [(&'static str, &'static str)],
    then: Then,
    /// A shell line on the host and one on the desk, for what the line is not meant to put right.
    after: (&'static str, &'static str),
}

const ROW: Row = Row {
    host: "",
    desk: "",
    prints: &[],
    then: Gone,
    after: ("", ""),
};

/// A desk with the means of a person: a shell, and perhaps root on the host.
struct Person<'a> {
    desk: &'a Desk,
    host: Option<&'a Host>,
}

impl Person<'_> {
    /// A shell line, typed at the desk. `$S` is shipit with the options that lead to the host.
    fn shell(&self, line: &str) -> Command {
        let shipit = self.desk.command(&[]);
        let words = shipit.get_args().map(|word| word.to_str().unwrap());
        let words: Vec<&str> = ["shipit"].into_iter().chain(words).collect();
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.desk.path(""));
        shell.env_clear().stdin(Stdio::null());
        for (name, value) in shipit.get_envs() {
            shell.env(name, value.unwrap());
        }
        let program = std::path::Path::new(shipit.get_program()).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        shell.env("PATH", path).env("S", words.join(" "));
        if let Some(host) = self.host {
            shell.env("ROOT", format!("root@{}", host.address()));
        }
        shell
    }

    fn run(&self, line: &str) -> Ran {
        Ran::new(line, &self.shell(line).ends())
    }

    /// Makes a state.
    fn make(&self, host: &str, desk: &str) -> Result<(), String> {
        if let Some(on) = self.host.filter(|_| !host.is_empty()) {
            let made = on.root(&format!("set -e; {host}"));
            if !made.success() {
                return Err(made.to_string());
            }
        }
        let made = self.run(&format!("set -e; {desk}"));
        match made.code() {
            Some(0) => Ok(()),
            _ => Err(made.to_string()),
        }
    }

    /// Types a line: on the host, as root, where its words are for there.
    fn types(&self, site: &str, line: &str) -> Ran {
        if sites::kind(site) == "shell" && !sites::HERE.contains(&site) {
            let output = self.host.unwrap().root(line);
            return Ran::said(line, output.code, output.stdout.clone(), output.stderr.clone());
        }
        // What root does is asked for at a terminal.
        if line.contains(" --as ") && !line.contains("--yes") {
            let (shown, code) = typed(&self.shell(line), &[("Do this as root on ", "y\n")]);
            return Ran::said(line, code, shown, String::new());
        }
        self.run(line)
    }

    /// One row; what is wrong with it.
    fn go(&self, row: &Row) -> Result<(), String> {
        self.make(row.host, row.desk)?;
        let done = self.follow(row);
        self.make(row.after.0, row.after.1)?;
        done
    }

    fn follow(&self, row: &Row) -> Result<(), String> {
        let mut line = String::new();
        for (site, args) in row.prints {
            let said = self.run(&format!("$S {args}"));
            let found = sites::lines(&said).into_iter().find(|one| sites::fits(site, one));
            let command = command(&found.ok_or_else(|| format!("{site}: no such line: {said}"))?);
            if !line.is_empty() && line != command {
                return Err(format!("{site}: {line} and then {command}"));
            }
            line = command;
        }
        let site = row.prints[0].0;
        let typed = self.types(site, &line);
        let is_there = |said: &Ran, words: &str| said.stdout.contains(words) || said.stderr.contains(words);
        match row.then {
            Ends(words) | Shows(words) if is_there(&typed, words) => Ok(()),
            Ends(words) | Shows(words) => Err(format!("{site}: not {words:?}: {typed}")),
            Gone => {
                let last = row.prints.last().map_or("", |(_, args)| args);
                let again = self.run(&format!("$S {last}"));
                if sites::lines(&again).iter().any(|one| command(one) == line) {
                    return Err(format!("{site}: a circle: {typed}\n{again}"));
                }
                Ok(())
            }
        }
    }

    fn all(&self, rows: &[Row]) {
        let wrong: Vec<String> = rows.iter().filter_map(|row| self.go(row).err()).collect();
        assert!(
            wrong.is_empty(),
            "{} of {} rows:\n{}",
            wrong.len(),
            rows.len(),
            wrong.join("\n\n")
        );
    }
}

/// A printed line without its remark.
fn command(line: &str) -> String {
    line.split("    # ").next().unwrap_or_default().trim_end().to_owned()
}

/// A desk with a tree to ship, acme's units in the repository (`units.socket` and `units.restart` wait beside it), and
/// a deploy.yml that a row changes by sed.
fn desk(host: &Host) -> Desk {
    let desk = Desk::at(host, "ann");
    for (name, service) in [("socket", Service::Socket), ("restart", Service::Notify)] {
        for (unit, text) in ACME.units(service) {
            desk.file(&format!("units.{name}/{unit}"), &text);
        }
    }
    desk.write(&acme("socket").with("migrate: acme-migrate.service"));
    desk.tree(Kind::Graceful, "v1");
    desk
}

#[test]
fn every_line_on_the_way_to_the_first_release_leads_on() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host);
    let person = Person {
        desk: &desk,
        host: Some(&host),
    };
    person.all(first::ROWS);
}

/// With everything in the repository, and v1 live.
fn live(host: &Host, rows: &[Row]) {
    let desk = desk(host);
    let person = Person {
        desk: &desk,
        host: Some(host),
    };
    person
        .make("", "mkdir -p deploy && cp -r units.socket deploy/units")
        .unwrap();
    ACME.install_units(host, Service::Socket);
    desk.setup();
    desk.json(&["deploy"]).leaves(0);
    person.all(rows);
}

#[test]
fn every_line_around_an_app_that_runs_leads_on() {
    let host = lab::host!(Suite::Trixie);
    live(&host, live::ROWS);
}

#[test]
fn every_line_about_units_leads_on() {
    let host = lab::host!(Suite::Trixie);
    live(&host, units::ROWS);
}

#[test]
fn every_line_of_doctor_about_something_broken_leads_on() {
    let host = lab::host!(Suite::Bookworm);
    live(&host, broken::ROWS);
}

#[test]
fn every_line_that_shows_something_shows_it() {
    let host = lab::host!(Suite::Bookworm);
    live(&host, looking::ROWS);
}

#[test]
fn every_line_that_the_program_can_print_has_a_row_or_a_reason() {
    let rows = [first::ROWS, live::ROWS, units::ROWS, broken::ROWS, looking::ROWS];
    let rows = rows
        .into_iter()
        .flatten()
        .flat_map(|row| row.prints)
        .map(|(site, _)| *site);
    let known: Vec<&str> = rows.chain(unlisted::SITES.iter().map(|(site, _)| *site)).collect();
    let made = sites::all();
    assert!(made.len() > 150, "{made:#?}");
    // A sentence is for a person, and no command in disguise.
    let orders = [
        "sudo ",
        "as root",
        "shipit ",
        "systemctl ",
        "ssh ",
        "on the host:",
        "run the same command",
    ];
    for site in made.iter().filter(|site| sites::kind(site) == "advice") {
        let words = site.splitn(3, ' ').nth(2).unwrap_or_default();
        let order = orders.iter().any(|order| words.starts_with(order)) || words.contains(" shipit ");
        assert!(!order, "a command, and no line of its own: {site}");
    }
    let made: Vec<String> = made.into_iter().filter(|site| sites::kind(site) != "advice").collect();
    let missing: Vec<&String> = made.iter().filter(|site| !known.contains(&site.as_str())).collect();
    assert!(missing.is_empty(), "neither a row nor a reason: {missing:#?}");
    let stale: Vec<&&str> = known
        .iter()
        .filter(|site| made.iter().all(|made| made != **site))
        .collect();
    assert!(stale.is_empty(), "no such place in src: {stale:#?}");
}
