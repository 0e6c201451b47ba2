//! docs/units.md has the table of the cells, as the tests make them.

use super::table::{self, Cell, Face, Verdict};

fn does(cell: &Cell) -> String {
    let (deed, file) = cell.does.split_once(' ').unwrap_or((cell.does, ""));
    let deed = match deed {
        "stays" => "stays in the foreground",
        "daemonizes" => "goes into the background",
        "ends" => "exits when its job is done",
        "notifies" => "stays, sends READY=1",
        "child-notifies" => "stays, a child sends READY=1",
        other => panic!("what is {other}?"),
    };
    if cell.lines.contains("PIDFile=") && !cell.lines.ends_with(file) {
        return format!("{deed}, writes another file");
    }
    deed.to_owned()
}

fn shows(cell: &Cell) -> String {
    let faces = cell.shows.iter().map(|(face, shows)| {
        let when = match face {
            Face::Over => "",
            Face::Waits => "while it waits: ",
            Face::Again => "with `Restart=`: ",
            Face::Flaps => panic!("it is as `Again`"),
            Face::GaveUp => "after the start limit: ",
        };
        format!("{when}{shows}")
    });
    faces.collect::<Vec<_>>().join("<br>")
}

fn row(cell: &Cell, shows: &str, verdict: Verdict, on: &str) -> String {
    let (cause, write) = match verdict {
        None => ("correct".to_owned(), String::new()),
        Some((rule, _, "PIDFile=")) => (format!("`{rule}`"), "the right `PIDFile=`".to_owned()),
        Some((rule, _, line)) => (format!("`{rule}`"), format!("`{line}`")),
    };
    let lines = cell.lines.replace("RUN", "/run/acme");
    let declared: Vec<String> = lines.lines().map(|line| format!("`{line}`")).collect();
    format!(
        "| {}{on} | {} | {shows} | {cause} | {write} |\n",
        declared.join("<br>"),
        does(cell)
    )
}

#[test]
fn the_documentation_has_the_table_of_what_each_cell_shows() {
    let docs = include_str!("../../docs/units.md");
    let mut rows = String::new();
    for cell in table::cells().iter().chain(&table::extras()) {
        match cell.on_252 {
            None => rows += &row(cell, &shows(cell), cell.verdict, ""),
            Some((old, verdict)) => {
                rows += &row(cell, old, verdict, "<br>(252)");
                rows += &row(cell, &shows(cell), cell.verdict, "<br>(257)");
            }
        }
    }
    for part in rows.split_inclusive('\n') {
        assert!(docs.contains(part), "docs/units.md should have:\n{rows}");
    }
}
