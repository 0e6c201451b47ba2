//! Values as systemd reads them: booleans, spans of time, sizes. Never words (`quoting`) or command lines (`command`).

use std::time::Duration;

/// `yes`, `no` and their other spellings. `None`: systemd would ignore the line.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// Whether it can be the name of a user or group that useradd(8) takes, or a number.
pub fn is_account(text: &str) -> bool {
    let starts = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 31
        && text.starts_with(starts)
        && text
            .trim_end_matches('$')
            .chars()
            .all(|c| starts(c) || matches!(c, '-' | '.'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    Finite(Duration),
    Infinite,
}

impl Span {
    /// `f64::INFINITY` for an infinite span.
    pub fn seconds(self) -> f64 {
        match self {
            Span::Finite(duration) => duration.as_secs_f64(),
            Span::Infinite => f64::INFINITY,
        }
    }
    pub fn is_zero(self) -> bool {
        self == Span::Finite(Duration::ZERO)
    }
}

/// Microseconds in each unit of time that systemd.time(7) names.
fn microseconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "us" | "usec" | "µs" | "μs" => 1.0,
        "ms" | "msec" => 1e3,
        "" | "s" | "sec" | "second" | "seconds" => 1e6,
        "m" | "min" | "minute" | "minutes" => 60e6,
        "h" | "hr" | "hour" | "hours" => 3600e6,
        "d" | "day" | "days" => 86400e6,
        "w" | "week" | "weeks" => 7.0 * 86400e6,
        "M" | "month" | "months" => 2_629_800e6,
        "y" | "year" | "years" => 31_557_600e6,
        _ => return None,
    })
}

/// A span of time: `5min 20s`, `1.5h`, `90`, `infinity`. A bare number is seconds. `None`: systemd would ignore it.
/// Source: systemd.time(7), "Parsing time spans".
pub fn span(text: &str) -> Option<Span> {
    let text = text.trim();
    if text == "infinity" {
        return Some(Span::Infinite);
    }
    let mut rest = text;
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        rest = rest.strip_prefix('+').unwrap_or(rest);
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok().filter(|_| !rest[..digits].ends_with('.'))?;
        let after = rest[digits..].trim_start();
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        total += number * microseconds(&after[..letters])?;
        rest = after[letters..].trim_start();
    }
    (total < 1.8e19).then(|| Span::Finite(Duration::from_micros(total.round() as u64)))
}

/// A size or limit: `512M`, `1.5G`, `infinity`, `30%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// Bytes, or a number of things such as tasks.
    Bytes(u64),
    /// Of what the host has.
    Percent(f64),
    Infinite,
}

/// Suffixes count in 1024. `None`: systemd would ignore it. Source: systemd.resource-control(5).
pub fn size(text: &str) -> Option<Size> {
    if text == "infinity" {
        return Some(Size::Infinite);
    }
    if let Some(percent) = text.strip_suffix('%') {
        return percent
            .parse()
            .ok()
            .filter(|p: &f64| (0.0..=100.0).contains(p))
            .map(Size::Percent);
    }
    // Several sizes are added, from the largest unit to the smallest: 1G 512M.
    let (mut total, mut above, mut rest) = (0.0, 8, text);
    loop {
        rest = rest.strip_prefix('+').unwrap_or(rest);
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        let after = rest[digits..].trim_start();
        let suffix = usize::from(after.starts_with(|c: char| c.is_ascii_alphabetic()));
        let power = match &after[..suffix] {
            "" | "B" => 0,
            letter => 1 + "KMGTPE".find(letter)? as i32,
        };
        if power >= above {
            return None;
        }
        total += number * 1024f64.powi(power);
        (above, rest) = (power, after[suffix..].trim_start());
        if rest.is_empty() {
            return (total < 1.8e19).then_some(Size::Bytes(total as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_units_of_a_span_are_added_and_a_bare_number_is_seconds() {
        let ms = |n| Some(Span::Finite(Duration::from_millis(n)));
        assert_eq!(span("90"), ms(90_000));
        assert_eq!(span("2min 200ms"), ms(120_200));
        assert_eq!(span("1.5h"), ms(5_400_000));
        assert_eq!(span("1m30s"), ms(90_000));
        assert_eq!(span("+5"), ms(5_000));
        assert_eq!(span("infinity"), Some(Span::Infinite));
        assert!(
            ["", "5 parsecs", "-1", "five", "1..2", "5. s"]
                .iter()
                .all(|bad| span(bad).is_none())
        );
    }

    #[test]
    fn suffixes_of_sizes_count_in_1024() {
        assert_eq!(size("512M"), Some(Size::Bytes(512 << 20)));
        assert_eq!(size("1.5K"), Some(Size::Bytes(1536)));
        assert_eq!(size("30%"), Some(Size::Percent(30.0)));
        assert_eq!(size("1G 512M"), Some(Size::Bytes((1 << 30) + (512 << 20))));
        assert_eq!(size("1G512"), Some(Size::Bytes((1 << 30) + 512)));
        assert!(
            ["", "M", "1X", "101%", "512M 1G", "1G1G", "1KB"]
                .iter()
                .all(|bad| size(bad).is_none())
        );
    }
}
