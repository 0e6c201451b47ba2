//! What belongs here: files that a person (or an enemy) could write as `deploy.yml`, and what shipit says to
//! them. Each test loads a real file and looks at the words.

mod answers; // every problem, its place, the nearest key, an example
mod environments; // what -e chooses
mod files; // what is not a plain file
mod health;
mod instances; // which instances a service gets, and what each is asked // whom a health check may ask
mod mutations; // broken and huge files by the thousand
mod routers; // what is in front of instances
mod schema; // what editors are told, against the parser
mod values; // values that are dangerous or mean nothing
mod yaml; // what YAML allows and shipit does not take

use std::fs;
use std::sync::mpsc;

use shipit::config::{self, Config};
use shipit::failure::{Exit, Failure};

use crate::bounds::PATIENCE;

const SMALL: &str = "app: acme\nhost: deploy@app.example.com\nsource: build\nservices:\n  - unit: acme.service\n    strategy: restart\n";

fn load_in(environment: Option<&str>, bytes: &[u8]) -> Result<Config, Failure> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("deploy.yml");
    fs::write(&file, bytes).expect("the file is written");
    let parsed = config::load(&file, environment);
    schema::agrees(bytes, parsed.as_ref());
    parsed.map_err(|mut failure| {
        assert_eq!(failure.exit, Exit::Usage);
        let shown = format!("{}/", dir.path().display());
        failure.what = failure.what.replace(&shown, "");
        failure.why = failure.why.iter().map(|why| why.replace(&shown, "")).collect();
        failure
    })
}

fn load(text: &str) -> Result<Config, Failure> {
    load_in(None, text.as_bytes())
}

/// The small config with one key more, or with another value for one it has.
fn with(key: &str, value: &str) -> String {
    let rest: Vec<&str> = match key {
        "services" => SMALL.lines().take(3).collect(),
        _ => SMALL
            .lines()
            .filter(|line| !line.starts_with(&format!("{key}:")))
            .collect(),
    };
    format!("{}\n{key}: {value}\n", rest.join("\n"))
}

fn taken(text: &str) -> Config {
    load(text).unwrap_or_else(|failure| panic!("refused:\n{text:.400}\n{failure}"))
}

/// The problems of a file, without the file's name.
#[track_caller]
fn problems(text: &str) -> Vec<String> {
    match load(text) {
        Ok(_) => panic!("taken:\n{text:.400}"),
        Err(failure) => failure.why.iter().map(|why| why.replace("deploy.yml:", "")).collect(),
    }
}

#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    assert_eq!(problems(text), expected, "of:\n{text}");
}

/// Refused, with these words somewhere.
#[track_caller]
fn refused_with(text: &str, words: &str) {
    let all = problems(text).join("\n");
    assert!(all.contains(words), "expected {words:?} in:\n{all}\nof:\n{text:.400}");
}

/// Runs something that must not hang.
fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(PATIENCE).expect("it ends in time")
}
