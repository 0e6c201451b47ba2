//! Names of releases. An id is a name and nothing more: order and "previous" come from the host's ledger.

use std::fmt;

use chrono::{DateTime, Utc};

/// The name of a release on the host: `YYYYMMDD-HHMMSS` in UTC, with `-2`, `-3`, … when that second is taken.
/// Fourteen digits, as Capistrano names its releases, are accepted too: those of an adopted tree.
/// Safe as a path component and as a word in any shell: digits and `-` only, never first, never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id(String);

impl Id {
    /// The id for this second.
    #[must_use]
    pub fn now() -> Self {
        Self::at(Utc::now())
    }

    /// The id for a moment.
    #[must_use]
    pub fn at(moment: DateTime<Utc>) -> Self {
        Self(moment.format("%Y%m%d-%H%M%S").to_string())
    }

    /// Reads a name: `[0-9]{8}-[0-9]{6}(-[0-9]{1,3})?` or `[0-9]{14}`; anything else is no release.
    pub fn parse(name: &str) -> Option<Self> {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = name.split('-').collect();
        let ours = |day: &str, time: &str| day.len() == 8 && time.len() == 6 && digits(day) && digits(time);
        let known = match parts[..] {
            [day, time] => ours(day, time),
            [day, time, number] => ours(day, time) && (1..=3).contains(&number.len()) && digits(number),
            [all] => all.len() == 14 && digits(all),
            _ => false,
        };
        known.then(|| Self(name.to_owned()))
    }

    /// The id to try when this one is taken: `-2` after the plain one, then `-3`, up to `-999`. `None` after
    /// that, and for ids that are not ours to number (fourteen digits).
    pub fn next(&self) -> Option<Self> {
        let (base, number) = match self.0.match_indices('-').nth(1) {
            Some((at, _)) => (&self.0[..at], self.0[at + 1..].parse::<u16>().ok()?),
            None if self.0.len() == 14 => return None,
            None => (self.0.as_str(), 1),
        };
        let number = number.max(1) + 1;
        (number <= 999).then(|| Self(format!("{base}-{number}")))
    }

    /// The name as it is on the host.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn an_id_is_the_second_it_was_made_in_utc() {
        let moment = Utc.with_ymd_and_hms(2026, 5, 3, 9, 45, 2).unwrap();
        assert_eq!(Id::at(moment).to_string(), "20260503-094502");
        assert!(Id::parse(Id::now().as_str()).is_some());
    }

    #[test]
    fn only_names_of_releases_are_ids() {
        for good in [
            "20260503-094502",
            "20260503-094502-2",
            "20260503-094502-999",
            "20260503094502",
        ] {
            assert_eq!(Id::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-",
            ".",
            "..",
            "20260503-094502-",
            "20260503-094502-1000",
            "20260503-094502-2-2",
            "20260503-09450",
            "2026050-3094502",
            "2026050309450",
            "202605030945022",
            "20260503-094502\n",
            " 20260503-094502",
            "20260503-09450x",
            "20260503-+94502",
            "20260503-094502-+1",
            "٢٠٢٦٠٥٠٣-٠٩٤٥٠٢",
            "current",
            ".in-20260503-094502",
            "releases/20260503-094502",
        ] {
            assert_eq!(Id::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_taken_second_is_numbered() {
        let next = |name: &str| Id::parse(name).unwrap().next().map(|id| id.to_string());
        assert_eq!(next("20260503-094502").unwrap(), "20260503-094502-2");
        assert_eq!(next("20260503-094502-2").unwrap(), "20260503-094502-3");
        assert_eq!(next("20260503-094502-999"), None);
        assert_eq!(next("20260503094502"), None);
    }
}
