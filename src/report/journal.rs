//! Lines of systemd's journal (`journalctl -o json`) as people read them. Never here: which lines are asked for.

use serde_json::Value;

/// One line of the journal, as far as it is shown.
struct Line {
    at: String,
    who: String,
    pid: String,
    /// The unit whose process wrote it, where journald could tell.
    unit: String,
    message: String,
}

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
    Some(Line {
        at: at.map(|t| t.format("%H:%M:%S ").to_string()).unwrap_or_default(),
        who: first(["SYSLOG_IDENTIFIER", "_COMM"]).unwrap_or_default(),
        pid: text("_PID"),
        unit: first(["_SYSTEMD_USER_UNIT", "_SYSTEMD_UNIT"]).unwrap_or_default(),
        message: text("MESSAGE"),
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

/// The last line that a process of this unit wrote, not systemd about it, as a cause of its failure.
pub fn last_output<'a>(lines: impl IntoIterator<Item = &'a [u8]>, unit: &str) -> Option<String> {
    let own = |line: &Line| line.pid != "1" && line.who != "systemd" && (line.unit.is_empty() || line.unit == unit);
    let lines = lines.into_iter().filter_map(read).filter(own);
    let last = lines.filter(|line| !line.message.trim().is_empty()).last()?;
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
    fn the_last_output_is_the_services_own() {
        let lines = [
            line(7, "no database"),
            line(7, " "),
            line(1, "a.service: Failed with result"),
        ];
        let last = |unit| last_output(lines.iter().map(Vec::as_slice), unit);
        assert_eq!(
            last("a.service").as_deref(),
            Some("last output of a.service: no database")
        );
        assert_eq!(last("b.service"), None);
    }
}
