//! One JSON object a line on stdout, versioned, for CI. The shapes are a contract (`docs/json.md`): own
//! structs, never the inner types.

use std::io::Write;

use serde_json::{Value, json};

use super::event::{Commit, Downtime, Event, Latency, Report};
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
        if let Some(line) = line(event, &self.typed) {
            // A reader that went away must not end a deploy.
            let _ = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        }
    }

    fn typed(&self) -> Typed {
        self.typed.clone()
    }
}

/// An event as one line, without its end; `None` for one that has no object.
pub fn line(event: &Event, typed: &Typed) -> Option<String> {
    let at = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut object = value(event, typed)?;
    if let Value::Object(map) = &mut object {
        map.insert("v".into(), json!(1));
        map.insert("at".into(), json!(at));
    }
    Some(text::in_json(&object.to_string()))
}

/// The object `downtime`.
pub fn downtime(measured: &Downtime) -> Value {
    let latency = |one: Option<Latency>| one.map(|l| json!({"p50_ms": l.p50, "p95_ms": l.p95, "max_ms": l.max}));
    let by_kind = measured
        .failed_by_kind
        .iter()
        .map(|(loss, count)| (loss.word().to_owned(), json!(count)));
    json!({
        "probes": measured.probes, "failed": measured.failed,
        "failed_by_kind": by_kind.collect::<serde_json::Map<_, _>>(),
        "longest_gap_ms": measured.longest_gap_ms, "longest_wait_ms": measured.longest_wait_ms,
        "crashed": measured.crashed,
        "latency": {
            "before": latency(measured.before), "during": latency(measured.during), "after": latency(measured.after),
        },
        "services": measured.services.iter().map(|one| json!({
            "unit": one.unit, "stop_ms": one.stop_ms, "start_ms": one.start_ms,
        })).collect::<Vec<_>>(),
    })
}

/// The object `commit`.
pub fn commit(commit: &Commit) -> Value {
    json!({"revision": commit.revision, "subject": commit.subject, "branch": commit.branch, "dirty": commit.dirty})
}

/// The object of an event; `None` for one that a later event repeats.
fn value(event: &Event, typed: &Typed) -> Option<Value> {
    Some(match event {
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
            "event": "step", "phase": phase.word(), "name": name, "state": state.word(),
            "seconds": took.map(|t| t.as_secs_f64()), "note": note,
        }),
        Event::Progress { sent, total, reused } => {
            json!({"event": "progress", "sent": sent, "total": total, "reused": reused})
        }
        Event::Wait { unit, within, answer } => {
            json!({"event": "wait", "unit": unit, "within": within.as_secs(), "answer": answer})
        }
        Event::Release(_) | Event::Commit(_) | Event::Measured(_) | Event::Canceled => return None,
        Event::Log { source, line } => {
            json!({"event": "log", "source": source, "line": String::from_utf8_lossy(line)})
        }
        Event::Warning { text } => json!({"event": "log", "source": "warning", "line": text}),
        Event::Ended(ended) => json!({
            "event": "ended",
            "outcome": ended.outcome.word(),
            "exit": ended.exit.code(),
            "release": ended.release,
            "previous": ended.previous,
            "live": ended.live,
            "live_known": ended.live_known,
            "seconds": ended.took.as_secs_f64(),
            "live_seconds": ended.live_after.map(|t| t.as_secs_f64()),
            "bytes_sent": ended.bytes_sent,
            "bytes_saved": ended.upload.as_ref().map_or(0, |upload| upload.saved),
            "upload_seconds": ended.upload.as_ref().map(|upload| upload.took.as_secs_f64()),
            "prepared_from": ended.upload.as_ref().and_then(|upload| upload.prepared_from.as_ref()),
            "commit": ended.commit.as_ref().map(commit),
            "downtime": ended.downtime.as_ref().map(downtime),
            "canceled": ended.canceled,
            "cause": ended.failure.as_ref().map(|f| json!({
                "what": f.what, "why": f.why, "host": f.host, "next": f.next_lines(typed),
            })),
        }),
    })
}
