//! Broken and huge files, by the thousand: refused in time, without a panic.

use std::fs;
use std::time::Duration;

use shipit::config;

use super::schema::agrees;
use super::{load, within};
use crate::bounds::cpu;

/// A small generator (Knuth's MMIX constants), so that a failing run can be had again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit.max(1)
    }
}

/// The example, without its comments, with a few bytes changed, doubled, moved or taken out.
fn mutated(numbers: &mut Numbers) -> Vec<u8> {
    const SPICE: [&str; 24] = [
        "\t", "- ", ": ", "? ", "[", "]", "{", "}", "&a ", "*a", "!!x ", "|", ">", "'", "\"", "\n", "\r", "#", "%",
        "---\n", "\0", "\u{feff}", "\u{85}", "  ",
    ];
    let keys = config::EXAMPLE
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut bytes = keys.collect::<Vec<_>>().join("\n").into_bytes();
    for _ in 0..=numbers.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = numbers.below(bytes.len());
        let end = (at + numbers.below(60)).min(bytes.len());
        match numbers.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, SPICE[numbers.below(SPICE.len())].bytes())),
            2 => bytes[at] = u8::try_from(numbers.below(256)).expect("a byte"),
            3 => {
                let part = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, part);
            }
            4 => bytes.truncate(at),
            _ => {
                let many = SPICE[numbers.below(SPICE.len())].repeat(numbers.below(200));
                bytes.splice(at..at, many.bytes());
            }
        }
    }
    bytes
}

#[test]
fn broken_examples_neither_panic_nor_dawdle() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("deploy.yml");
    let mut numbers = Numbers(20_260_503);
    let mut taken = 0;
    for round in 0..4_000 {
        let bytes = mutated(&mut numbers);
        fs::write(&file, &bytes).expect("the file is written");
        let took = cpu(|| match config::load(&file, None) {
            Ok(config) => {
                taken += 1;
                if taken % 10 == 0 {
                    agrees(&bytes, Ok(&config));
                }
            }
            Err(failure) => assert!(!failure.why.is_empty(), "round {round}: refused without a word"),
        });
        assert!(took < Duration::from_secs(3), "round {round} took {took:?}");
    }
    assert!(
        (20..3_980).contains(&taken),
        "{taken} of 4000 were taken: the mutations are too wild or too tame"
    );
}

#[test]
fn large_files_are_read_in_linear_time() {
    // A quarter of the limit: what takes quadratic time is out of bounds here already.
    let size = 256 * 1024;
    for unit in [
        "a: b\n",
        "- a\n",
        "x",
        "'",
        "\"",
        "# \n",
        "[a, ",
        "a: [b]\n",
        "  a: >\n",
        "\n",
        "{",
        "- - - a\n",
        "a\n",
        "a:\n",
        "? a\n",
        "%a\n",
        "&a",
        "!a ",
    ] {
        let text = unit.repeat(size / unit.len());
        let took = within(move || cpu(|| assert!(load(&text).is_err(), "{unit:?} was taken")));
        assert!(took < Duration::from_secs(10), "{unit:?} took {took:?}");
    }
}
