//! What the host printed about `prepare`: the first line of the step. Decides nothing.

use crate::release::Id;
use crate::text;

/// The release that the outputs were taken from, by the first line that the script printed.
pub(super) fn taken_from(line: &[u8]) -> Option<String> {
    let id = std::str::from_utf8(line).ok()?.strip_prefix("taken ")?;
    Id::parse(id).map(|id| id.to_string())
}

/// A few words on what the script did, by the first line that it printed. None for a command that always runs.
pub(super) fn note(line: &[u8]) -> Option<String> {
    let line = text::shown(line);
    let mut words = line.splitn(3, ' ');
    let (did, why, rest) = (words.next()?, words.next()?, words.next().unwrap_or_default());
    if did == "taken" {
        return Some(format!("outputs taken from {why}"));
    }
    let (base, path) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(match why {
        "inputs" => format!("ran: the command or its inputs changed since {base}"),
        "programs" => format!("ran: a program or the system changed since {base}"),
        "path" => format!(
            "ran: {} of {base} contains the path or the id of its release",
            path.trim_start_matches("./")
        ),
        "beside" => format!(
            "ran: in {base} it also changed {}, which is not in `outputs`",
            path.trim_start_matches("./")
        ),
        "unknown" => "ran: a program that it names is not in PATH, or cannot be compared".to_owned(),
        "changed" => format!("ran: the outputs of {base} were changed after it was published"),
        "failed" => format!("ran: the outputs of {base} could not be copied"),
        _ => format!("ran: {base} has no record of its outputs"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_printed_is_said_in_a_few_words() {
        assert_eq!(note(b"ran"), None);
        assert_eq!(
            note(b"taken 20260101-000000").unwrap(),
            "outputs taken from 20260101-000000"
        );
        assert_eq!(taken_from(b"taken 20260101-000000").unwrap(), "20260101-000000");
        assert_eq!(taken_from(b"ran inputs 20260101-000000"), None);
        assert_eq!(
            note(b"ran path 20260101-000000 ./.venv/bin/a b").unwrap(),
            "ran: .venv/bin/a b of 20260101-000000 contains the path or the id of its release"
        );
        assert_eq!(
            note(b"ran beside 20260101-000000 ./dist").unwrap(),
            "ran: in 20260101-000000 it also changed dist, which is not in `outputs`"
        );
        assert_eq!(
            note(b"ran unknown").unwrap(),
            "ran: a program that it names is not in PATH, or cannot be compared"
        );
        assert_eq!(
            note(b"ran unrecorded 20260101-000000").unwrap(),
            "ran: 20260101-000000 has no record of its outputs"
        );
    }
}
