//! Lines of systemd's journal (`journalctl -o json`) as people read them. Never here: which lines are asked for.

use serde_json::Value;

use super::{painted, sgr};
use crate::text::shown;

/// One line of the journal, as far as it is shown.
struct Line {
    at: String,
    who: String,
    pid: String,
    /// The unit whose process wrote it, where journald could tell.
    unit: String,
    /// The unit that systemd wrote about.
    about: String,
    message: String,
    /// As in syslog(3); 6 where none is given.
    priority: u8,
    /// Which start of the unit the line is about or from; empty where journald could not tell.
    invocation: String,
    end: Option<End>,
}

/// What systemd logs when a process of a unit has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// As a stop ends it: by SIGTERM, or with exit status 0.
    Stopped,
    Failed,
}

/// SD_MESSAGE_UNIT_RESTART_SCHEDULED and SD_MESSAGE_UNIT_FAILURE_RESULT: systemd logs no exit status 0, but it logs
/// these.
const OVER: [&str; 2] = ["5eb03494b6584870a536b337290809b3", "d9b373ed55a64feb8242e02dbe79a49c"];

fn read(json: &[u8]) -> Option<Line> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let text = |key: &str| match value.get(key) {
        Some(Value::String(s)) => s.clone(),
        // systemd writes a message that is not UTF-8 as an array of bytes.
        Some(Value::Array(bytes)) => {
            let bytes: Vec<u8> = bytes.iter().filter_map(|b| u8::try_from(b.as_u64()?).ok()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    };
    let first = |keys: [&str; 2]| keys.map(text).into_iter().find(|text| !text.is_empty());
    let at = text("__REALTIME_TIMESTAMP")
        .parse::<i64>()
        .ok()
        .and_then(chrono::DateTime::from_timestamp_micros);
    let end = match (text("EXIT_CODE").as_str(), text("EXIT_STATUS").as_str()) {
        ("", _) => OVER.contains(&text("MESSAGE_ID").as_str()).then_some(End::Failed),
        // systemd writes the number of the signal, or its name.
        ("exited", "0" | "SUCCESS") | ("killed", "15" | "TERM") => Some(End::Stopped),
        _ => Some(End::Failed),
    };
    Some(Line {
        at: at.map(|t| t.format("%H:%M:%S ").to_string()).unwrap_or_default(),
        who: first(["SYSLOG_IDENTIFIER", "_COMM"]).unwrap_or_default(),
        pid: text("_PID"),
        unit: first(["_SYSTEMD_USER_UNIT", "_SYSTEMD_UNIT"]).unwrap_or_default(),
        about: first(["USER_UNIT", "UNIT"]).unwrap_or_default(),
        message: text("MESSAGE"),
        priority: text("PRIORITY").parse().unwrap_or(6),
        invocation: first(["_SYSTEMD_INVOCATION_ID", "INVOCATION_ID"]).unwrap_or_default(),
        end,
    })
}

impl Line {
    fn text(&self) -> String {
        format!("{}{}[{}]: {}", self.at, self.who, self.pid, self.message)
    }

    /// What it says without when: two lines with the same are a repetition.
    fn said(&self) -> String {
        let time = |word: &str| {
            let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let count = |marks: &[char]| word.matches(marks).count();
            word.starts_with(|c: char| c.is_ascii_digit()) && (count(&[':']) > 1 || count(&['-', '/']) == 2)
        };
        let words = self.message.split_whitespace().filter(|word| !time(word));
        words.fold(self.who.clone(), |said, word| said + " " + word)
    }
}

/// One line of systemd's JSON journal as `unit[pid]: message`.
pub fn journal_line(json: &[u8]) -> Option<String> {
    Some(read(json)?.text())
}

/// The same, safe to show: in color with the colors that the program itself wrote, or red for an error and yellow for a
/// warning; else without any.
pub fn shown_line(json: &[u8], colour: bool) -> Option<String> {
    let line = read(json)?;
    let head = shown(format!("{}{}[{}]: ", line.at, line.who, line.pid).as_bytes());
    let message = sgr::shown(&line.message, colour);
    let code = match line.priority {
        0..=3 => "31",
        4 => "33",
        _ => return Some(head + &message),
    };
    // A color inside would end at the program's own reset.
    let own = message.contains('\x1b');
    Some(if own {
        head + &message
    } else {
        painted(colour, code, &(head + &message))
    })
}

/// Lines of the journal, each that repeats only where it came last, with how often it came.
pub fn folded<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut kept: Vec<(String, Line, usize)> = Vec::new();
    for line in lines.into_iter().filter_map(read) {
        let said = line.said();
        let seen = kept.iter().position(|(other, ..)| *other == said);
        let times = seen.map_or(0, |at| kept.remove(at).2);
        kept.push((said, line, times + 1));
    }
    let text = |(_, line, times): (String, Line, usize)| match times {
        1 => line.text(),
        times => format!("{} ({times} times)", line.text()),
    };
    kept.into_iter().map(text).collect()
}

/// The last line that a process of this unit wrote, not systemd about it, as a cause of its failure. If one has failed
/// and systemd has started the next one, it is the last line of the one that failed. What php-fpm marks as a notice is no
/// cause.
pub fn last_output<'a>(lines: impl IntoIterator<Item = &'a [u8]>, unit: &str) -> Option<String> {
    let lines: Vec<Line> = lines.into_iter().filter_map(read).collect();
    let own = |line: &&Line| {
        let of_unit = line.unit.is_empty() || line.unit == unit;
        let says = !line.message.trim().is_empty() && !line.message.contains("] NOTICE: ");
        line.pid != "1" && line.who != "systemd" && of_unit && says
    };
    let ended = |end: End| {
        let about = lines.iter().filter(|line| line.about == unit && line.end == Some(end));
        about.map(|line| line.invocation.as_str()).rfind(|id| !id.is_empty())
    };
    let of = |invocation: &str| {
        // What journald reads after the end of a process has no invocation; then the number of the process decides.
        let others = |pid: &str| {
            let from = |line: &Line| line.pid == pid && !line.invocation.is_empty() && line.invocation != invocation;
            lines.iter().filter(own).any(from)
        };
        let is = |line: &&Line| match line.invocation.as_str() {
            "" => !others(&line.pid),
            id => id == invocation,
        };
        lines.iter().filter(own).rfind(is)
    };
    let failed = ended(End::Failed).or_else(|| ended(End::Stopped)).and_then(of);
    let last = failed.or_else(|| lines.iter().rfind(own))?;
    let shown: String = last.message.trim().chars().take(300).collect();
    Some(format!("last output of {unit}: {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pid: u32, message: &str) -> Vec<u8> {
        let line = serde_json::json!({"_PID": pid.to_string(), "SYSLOG_IDENTIFIER": "web", "_SYSTEMD_UNIT": "a.service", "MESSAGE": message});
        line.to_string().into_bytes()
    }

    #[test]
    fn what_repeats_is_one_line_with_its_number_and_what_differs_is_not() {
        let lines = [
            line(7, "starting"),
            line(7, "[2026-01-02 10:00:01,123] Traceback"),
            line(7, "KeyError: 'x'"),
            line(8, "worker 1"),
            line(8, "worker 2"),
            line(8, "[2026-01-02 10:00:02,500] Traceback"),
            line(8, "KeyError: 'x'"),
        ];
        let texts = folded(lines.iter().map(Vec::as_slice));
        assert_eq!(
            texts,
            [
                "web[7]: starting",
                "web[8]: worker 1",
                "web[8]: worker 2",
                "web[8]: [2026-01-02 10:00:02,500] Traceback (2 times)",
                "web[8]: KeyError: 'x' (2 times)"
            ]
        );
    }

    #[test]
    fn an_error_is_red_a_warning_yellow_and_a_programs_own_color_stays() {
        let of = |priority: &str, message: &str| {
            let line = serde_json::json!({"_PID": "7", "SYSLOG_IDENTIFIER": "w\x1b[31mb", "PRIORITY": priority, "MESSAGE": message});
            line.to_string().into_bytes()
        };
        let line = |priority, message, colour| shown_line(&of(priority, message), colour).unwrap_or_default();
        assert_eq!(line("3", "gone", true), "\x1b[31mw\\x1b[31mb[7]: gone\x1b[0m");
        assert_eq!(line("4", "slow", true), "\x1b[33mw\\x1b[31mb[7]: slow\x1b[0m");
        assert_eq!(line("6", "ok", true), "w\\x1b[31mb[7]: ok");
        assert_eq!(line("3", "\x1b[32mgreen", true), "w\\x1b[31mb[7]: \x1b[32mgreen\x1b[0m");
        assert_eq!(
            line("3", "\x1b[32mgreen\x1b[2J", false),
            "w\\x1b[31mb[7]: green\\x1b[2J"
        );
    }

    #[test]
    fn the_last_output_is_the_services_own() {
        let lines = [
            line(7, "no database"),
            line(7, " "),
            line(7, "[02-Dec-2026 04:38:20] NOTICE: using inherited socket fd=8"),
            line(1, "a.service: Failed with result"),
        ];
        let last = |unit| last_output(lines.iter().map(Vec::as_slice), unit);
        assert_eq!(
            last("a.service").as_deref(),
            Some("last output of a.service: no database")
        );
        assert_eq!(last("b.service"), None);
    }

    /// A line of a process of this invocation; without one, as journald writes it about a process that is gone.
    fn from(invocation: &str, pid: u32, message: &str) -> Vec<u8> {
        let mut line: Value = serde_json::from_slice(&line(pid, message)).unwrap_or_default();
        if !invocation.is_empty() {
            line["_SYSTEMD_INVOCATION_ID"] = invocation.into();
        }
        line.to_string().into_bytes()
    }

    fn end(invocation: &str, code: &str, status: &str) -> Vec<u8> {
        let line = serde_json::json!({"_PID": "1", "SYSLOG_IDENTIFIER": "systemd", "_SYSTEMD_UNIT": "init.scope", "UNIT": "a.service",
            "INVOCATION_ID": invocation, "EXIT_CODE": code, "EXIT_STATUS": status, "MESSAGE": "a.service: Main process exited"});
        line.to_string().into_bytes()
    }

    fn scheduled(invocation: &str) -> Vec<u8> {
        let line = serde_json::json!({"_PID": "1", "SYSLOG_IDENTIFIER": "systemd", "UNIT": "a.service", "INVOCATION_ID": invocation,
            "MESSAGE_ID": OVER[0], "MESSAGE": "a.service: Scheduled restart job"});
        line.to_string().into_bytes()
    }

    #[test]
    fn the_last_output_is_that_of_the_process_that_failed_not_of_the_one_that_systemd_started_next() {
        let crash = |message| from("f1", 7, message);
        let next = || from("f2", 8, "Booting");
        for (lines, said) in [
            (
                vec![crash("Booting"), crash("no database"), end("f1", "exited", "1"), next()],
                "no database",
            ),
            (
                vec![crash("no database"), end("f1", "dumped", "6"), scheduled("f1"), next()],
                "no database",
            ),
            // Exit status 0 is not logged; the restart is.
            (vec![crash("no work"), scheduled("f1"), next()], "no work"),
            // journald read the line late: after the banner of the next one, and without an invocation.
            (
                vec![
                    crash("Booting"),
                    end("f1", "exited", "1"),
                    next(),
                    from("", 7, "no database"),
                ],
                "no database",
            ),
            (
                vec![
                    crash("no database"),
                    end("f1", "exited", "1"),
                    next(),
                    from("", 8, "Listening"),
                ],
                "no database",
            ),
            // A revert stops the next one.
            (
                vec![
                    crash("no database"),
                    end("f1", "exited", "1"),
                    next(),
                    end("f2", "killed", "15"),
                ],
                "no database",
            ),
            // The last of a loop, and one that wrote nothing.
            (
                vec![
                    crash("one"),
                    end("f1", "exited", "1"),
                    from("f2", 8, "two"),
                    end("f2", "exited", "1"),
                    from("f3", 9, "b"),
                ],
                "two",
            ),
            (vec![end("f1", "exited", "1"), next()], "Booting"),
            (vec![crash("old"), next()], "Booting"),
        ] {
            let last = last_output(lines.iter().map(Vec::as_slice), "a.service");
            assert_eq!(last, Some(format!("last output of a.service: {said}")));
        }
    }
}
