//! A timeline as one HTML file: inline SVG, no script, nothing from the network; for a phone, for paper, dark and light.
//! Horizontal places are in percent and everything else in pixels, so that it fits any width without a script.

use std::fmt::Write as _;

use super::Timeline;
use crate::report::sentence;
use crate::step::{Latency, Progress};
use crate::text::shown;

/// The heights of the chart of probes, in pixels.
const TOP: f64 = 34.0;
const BOTTOM: f64 = 200.0;
/// The latencies at its bottom and top, in milliseconds.
const LEAST: f64 = 0.3;
const MOST: f64 = 10_000.0;
/// The latencies that have a line, and their labels.
const LINES: [(f64, &str); 5] = [
    (1.0, "1 ms"),
    (10.0, "10 ms"),
    (100.0, "0.1 s"),
    (1e3, "1 s"),
    (1e4, "10 s"),
];
/// More dots than this are thinned out; failed ones all stay.
const DOTS: usize = 4000;

const STYLE: &str = "
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --quiet: #6a737d; --line: #d8dee4; --bar: #4c78a8; --old: #8a8f98; --new: #2f7d4f; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --text: #e6e8ea; --quiet: #9aa4ae; --line: #353b42; --bar: #79a6d8; --old: #a3a9b2; --new: #63c08a; --bad: #ff6b6b; } }
@media print { :root { color-scheme: light; --page: #fff; --text: #000; --quiet: #555; --line: #bbb; --bar: #4c78a8; --old: #777; --new: #2f7d4f; --bad: #c00; } section { break-inside: avoid; } }
* { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; overflow-wrap: anywhere; } h2 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { margin: .25rem 0; overflow-wrap: anywhere; } .quiet { color: var(--quiet); } .bad { color: var(--bad); }
svg { display: block; width: 100%; overflow: visible; } svg text { fill: var(--text); font: 12px system-ui, sans-serif; } svg .quiet { fill: var(--quiet); }
svg .over { paint-order: stroke; stroke: var(--page); stroke-width: 4px; stroke-linejoin: round; }
line { stroke: var(--line); } line.moment { stroke: var(--quiet); stroke-dasharray: 3 3; }
.switch, .settle { fill: var(--bar); } .revert { fill: var(--old); } .failed, .lost { fill: var(--bad); } .open { opacity: .5; }
.old { fill: var(--old); } .new { fill: var(--new); } .other { fill: var(--bar); } .kept { opacity: .55; }
svg.swatch { display: inline; width: 10px; height: 10px; } .release { white-space: nowrap; }
table { border-collapse: collapse; } th, td { padding: .15rem .8rem .15rem 0; text-align: right; font-weight: normal; } th:first-child { text-align: left; } thead th { color: var(--quiet); }
";

/// The whole file.
pub fn page(timeline: &Timeline, app: &str) -> String {
    let mut out = String::new();
    let title = escaped(&format!("{app}: {}", timeline.headline()));
    let heading = unbroken(&title);
    let ended = if timeline.cause.is_empty() {
        escaped(timeline.ended())
    } else {
        format!(
            "{}: <span class=\"bad\">{}</span>",
            escaped(timeline.ended()),
            escaped(&timeline.cause)
        )
    };
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<h1>{heading}</h1>\n<p>{ended}</p>\n\
         <p class=\"quiet\">requested {} by {}; run {}; {:.1}s</p>\n",
        escaped(&timeline.since),
        escaped(&timeline.by),
        escaped(&timeline.run),
        timeline.length / 1e3,
    );
    downtime(&mut out, timeline);
    probes(&mut out, timeline);
    steps(&mut out, timeline);
    out.push_str("</html>\n");
    out
}

fn downtime(out: &mut String, timeline: &Timeline) {
    let Some(measured) = &timeline.downtime else {
        out.push_str("<p>The downtime was not measured.</p>\n");
        return;
    };
    let class = if measured.failed > 0 { " class=\"bad\"" } else { "" };
    let _ = writeln!(out, "<p{class}>{}</p>", escaped(&sentence::downtime(measured)));
    out.push_str("<table><thead><tr><th>responses within<th>p50<th>p95<th>max</thead>\n");
    for (phase, latency) in [
        ("before the flip", measured.before),
        ("during the switch", measured.during),
        ("after it", measured.after),
    ] {
        if let Some(Latency { p50, p95, max }) = latency {
            let _ = writeln!(out, "<tr><th>{phase}<td>{p50} ms<td>{p95} ms<td>{max} ms");
        }
    }
    out.push_str("</table>\n");
}

/// A time of the run in percent of its width.
fn place(timeline: &Timeline, at: f64) -> f64 {
    (at / timeline.length * 100.0).clamp(0.0, 100.0)
}

fn height(took: f64) -> f64 {
    let share = (took.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    BOTTOM - share * (BOTTOM - TOP)
}

fn probes(out: &mut String, timeline: &Timeline) {
    if timeline.dots.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Probes, by response time</h2>\n");
    let _ = writeln!(
        out,
        "<svg height=\"{}\" role=\"img\" aria-label=\"latency of each probe\">",
        BOTTOM + 42.0
    );
    for ms in LINES.map(|(ms, _)| height(ms)) {
        let _ = writeln!(out, "<line x1=\"0\" x2=\"100%\" y1=\"{ms:.0}\" y2=\"{ms:.0}\"/>");
    }
    moments(out, timeline, BOTTOM);
    let answered = timeline.dots.iter().filter(|dot| dot.lost.is_none()).count();
    let every = answered / DOTS + 1;
    for (n, dot) in timeline.dots.iter().filter(|dot| dot.lost.is_none()).enumerate() {
        if n % every == 0 || dot.took() > 100.0 {
            let class = class_of(timeline, dot.release.as_deref());
            let kept = if dot.kept { " kept" } else { "" };
            let _ = writeln!(
                out,
                "<circle class=\"{class}{kept}\" cx=\"{:.2}%\" cy=\"{:.1}\" r=\"2.5\"><title>{:.2}s: {:.1} ms</title></circle>",
                place(timeline, dot.from),
                height(dot.took()),
                dot.from / 1e3,
                dot.took(),
            );
        }
    }
    // Above the dots, which may be as far to the left.
    for (y, label) in LINES
        .map(|(ms, label)| (height(ms) - 2.0, label))
        .into_iter()
        .chain([(12.0, "failed")])
    {
        let _ = writeln!(out, "<text class=\"quiet over\" x=\"0\" y=\"{y:.0}\">{label}</text>");
    }
    for dot in &timeline.dots {
        if let Some(lost) = dot.lost {
            let _ = writeln!(
                out,
                "<rect class=\"lost\" x=\"{:.2}%\" y=\"14\" width=\"3\" height=\"12\"><title>{:.2}s: {}</title></rect>",
                place(timeline, dot.from),
                dot.from / 1e3,
                lost.word(),
            );
        }
    }
    // Which release answered when.
    for (from, to, release) in timeline.answers() {
        let x = place(timeline, from);
        let _ = writeln!(
            out,
            "<rect class=\"{}\" x=\"{x:.2}%\" y=\"{}\" width=\"{:.2}%\" height=\"6\"><title>{}</title></rect>",
            class_of(timeline, Some(release)),
            BOTTOM + 6.0,
            (place(timeline, to) - x).max(0.3),
            escaped(release),
        );
    }
    for quarter in 0..=4 {
        let anchor = ["start", "middle", "middle", "middle", "end"][quarter];
        let at = timeline.length / 1e3 * quarter as f64 / 4.0;
        let _ = writeln!(
            out,
            "<text class=\"quiet\" text-anchor=\"{anchor}\" x=\"{}%\" y=\"{}\">{at:.1}s</text>",
            quarter * 25,
            BOTTOM + 28.0
        );
    }
    out.push_str("</svg>\n");
    if timeline.answers().is_empty() {
        out.push_str("<p class=\"quiet\">The responses do not name a release (<code>health.release</code>).</p>\n");
    } else {
        let mut seen: Vec<&str> = timeline.answers().iter().map(|(_, _, release)| *release).collect();
        seen.sort_unstable();
        seen.dedup();
        out.push_str("<p class=\"quiet\">Answered by");
        for release in seen {
            let _ = write!(
                out,
                " <span class=\"release\"><svg class=\"swatch\"><rect class=\"{}\" width=\"10\" height=\"10\"/></svg> {}</span>",
                class_of(timeline, Some(release)),
                escaped(release)
            );
        }
        out.push_str("</p>\n");
    }
    if !timeline.moments.is_empty() {
        let said: Vec<String> = timeline
            .moments
            .iter()
            .map(|one| format!("{} at {:.2}s", one.what, one.at / 1e3))
            .collect();
        let _ = writeln!(
            out,
            "<p class=\"quiet\">Dashed lines: {}.</p>",
            escaped(&said.join(", "))
        );
    }
    out.push_str("</section>\n");
}

fn class_of(timeline: &Timeline, release: Option<&str>) -> &'static str {
    match release {
        Some(id) if id == timeline.next => "new",
        Some(id) if id == timeline.previous => "old",
        _ => "other",
    }
}

fn moments(out: &mut String, timeline: &Timeline, bottom: f64) {
    for moment in &timeline.moments {
        let x = place(timeline, moment.at);
        let _ = writeln!(
            out,
            "<line class=\"moment\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"28\" y2=\"{bottom:.0}\"><title>{:.2}s: {}</title></line>",
            moment.at / 1e3,
            escaped(&moment.what),
        );
    }
}

fn steps(out: &mut String, timeline: &Timeline) {
    const ROW: usize = 34;
    out.push_str("<section>\n<h2>Steps</h2>\n");
    let _ = writeln!(
        out,
        "<svg height=\"{}\" role=\"img\" aria-label=\"steps of the switch\">",
        timeline.bars.len() * ROW + 6
    );
    for (row, bar) in timeline.bars.iter().enumerate() {
        let y = row * ROW;
        let (x, class) = (
            place(timeline, bar.from),
            match bar.progress {
                Progress::Failed => "failed",
                Progress::Started => "open",
                Progress::Done => bar.list.as_str(),
            },
        );
        let list = if bar.list == "revert" { "revert: " } else { "" };
        let failed = if bar.progress == Progress::Failed {
            " failed"
        } else {
            ""
        };
        let (from, to, line) = (bar.from / 1e3, bar.to / 1e3, y + 22);
        let _ = writeln!(
            out,
            "<text x=\"0\" y=\"{}\">{list}{}{failed} <tspan class=\"quiet\">{:.2}s</tspan></text>\
             <line x1=\"0\" x2=\"100%\" y1=\"{line}\" y2=\"{line}\"/>\
             <rect class=\"{}\" x=\"{x:.2}%\" y=\"{}\" width=\"{:.2}%\" height=\"8\" rx=\"2\">\
             <title>{from:.2}s to {to:.2}s</title></rect>",
            y + 13,
            escaped(&bar.name),
            to - from,
            escaped(class),
            y + 18,
            (place(timeline, bar.to) - x).max(0.3),
        );
    }
    out.push_str("</svg>\n");
    for bar in &timeline.bars {
        if let Some(cause) = &bar.cause {
            let _ = writeln!(
                out,
                "<p>{}: <span class=\"bad\">{}</span></p>",
                escaped(&bar.name),
                escaped(cause)
            );
        }
    }
    out.push_str("</section>\n");
}

/// Each word on one line, even if it has hyphens.
fn unbroken(text: &str) -> String {
    let words = text
        .split(' ')
        .map(|word| format!("<span class=\"release\">{word}</span>"));
    words.collect::<Vec<_>>().join(" ")
}

/// Foreign text as text of HTML, its control characters shown.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in shown(text.as_bytes()).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::RECORD;
    use super::*;

    #[test]
    fn the_page_stands_alone_shows_what_failed_and_runs_nothing_of_what_it_names() {
        let timeline = Timeline::read("run-1", RECORD);
        let page = page(&timeline, "acme");
        for part in ["<script", "http://", "https://", "url(", "<b>", "<failed>"] {
            assert!(!page.contains(part), "{part}: {page}");
        }
        assert_eq!(page.matches("<rect class=\"lost\"").count(), 2);
        assert_eq!(page.matches("<circle").count(), 3);
        for part in [
            "acme: deploy r1 -&gt; r2",
            "&lt;failed&gt;: exit status 7",
            "2 of 5 probes failed",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
