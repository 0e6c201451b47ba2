//! libyaml, which most tools embed, as a second reader: what [`super::tree`] takes, it must take too, with the
//! same keys, texts and lists, so that a deploy.yml means the same to everybody who reads it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::tree::{self, Kind, Node};

#[derive(Debug)]
enum Bare {
    Text(String),
    /// What libyaml's user made of an unquoted scalar: a number, a truth, nothing.
    Coerced,
    List(Vec<Bare>),
    Map(Vec<(String, Bare)>),
}

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Bare;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_str<E>(self, text: &str) -> Result<Bare, E> {
                Ok(Bare::Text(text.to_owned()))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Bare, E> {
                Ok(Bare::Coerced)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Bare, E> {
                Ok(Bare::Coerced)
            }
            fn visit_i128<E>(self, _: i128) -> Result<Bare, E> {
                Ok(Bare::Coerced)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Bare, E> {
                Ok(Bare::Coerced)
            }
            fn visit_u128<E>(self, _: u128) -> Result<Bare, E> {
                Ok(Bare::Coerced)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Bare, E> {
                Ok(Bare::Coerced)
            }
            fn visit_none<E>(self) -> Result<Bare, E> {
                Ok(Bare::Coerced)
            }
            fn visit_unit<E>(self) -> Result<Bare, E> {
                Ok(Bare::Coerced)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bare, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Bare::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Bare, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Bare::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

fn agree(node: &Node, bare: &Bare) -> bool {
    match (&node.kind, bare) {
        (Kind::Text { text, .. }, Bare::Text(other)) => text == other,
        (Kind::Text { plain, .. }, Bare::Coerced) => *plain,
        (Kind::List(items), Bare::List(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(item, other)| agree(item, other))
        }
        (Kind::Map(entries), Bare::Map(others)) => {
            entries.len() == others.len()
                && entries
                    .iter()
                    .zip(others)
                    .all(|(entry, (key, other))| entry.key == *key && agree(&entry.value, other))
        }
        // An empty file.
        (Kind::Map(entries), Bare::Coerced) => entries.is_empty(),
        _ => false,
    }
}

/// Whether both readers took the text; panics when they took it for different things.
#[track_caller]
fn both_take(text: &str) -> bool {
    let Ok(ours) = tree::parse(text) else {
        return false;
    };
    match serde_yaml::from_str::<Bare>(text) {
        Ok(theirs) => assert!(agree(&ours, &theirs), "{ours:#?}\n{theirs:#?}\nof:\n{text}"),
        Err(error) => panic!("libyaml refuses what we take: {error}\n{text}"),
    }
    true
}

#[test]
fn what_we_take_means_the_same_to_libyaml() {
    for text in [
        super::EXAMPLE,
        "a: no\nb: 1.10\nc: 010\nd: ~\ne: ''\n",
        "a: >-\n  x\n  y\nb: 'it''s'\nc: \"\\u00e9\"\n",
        "a: [x, y: z, {p: q}]\n",
        "a:\n- x\n- - y\n  - z\n",
        "---\r\na: b # c\r\n...\r\n",
        "\"a\": 'b#c'\nd: e#f\ng: h:i\n",
        "# nothing\n",
    ] {
        assert!(both_take(text), "refused:\n{text}");
    }
}

#[test]
fn what_we_write_means_the_same_to_libyaml() {
    for text in [
        "npm ci && npm run build",
        "./build.sh",
        ".",
        ".5",
        ".inf",
        "/srv/it's",
        "a\nb\t\u{200b}\"\\",
        "no",
        "Null",
        "010",
        "1e3",
        "-",
        "---",
        "~",
        "a: b",
        "a:",
        "a #b",
        "a#b",
        "[a]",
        "größe",
        "2026-11-29",
        "0x1F",
        "",
        " ",
        "a ",
        "`a`",
        "$X | y",
        "a, b",
    ] {
        let line = format!("a: {}\n", super::scalar(text));
        let bare = serde_yaml::from_str::<Bare>(&line);
        let Ok(Bare::Map(map)) = bare else {
            panic!("{line}: {bare:?}");
        };
        let [(_, Bare::Text(read))] = map.as_slice() else {
            panic!("{line}: {map:?}");
        };
        assert_eq!(read, text, "{line}");
    }
}

#[test]
fn lines_put_together_at_random_mean_the_same_to_libyaml() {
    const LINES: [&str; 19] = [
        "a: b",
        "c:",
        "  d: e",
        "  - f",
        "- g",
        "    h: [i, j]",
        "  k: {l: m}",
        "n: 'o p'",
        "q: \"r\\ts\"",
        "# t",
        "  u: v # w",
        "  x",
        "y: >-",
        "  z",
        "",
        "\"1\": 2",
        "? 3",
        ": 4",
        "  5: >",
    ];
    let mut state: u64 = 7;
    let mut next = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % limit
    };
    let mut taken = 0;
    for _ in 0..20_000 {
        let lines: Vec<&str> = (0..=next(6)).map(|_| LINES[next(LINES.len())]).collect();
        taken += usize::from(both_take(&format!("{}\n", lines.join("\n"))));
    }
    assert!(taken > 1000, "only {taken} were taken");
}
