//! `shipit unit diff`: compares the host's units with the repository's. Changes nothing, never needs root.

use serde::Serialize;

use super::repository;
use crate::cli;
use crate::cli::args::Global;
use crate::cli::paper::Paper;
use crate::config::Config;
use crate::engine;
use crate::failure::{Exit, Failure, Typed};
use crate::plan::unit_files::{self, Difference, PLACE, Standing};
use crate::text::{in_json, shown};

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = cli::configuration(global)?;
    let repository = repository::of(&config)?;
    unit_files::all_own(&config, &repository)?;
    let mut host = cli::connect(global, &config)?;
    let installed = engine::units::observe(host.as_mut(), &config, &repository)?;
    let standings = unit_files::compare(&repository, &installed);
    let strays = unit_files::strays(&config, &repository, &installed);
    if global.json {
        cli::results(&json(&standings, &strays));
    } else {
        cli::results(&Paper::new(global).prose(&text(&cli::typed(global), &config, &standings, &strays)));
    }
    let same = standings.iter().all(|unit| unit.differences.is_empty());
    Ok(if same { Exit::Done } else { Exit::Untouched })
}

/// The diff of one unit below the two names, escaped.
pub(super) fn lines(unit: &Standing) -> String {
    let lines = unit.diff();
    if lines.is_empty() {
        return String::new();
    }
    let old = match unit.there {
        Some(_) => format!("{PLACE}/{}", unit.name),
        None => "/dev/null".into(),
    };
    let mut out = format!("  --- {old}\n  +++ {}\n", shown(unit.path.as_bytes()));
    for line in lines {
        out.push_str(&format!("  {}\n", shown(&line)));
    }
    out
}

pub(in crate::cli) fn text(typed: &Typed, config: &Config, standings: &[Standing], strays: &[String]) -> String {
    let mut out = String::new();
    for unit in standings {
        if unit.differences.is_empty() {
            out.push_str(&format!("{} is the same\n", unit.name));
        }
        for difference in &unit.differences {
            out.push_str(&format!("{} {}\n", unit.name, difference.words()));
            if matches!(difference, Difference::Settings(_) | Difference::Comments) {
                out.push_str(&lines(unit));
            }
        }
    }
    for name in strays {
        out.push_str(&format!(
            "{} exists only on the host; shipit does not remove it\n",
            shown(name.as_bytes())
        ));
    }
    let installs = |d: &Difference| {
        matches!(
            d,
            Difference::Missing | Difference::Settings(_) | Difference::Comments | Difference::Stale
        )
    };
    if standings.iter().any(|unit| unit.differences.iter().any(installs)) {
        out.push_str(&format!("next: {}\n", typed.line(&config.host.as_root("unit install"))));
    }
    out
}

#[derive(Serialize)]
struct JsonUnit<'a> {
    v: u8,
    unit: &'a str,
    path: &'a str,
    differences: Vec<JsonDifference>,
    diff: String,
}

#[derive(Serialize)]
struct JsonDifference {
    what: &'static str,
    says: String,
}

fn json(standings: &[Standing], strays: &[String]) -> String {
    let units = standings.iter().map(|unit| JsonUnit {
        v: 1,
        unit: unit.name.as_str(),
        path: &unit.path,
        differences: unit
            .differences
            .iter()
            .map(|d| JsonDifference {
                what: d.word(),
                says: d.words(),
            })
            .collect(),
        diff: unit
            .diff()
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned() + "\n")
            .collect(),
    });
    let strays = strays.iter().map(|unit| JsonUnit {
        v: 1,
        unit,
        path: "",
        differences: vec![JsonDifference {
            what: "host_alone",
            says: "exists on the host only".into(),
        }],
        diff: String::new(),
    });
    units
        .chain(strays)
        .filter_map(|unit| serde_json::to_string(&unit).ok())
        .map(|line| in_json(&line) + "\n")
        .collect()
}
