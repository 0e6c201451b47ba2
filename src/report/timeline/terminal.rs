//! A timeline in a terminal: a line per step, and one per kind of probe. Foreign text is escaped here.

use super::Timeline;
use crate::report::sentence;
use crate::step::Progress;
use crate::text::shown;

/// The columns of the picture, and the fewest where the screen is narrow.
const COLUMNS: usize = 60;
const FEWEST: usize = 10;
/// What stands beside the picture and the name: the frame, and the seconds.
const BESIDE: usize = 14;
/// If more releases answer one after another, they are not shown one by one.
const MOST_SPANS: usize = 6;
/// A response that took longer than this is a slow one, in milliseconds.
const SLOW: f64 = 100.0;
const LEGEND: &str = ". answered, o slow (over 0.1s), x failed";

/// The lines of it, the picture as wide as the screen allows.
pub fn lines(timeline: &Timeline, screen: Option<usize>) -> Vec<String> {
    let mut lines = vec![format!("{} ({})", timeline.headline(), timeline.ended())];
    lines.push(format!(
        "requested {} by {}; run {}",
        timeline.since, timeline.by, timeline.run
    ));
    if !timeline.cause.is_empty() {
        lines.push(format!("cause: {}", timeline.cause));
    }
    lines.push(String::new());
    let names: Vec<String> = timeline
        .bars
        .iter()
        .map(|bar| {
            if bar.list == "revert" {
                format!("revert: {}", bar.name)
            } else {
                bar.name.clone()
            }
        })
        .collect();
    let widest = names
        .iter()
        .map(|name| name.chars().count())
        .chain([10])
        .max()
        .unwrap_or(10);
    let room = screen.map_or(COLUMNS, |screen| screen.saturating_sub(widest + BESIDE));
    let columns = room.clamp(FEWEST, COLUMNS);
    let column = |at: f64| (at / timeline.length * columns as f64) as usize;
    for (bar, name) in timeline.bars.iter().zip(&names) {
        let from = column(bar.from).min(columns - 1);
        let to = column(bar.to).clamp(from + 1, columns);
        let sign = if bar.progress == Progress::Failed { "x" } else { "=" };
        let picture = format!("{}{}", " ".repeat(from), sign.repeat(to - from));
        lines.push(format!(
            "{name:<widest$}  |{picture:<columns$}| {:.2}s",
            (bar.to - bar.from) / 1e3
        ));
    }
    if !timeline.dots.is_empty() {
        lines.push(format!("{:<widest$}  |{}|", "probes", probes(timeline, columns)));
        // Below the picture, or as far to the left as the screen requires.
        let room = screen.map_or(usize::MAX, |screen| screen.saturating_sub(LEGEND.len()));
        lines.push(format!("{:1$}{LEGEND}", "", room.min(widest + 3)));
        lines.extend(answered(&timeline.answers()));
    }
    lines.push(match &timeline.downtime {
        Some(measured) => sentence::downtime(measured),
        None => "downtime: not measured".to_owned(),
    });
    lines.iter().map(|line| shown(line.trim_end().as_bytes())).collect()
}

/// Which release answered when. Two that answer in turn would fill the screen: of those the first and the last time.
fn answered(spans: &[(f64, f64, &str)]) -> Vec<String> {
    let said = |(from, to, release): &(f64, f64, &str), more: &str| {
        format!("{release} answered from {:.2}s to {:.2}s{more}", from / 1e3, to / 1e3)
    };
    if spans.len() <= MOST_SPANS {
        return spans.iter().map(|span| said(span, "")).collect();
    }
    let mut whole: Vec<(f64, f64, &str)> = Vec::new();
    for (from, to, release) in spans {
        match whole.iter_mut().find(|span| span.2 == *release) {
            Some(span) => span.1 = *to,
            None => whole.push((*from, *to, release)),
        }
    }
    whole
        .iter()
        .map(|span| said(span, ", alternating with others"))
        .collect()
}

/// Of each column, the worst that a probe met.
fn probes(timeline: &Timeline, columns: usize) -> String {
    let mut worst = vec![' '; columns];
    for dot in &timeline.dots {
        let sign = match dot.lost {
            Some(_) => 'x',
            None if dot.took() > SLOW => 'o',
            None => '.',
        };
        let at = ((dot.from / timeline.length * columns as f64) as usize).min(columns - 1);
        let rank = |sign: char| " .ox".find(sign);
        if rank(sign) > rank(worst[at]) {
            worst[at] = sign;
        }
    }
    worst.iter().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::RECORD;
    use super::*;

    #[test]
    fn the_terminal_shows_a_bar_a_step_and_the_failed_probes() {
        let timeline = Timeline::read("run-1", RECORD);
        let lines = |screen| lines(&timeline, screen);
        let pictures = lines(Some(50))
            .into_iter()
            .filter(|line| line.contains("| ") && line.ends_with('s'));
        assert!(pictures.into_iter().all(|line| line.chars().count() <= 50));
        let lines = lines(None);
        let text = lines.join("\n");
        let probes = lines.iter().find(|line| line.starts_with("probes")).unwrap();
        assert!(probes.contains("|..     x x"), "{text}");
        assert!(
            text.contains("revert: flip r1") && text.contains("xxxxxxxxxx"),
            "{text}"
        );
        assert!(
            text.contains("downtime: 2 of 5 probes failed (2 refused): no answer for 1.71s"),
            "{text}"
        );
    }

    #[test]
    fn two_releases_that_answer_in_turn_are_two_lines() {
        let few = [(0.0, 900.0, "r1"), (1000.0, 2000.0, "r2")];
        assert_eq!(
            answered(&few),
            ["r1 answered from 0.00s to 0.90s", "r2 answered from 1.00s to 2.00s"]
        );
        let turns: Vec<_> = (0..9)
            .map(|n| {
                (
                    f64::from(n) * 1e3,
                    f64::from(n) * 1e3 + 500.0,
                    ["r1", "r2"][n as usize % 2],
                )
            })
            .collect();
        assert_eq!(
            answered(&turns),
            [
                "r1 answered from 0.00s to 8.50s, alternating with others",
                "r2 answered from 1.00s to 7.50s, alternating with others"
            ]
        );
    }
}
