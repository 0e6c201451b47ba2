//! `canary`: which shares of the requests a new release gets, for how long, and how many requests count. How the shares are
//! set and compared is the conductor's.

use std::time::Duration;

use super::Strategy;
use super::names::{Wrong, quoted};
use super::reader::{HOUR, Map, SECOND, Shape, Value};
use super::shape::DURATION;

/// What the key `strategy: canary` adds to a service behind a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Percent of the requests, ascending, each from 1 to 99: the last step, 100, is the router's own turn.
    pub shares: Vec<u8>,
    /// How long each share stays: 60 s by default.
    pub hold: Duration,
    /// Below so many requests to the new release its failed requests are not compared: 100 by default.
    pub min_requests: u32,
}

/// `steps`, for editors.
pub(super) const STEPS: Shape = Shape::List(&Shape::Like("^([1-9][0-9]?|100)%$"));
pub(super) const HOLD: Shape = DURATION;
pub(super) const REQUESTS: Shape = Shape::Whole(1, MOST_REQUESTS);
const MOST_REQUESTS: u32 = 1_000_000;
const DEFAULT: [u8; 2] = [5, 25];

/// Reads `steps`, `hold` and `min_requests`, which only `canary` has.
pub(super) fn canary(map: &Map<'_>, strategy: Option<Strategy>) -> Option<Option<Canary>> {
    let keys = ["steps", "hold", "min_requests"].map(|key| map.get(key));
    if strategy? != Strategy::Canary {
        let given: Vec<_> = keys.into_iter().flatten().collect();
        for value in &given {
            value.is_wrong("only `strategy: canary` uses it");
        }
        return given.is_empty().then_some(None);
    }
    let [steps, hold, min_requests] = keys;
    let shares = steps.map_or(Some(DEFAULT.to_vec()), shares);
    let hold = hold.map_or(Some(60 * SECOND), |value| value.duration(SECOND..=HOUR));
    let min_requests = min_requests.map_or(Some(100), |value| value.number(1..=MOST_REQUESTS));
    Some(Some(Canary {
        shares: shares?,
        hold: hold?,
        min_requests: min_requests?,
    }))
}

/// The shares before the last one, which may be left out.
fn shares(value: Value<'_>) -> Option<Vec<u8>> {
    let mut shares: Vec<u8> = value.list(|value| value.name(share))?;
    let ascending = shares.windows(2).all(|pair| pair[0] < pair[1]);
    if shares.last() == Some(&100) {
        shares.pop();
    }
    if !ascending || shares.is_empty() || shares.len() > 20 {
        value.is_wrong("list 1 to 20 ascending shares below 100%, such as `[5%, 25%, 100%]`");
        return None;
    }
    Some(shares)
}

fn share(text: &str) -> Result<u8, Wrong> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
    number
        .filter(|share| (1..=100).contains(share) && format!("{share}%") == text)
        .ok_or_else(|| Wrong(format!("{} is not a share from 1% to 100%", quoted(text))))
}
