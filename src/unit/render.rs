//! Findings as text, JSON and annotations of a code review. Text from units is escaped here; nothing is printed.

use std::fmt::Write;

use serde::Serialize;

use super::keys::{self, Adds};
use super::rules::{self, Edit, Finding, Severity};

/// Foreign text on one line: control characters, and characters that can reorder a line, become escapes.
fn safe(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars()
        .flat_map(|c| {
            if odd(c) {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// The lines of the fix, as in a unit.
pub fn lines(finding: &Finding) -> Vec<String> {
    let mut out = Vec::new();
    let mut current = "";
    for edit in finding.fix.iter().flat_map(|fix| &fix.edits) {
        match edit {
            Edit::Write {
                section, key, value, ..
            }
            | Edit::Respell {
                section, key, value, ..
            } => {
                if current != section {
                    out.push(format!("[{section}]"));
                    current = section;
                }
                out.push(rules::without_secrets(&format!("{key}={value}")));
            }
            Edit::Remove { .. } => out.push("(remove this line)".into()),
        }
    }
    out
}

/// The lines of the fix for a drop-in, where a list begins with its reset (systemd.syntax(7)). `None` without lines, and for a
/// line to remove, which a drop-in cannot.
pub fn drop_in(finding: &Finding) -> Option<Vec<String>> {
    let edits: Vec<&Edit> = finding.fix.iter().flat_map(|fix| &fix.edits).collect();
    if edits.is_empty() || edits.iter().any(|edit| matches!(edit, Edit::Remove { .. })) {
        return None;
    }
    let is_replaced = |section: &str, key: &str| {
        let replaces = |edit: &&Edit| match edit {
            Edit::Write {
                section: of,
                key: named,
                keep,
                ..
            } => of == section && named == key && !keep,
            Edit::Respell {
                section: of,
                key: named,
                ..
            } => of == section && named == key,
            Edit::Remove { .. } => false,
        };
        edits.iter().any(replaces) && keys::adds(section, key) == Adds::List
    };
    let (mut out, mut section) = (Vec::new(), String::new());
    let mut reset = Vec::new();
    for line in lines(finding) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.split_once('=')
            && is_replaced(&section, key)
            && !reset.contains(&key.to_owned())
        {
            reset.push(key.to_owned());
            out.push(format!("{key}="));
        }
        out.push(line);
    }
    Some(out)
}

/// One paragraph for each finding: place, severity, message, rule, the lines of the fix.
pub fn text(findings: &[Finding]) -> String {
    text_with(findings, |_| Vec::new())
}

/// The same, with the `source` of each finding below its message.
pub fn text_with(findings: &[Finding], source: impl Fn(&Finding) -> Vec<String>) -> String {
    let mut out = String::new();
    for finding in findings {
        let Finding {
            file,
            line,
            severity,
            rule,
            message,
            ..
        } = finding;
        let _ = writeln!(out, "{}:{line}: {severity}: {} [{rule}]", safe(file), safe(message));
        for line in source(finding).into_iter().chain(lines(finding)) {
            let _ = writeln!(out, "    {}", safe(&line));
        }
    }
    out
}

/// `2 errors, 1 warning`
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity, one: &str| {
        let n = findings.iter().filter(|finding| finding.severity == severity).count();
        (n > 0).then(|| format!("{n} {one}{}", if n == 1 || one == "info" { "" } else { "s" }))
    };
    let parts = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Info, "info"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "no findings".into()
    } else {
        parts.join(", ")
    }
}

#[derive(Serialize)]
struct Json<'a> {
    v: u8,
    event: &'static str,
    rule: &'a str,
    severity: String,
    file: &'a str,
    line: u32,
    message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fix: Vec<String>,
    safe: bool,
}

fn object(finding: &Finding) -> Json<'_> {
    Json {
        v: 1,
        event: "finding",
        rule: finding.rule,
        severity: finding.severity.to_string(),
        file: &finding.file,
        line: finding.line,
        message: &finding.message,
        fix: lines(finding),
        safe: finding.fix.as_ref().is_some_and(|fix| fix.safe),
    }
}

/// One JSON object for each line: `{"v":1,"event":"finding",…}`.
pub fn json(findings: &[Finding]) -> String {
    let encoded = findings
        .iter()
        .filter_map(|finding| serde_json::to_string(&object(finding)).ok());
    encoded.map(|line| line + "\n").collect()
}

/// GitHub's workflow commands: each finding is an annotation at its line.
pub fn github(findings: &[Finding]) -> String {
    let data = |text: &str| safe(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let command = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    findings
        .iter()
        .map(|f| {
            let (file, line, rule) = (property(&f.file), f.line, property(f.rule));
            format!(
                "::{} file={file},line={line},title={rule}::{}\n",
                command(f.severity),
                data(&f.message)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::rules::Depth;
    use super::*;

    fn finding() -> Finding {
        let mut finding = Finding {
            rule: "x-y",
            severity: Severity::Warning,
            depth: Depth::Later,
            file: "a,b:c.service".into(),
            line: 3,
            message: "50% \u{1b}[2J\nof it".into(),
            cause: None,
            fix: None,
        };
        finding.set("Service", "Type", "exec");
        finding
    }

    #[test]
    fn a_drop_in_replaces_a_list_and_cannot_remove_a_line() {
        let with = |edit: &dyn Fn(&mut Finding)| {
            let mut finding = Finding { fix: None, ..finding() };
            edit(&mut finding);
            drop_in(&finding)
        };
        let lines = with(&|finding| {
            finding
                .set("Service", "ExecReload", "/bin/kill -HUP $MAINPID")
                .set("Service", "Type", "exec");
        });
        let lines = lines.expect("lines");
        assert_eq!(
            lines,
            [
                "[Service]",
                "ExecReload=",
                "ExecReload=/bin/kill -HUP $MAINPID",
                "Type=exec"
            ]
        );
        let more = with(&|finding| {
            finding.suggest_more("Service", "Environment", "A=b");
        });
        assert_eq!(more.expect("lines"), ["[Service]", "Environment=A=b"]);
        let removed = with(&|finding| {
            finding.remove();
        });
        assert_eq!(removed, None);
        assert_eq!(with(&|_| ()), None);
    }

    #[test]
    fn no_byte_of_a_unit_reaches_the_terminal_or_the_annotation_unescaped() {
        assert_eq!(
            text(&[finding()]),
            "a,b:c.service:3: warning: 50% \\u{1b}[2J\\nof it [x-y]\n    [Service]\n    Type=exec\n"
        );
        assert_eq!(
            github(&[finding()]),
            "::warning file=a%2Cb%3Ac.service,line=3,title=x-y::50%25 \\u{1b}[2J\\nof it\n"
        );
        assert_eq!(
            json(&[finding()]),
            "{\"v\":1,\"event\":\"finding\",\"rule\":\"x-y\",\"severity\":\"warning\",\"file\":\"a,b:c.service\",\"line\":3,\"message\":\"50% \\u001b[2J\\nof it\",\"fix\":[\"[Service]\",\"Type=exec\"],\"safe\":true}\n"
        );
        assert_eq!(summary(&[finding(), finding()]), "2 warnings");
    }
}
