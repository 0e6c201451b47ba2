//! Lines of systemd's journal (`journalctl -o json`) as people read them.

/// One line of systemd's JSON journal as `unit[pid]: message`.
#[must_use]
pub fn journal_line(json: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    let text = |key: &str| match value.get(key) {
        Some(serde_json::Value::String(s)) => s.clone(),
        // systemd writes a message that is not UTF-8 as an array of bytes.
        Some(serde_json::Value::Array(bytes)) => {
            let bytes: Vec<u8> = bytes.iter().filter_map(|b| u8::try_from(b.as_u64()?).ok()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    };
    let who = if text("SYSLOG_IDENTIFIER").is_empty() {
        text("_COMM")
    } else {
        text("SYSLOG_IDENTIFIER")
    };
    let at = text("__REALTIME_TIMESTAMP")
        .parse::<i64>()
        .ok()
        .and_then(chrono::DateTime::from_timestamp_micros);
    let at = at.map(|t| t.format("%H:%M:%S ").to_string()).unwrap_or_default();
    Some(format!("{at}{who}[{}]: {}", text("_PID"), text("MESSAGE")))
}
