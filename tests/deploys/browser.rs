//! A real browser without a screen and without a network: what a page becomes in it, what it complains about, and how it looks.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bounds::Ends as _;
use crate::lab;

/// What opened a page once.
pub struct Seen {
    /// The document as the browser understood it.
    pub dom: String,
    /// What it wrote to its console: errors of the page, and what its own policy forbids.
    pub console: Vec<String>,
    /// How it looks: three bytes for each pixel.
    pub pixels: Vec<u8>,
}

impl Seen {
    /// How many pixels have exactly that color.
    pub fn count(&self, color: [u8; 3]) -> usize {
        self.pixels.chunks_exact(3).filter(|pixel| **pixel == color).count()
    }
}

/// The browser of this machine, if it has one.
pub fn program() -> Option<&'static str> {
    let found = ["chromium-headless-shell", "chromium", "google-chrome"]
        .into_iter()
        .find(|name| {
            Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .status()
                .is_ok()
        });
    if found.is_none() {
        lab::leave_out("no Chromium here (scripts/lib.sh: need_browser)");
    }
    found
}

/// Opens a file in a window of that size.
pub fn open(program: &str, page: &Path, (width, height): (u32, u32), dark: bool) -> Seen {
    let home = tempfile::tempdir().unwrap();
    let picture = home.path().join("picture.png");
    let mut browser = Command::new("unshare");
    browser
        // It needs neither another host nor, as root, a sandbox.
        .args([
            "--net",
            "timeout",
            "--kill-after=5",
            "300",
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()));
    let output = browser.ends();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {said}", output.status);
    let png = std::fs::read(&picture).unwrap_or_else(|error| panic!("{error}: {said}"));
    Seen {
        dom: String::from_utf8(output.stdout).unwrap(),
        console: said
            .lines()
            .filter(|line| line.contains(":CONSOLE:"))
            .map(str::to_owned)
            .collect(),
        pixels: pixels(&png),
    }
}

/// A PNG of eight bits for each of red, green and blue, as Chromium writes it (www.w3.org/TR/png, 9 and 11).
fn pixels(png: &[u8]) -> Vec<u8> {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    let (width, height) = (number(16), number(20));
    let colors = match &png[24..29] {
        [8, 2, 0, 0, 0] => 3,
        [8, 6, 0, 0, 0] => 4,
        other => panic!("another kind of PNG: {other:?}"),
    };
    let (mut packed, mut at) = (Vec::new(), 8);
    while at < png.len() {
        if &png[at + 4..at + 8] == b"IDAT" {
            packed.extend_from_slice(&png[at + 8..at + 8 + number(at)]);
        }
        at += 12 + number(at);
    }
    let mut rows = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..])
        .read_to_end(&mut rows)
        .unwrap();
    let long = width * colors;
    let (mut out, mut above) = (Vec::with_capacity(width * height * 3), vec![0_u8; long]);
    for row in rows.chunks_exact(long + 1) {
        let mut line = row[1..].to_vec();
        for x in 0..long {
            let before = |line: &[u8]| if x < colors { 0 } else { i32::from(line[x - colors]) };
            let (left, up, corner) = (before(&line), i32::from(above[x]), before(&above));
            let guess = match row[0] {
                0 => 0,
                1 => left,
                2 => up,
                3 => i32::midpoint(left, up),
                _ => [left, up, corner]
                    .into_iter()
                    .min_by_key(|one| (left + up - corner - one).abs())
                    .unwrap(),
            };
            line[x] = line[x].wrapping_add(guess as u8);
        }
        out.extend(line.chunks_exact(colors).flat_map(|pixel| &pixel[..3]));
        above = line;
    }
    out
}
