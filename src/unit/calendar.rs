//! Expressions of `OnCalendar=`: whether systemd can parse one, as far as its form shows. When it elapses, the host says.
//! Source: systemd.time(7), "Calendar events".

const NAMES: &str = " minutely hourly daily monthly weekly yearly annually quarterly semiannually ";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const LONG_DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

pub fn is_valid(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut words: Vec<&str> = lower.split_whitespace().collect();
    // A time zone stands at the end.
    if words.len() > 1 && is_zone(words[words.len() - 1]) {
        words.pop();
    }
    if let [one] = words[..]
        && NAMES.contains(&format!(" {one} "))
    {
        return true;
    }
    if let Some(number) = text.strip_prefix('@') {
        return number.parse::<u64>().is_ok();
    }
    let mut words = words.into_iter().peekable();
    let days = |word: &&str| word.starts_with(|c: char| c.is_ascii_alphabetic());
    let weekdays = words.next_if(days);
    let date = words.next_if(|word| word.contains('-') || word.contains('~'));
    let time = words.next_if(|word| word.contains(':'));
    words.next().is_none()
        && (weekdays.is_some() || date.is_some() || time.is_some())
        && weekdays.is_none_or(are_days)
        && date.is_none_or(is_date)
        && time.is_none_or(is_time)
}

/// A list of days and ranges; no range goes over Sunday.
fn are_days(words: &str) -> bool {
    let number = |day: &str| DAYS.iter().position(|known| is_day(day) && day.starts_with(known));
    let one = |item: &str| match item.split_once("..").or_else(|| item.split_once('-')) {
        Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
        None => number(item).is_some(),
    };
    words.trim_end_matches(',').split(',').all(one)
}

fn is_zone(word: &str) -> bool {
    const SHORT: &str = " utc gmt uct zulu est mst hst cet eet met wet est5edt cst6cdt mst7mdt pst8pdt ";
    let letters = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_' | '+' | '-') || c.is_ascii_digit();
    SHORT.contains(&format!(" {word} "))
        || word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.contains('/') && word.chars().all(letters)
}

fn is_day(word: &str) -> bool {
    DAYS.contains(&word) || LONG_DAYS.contains(&word)
}

fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split(['-', '~']).collect();
    let most = match parts.len() {
        2 => &[12, 31][..],
        3 if parts[0].parse().is_ok_and(|year: u32| (100..1970).contains(&year)) => return false,
        3 => &[9999, 12, 31],
        _ => return false,
    };
    parts.iter().zip(most).all(|(part, most)| fits(part, *most))
}

fn is_time(word: &str) -> bool {
    let parts: Vec<&str> = word.split(':').collect();
    (2..=3).contains(&parts.len()) && parts.iter().zip([23, 59, 59]).all(|(part, most)| fits(part, most))
}

/// A list of numbers, ranges (`1..5`) and repetitions (`0/15`), or `*`.
fn fits(part: &str, most: u32) -> bool {
    let number = |text: &str| text == "*" || text.parse::<f64>().is_ok_and(|n| n >= 0.0 && n < f64::from(most) + 1.0);
    part.split(',').all(|item| {
        let (start, step) = item
            .split_once('/')
            .map_or((item, None), |(start, step)| (start, Some(step)));
        let (from, to) = start.split_once("..").unwrap_or((start, start));
        let value = |text: &str| text.parse::<f64>().ok();
        // A repetition needs a first value, and a second one that the field can have.
        let steps = |step: &str| {
            let second = value(step)
                .filter(|step| *step > 0.0)
                .zip(value(from))
                .map(|(step, from)| from + step);
            second.is_some_and(|second| second < f64::from(most) + 1.0)
        };
        number(from) && number(to) && value(from) <= value(to) && step.is_none_or(steps)
    })
}
