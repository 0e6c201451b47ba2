//! What the lines of a service's journal tell `doctor`. Never here: reading them from the host.

use crate::report::journal::{folded, journal_line};
use crate::unit::properties::Properties;

/// The most lines of a journal that are shown with a finding.
const LINES: usize = 6;

/// Of a service that runs since it was last started by somebody, or was stopped without a failure: the lines of that
/// start. What an earlier process said may be fixed since, or be of another release. One that systemd restarted by itself,
/// or that failed, has its reason in earlier lines.
pub fn of_this_start(lines: &mut Vec<&[u8]>, properties: &Properties) {
    let restarted = properties.get("NRestarts").is_some_and(|count| count != "0");
    let Some(id) = properties.get("InvocationID").filter(|id| !id.is_empty()) else {
        return;
    };
    let ended_well = properties.active_state() == "inactive" && properties.get("Result") == Some("success");
    if restarted || !(properties.is_active() || ended_well) {
        return;
    }
    lines.retain(|line| {
        let fields: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
        // The second is systemd's own word about the unit (systemd.journal-fields(7)).
        let ids = [&fields["_SYSTEMD_INVOCATION_ID"], &fields["INVOCATION_ID"]];
        ids.iter().any(|field| field.as_str() == Some(id))
    });
}

/// The end of a journal: what the service said for itself, or what systemd said of it when it said nothing.
pub fn excerpt(lines: &[&[u8]]) -> Vec<String> {
    let of_systemd = |line: &[u8]| {
        let fields: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        fields.is_some_and(|fields| fields["_PID"] == "1")
    };
    let own: Vec<_> = lines.iter().filter(|line| !of_systemd(line)).collect();
    let chosen = if own.is_empty() { lines.iter().collect() } else { own };
    let mut lines = folded(chosen.into_iter().copied());
    lines.split_off(lines.len().saturating_sub(LINES))
}

/// The newest line in which a service reports a read-only file system (EROFS).
pub fn read_only(lines: &[&[u8]]) -> Option<String> {
    let said = |line: &String| {
        let line = line.to_ascii_lowercase();
        line.contains("read-only file system") || line.contains("erofs")
    };
    lines
        .iter()
        .rev()
        .find_map(|line| journal_line(line).into_iter().find(said))
}

/// The environment file of which systemd ignored lines when it last started the service.
pub fn ignored_lines(lines: &[&[u8]]) -> Option<String> {
    let mut file = None;
    for line in lines {
        let fields: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
        let message = fields["MESSAGE"]
            .as_str()
            .filter(|_| fields["_PID"] == "1")
            .unwrap_or_default();
        if message.contains("Ignoring invalid environment assignment") {
            file = message.rsplit_once("': ").map(|(_, file)| file.to_owned());
        } else if message.starts_with("Stopped ") || message.contains("Scheduled restart job") {
            file = None;
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_said_for_itself_comes_before_what_systemd_says_of_it() {
        let line = |pid: &str, text: &str| {
            format!(r#"{{"_PID":"{pid}","MESSAGE":"{text}","SYSLOG_IDENTIFIER":"x"}}"#).into_bytes()
        };
        let own = line("7", "no database");
        let systemd = line("1", "Failed with result");
        assert!(excerpt(&[&own, &systemd])[0].contains("no database"));
        assert_eq!(excerpt(&[&own, &systemd]).len(), 1);
        assert!(excerpt(&[&systemd])[0].contains("Failed with result"));
    }

    #[test]
    fn lines_that_systemd_ignores_are_those_of_the_newest_start() {
        let line = |pid: &str, text: &str| {
            serde_json::json!({"_PID": pid, "MESSAGE": text})
                .to_string()
                .into_bytes()
        };
        let bad = line(
            "1",
            "x: Ignoring invalid environment assignment 'export A=1': /etc/acme/env",
        );
        let (started, stopped) = (line("1", "Started x"), line("1", "Stopped x"));
        assert_eq!(ignored_lines(&[&bad, &started]).as_deref(), Some("/etc/acme/env"));
        assert_eq!(ignored_lines(&[&bad, &started, &stopped, &started]), None);
        assert_eq!(
            ignored_lines(&[&stopped, &bad, &started]).as_deref(),
            Some("/etc/acme/env")
        );
    }

    fn properties(shown: &str) -> Properties {
        let mut properties = Properties::default();
        shown.lines().for_each(|line| properties.take(line));
        properties
    }

    #[test]
    fn of_a_service_that_runs_only_its_own_start_counts() {
        let line = |id: &str| {
            serde_json::json!({"_SYSTEMD_INVOCATION_ID": id, "MESSAGE": id})
                .to_string()
                .into_bytes()
        };
        let (old, new) = (line("old"), line("new"));
        let kept = |shown: &str| {
            let mut lines: Vec<&[u8]> = vec![&old, &new];
            of_this_start(&mut lines, &properties(shown));
            lines.len()
        };
        assert_eq!(kept("ActiveState=active\nInvocationID=new\nNRestarts=0"), 1);
        assert_eq!(kept("ActiveState=active\nInvocationID=new\nNRestarts=2"), 2);
        assert_eq!(kept("ActiveState=failed\nInvocationID=new\nNRestarts=0"), 2);
        assert_eq!(kept("ActiveState=active\nInvocationID="), 2);
        assert_eq!(kept("ActiveState=inactive\nInvocationID=new\nResult=success"), 1);
        assert_eq!(kept("ActiveState=inactive\nInvocationID=new\nResult=exit-code"), 2);
    }
}
