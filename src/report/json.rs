//! One JSON object a line on stdout, versioned, for CI. The shapes are a contract (`docs/json.md`): own
//! structs, never the inner types.

use std::io::Write;

use serde_json::{Value, json};

use super::event::{Event, Phase, Report, State};
use super::sentence;
use crate::failure::Typed;
use crate::text;

pub struct Json {
    out: Box<dyn Write>,
    typed: Typed,
}

impl Json {
    /// Writes lines to `out`; what to do next is for the command line `typed`.
    #[must_use]
    pub fn new(out: Box<dyn Write>, typed: Typed) -> Self {
        Self { out, typed }
    }
}

impl Report for Json {
    fn event(&mut self, event: &Event) {
        let at = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut object = value(event, &self.typed);
        if let Value::Object(map) = &mut object {
            map.insert("v".into(), json!(1));
            map.insert("at".into(), json!(at));
        }
        // A reader that went away must not end a deploy.
        let line = text::in_json(&object.to_string());
        let _ = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
    }
}

fn value(event: &Event, typed: &Typed) -> Value {
    match event {
        Event::Started {
            command,
            app,
            host,
            release,
        } => {
            json!({"event": "started", "command": command, "app": app, "host": host, "release": release})
        }
        Event::Step {
            phase,
            name,
            state,
            took,
            note,
        } => json!({
            "event": "step", "phase": phase_word(*phase), "name": name, "state": state_word(*state),
            "seconds": took.map(|t| t.as_secs_f64()), "note": note,
        }),
        Event::Progress { sent, total } => {
            json!({"event": "progress", "sent": sent, "total": total})
        }
        Event::Log { source, line } => {
            json!({"event": "log", "source": source, "line": String::from_utf8_lossy(line)})
        }
        Event::Warning { text } => json!({"event": "log", "source": "warning", "line": text}),
        Event::Ended(ended) => json!({
            "event": "ended",
            "outcome": sentence::outcome(ended.outcome),
            "exit": ended.exit.code(),
            "release": ended.release,
            "previous": ended.previous,
            "live": ended.live,
            "seconds": ended.took.as_secs_f64(),
            "live_seconds": ended.live_after.map(|t| t.as_secs_f64()),
            "bytes_sent": ended.bytes_sent,
            "downtime": ended.downtime.as_ref().map(|d| json!({
                "probes": d.probes, "failed": d.failed, "longest_gap_ms": d.longest_gap_ms,
            })),
            "cause": ended.failure.as_ref().map(|f| json!({
                "what": f.what, "why": f.why, "host": f.host, "next": f.next_lines(typed),
            })),
        }),
    }
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Stage => "stage",
        Phase::Switch => "switch",
        Phase::Revert => "revert",
        Phase::Settle => "settle",
    }
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Started => "started",
        State::Done => "done",
        State::Failed => "failed",
    }
}
