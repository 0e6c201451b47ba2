//! Words that docs/STYLE.md rules out stay out of everything a user reads: documents, help, rules and messages. What a
//! text says is never judged here.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use shipit::cli::args::Args;
use shipit::unit::rules;

/// What is not written, and what is written instead.
const BANNED: &[(&str, &str)] = &[
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("astray", "to the wrong place"),
    ("anew", "again"),
    ("for ever", "forever"),
    ("in vain", "say what failed"),
    ("its kin", "and similar"),
    ("and the like", "and similar"),
    ("or the like", "or similar"),
    ("desk", "laptop, client"),
    ("thing of root's", "root-owned"),
    ("file of root's", "root-owned file"),
    ("directory of root's", "root-owned directory"),
    ("is root's", "root-owned"),
    ("told", "reported, named"),
    ("said to be", "is"),
    ("is said", "reported"),
    ("a person", "the user, you"),
    ("somebody", "another user, who"),
    ("anybody", "anyone"),
    ("that is none", "not a, invalid"),
    ("that are none", "not a, invalid"),
    ("is not there", "does not exist, not found, missing"),
    ("are not there", "do not exist, not found, missing"),
    ("was not there", "did not exist, not found, missing"),
    ("what is so there", "facts from the host"),
    ("left with", "exit status"),
    ("leaves with", "exits"),
    ("ended badly", "failed"),
    ("end well", "succeed"),
    ("ended well", "succeeded"),
    ("is well", "is healthy"),
    ("are well", "are healthy"),
    ("is not well", "is unhealthy"),
    ("are not well", "are unhealthy"),
    ("stay well", "stay healthy"),
    ("stays well", "stays healthy"),
    ("them well", "until they are healthy"),
    ("look at", "check, inspect, read"),
    ("looks at", "checks, inspects, reads"),
    ("looked at", "checked, inspected, read"),
    ("looking at", "checking, reading"),
    ("look whether", "check whether"),
    ("looks whether", "checks whether"),
    ("listened to", "say which call failed"),
    ("turned over", "restarted, reloaded, changed over"),
    ("turn over", "change over"),
    ("taken back", "reverted"),
    ("take it back", "revert it"),
    ("called off", "canceled"),
    ("calls off", "cancels"),
    ("tidied away", "removed, cleaned up"),
    ("tidies away", "removes, cleans up"),
    ("the life", "the process"),
    ("a life", "a process"),
    ("this life", "this process"),
    ("the lives", "the processes"),
    ("two lives", "two starts"),
    ("more to know", "notes"),
    ("obey", "interpret"),
    ("obeys", "interprets"),
    ("power cut", "power failure"),
    ("power cuts", "power failures"),
    ("host goes back", "the host reverts"),
    ("going back", "a revert"),
    ("went back", "reverted"),
    ("puts back", "reverts, restores"),
    ("put back", "reverted, restored"),
    ("holds the host", "is in progress"),
    ("hold the host", "be in progress"),
    ("stopped on request", "interrupted, canceled"),
    ("not made of", "contains characters other than"),
    ("is written like", "write one such as"),
    ("takes at most", "accepts at most"),
    ("answers like", "responds like"),
    ("not to its end", "incomplete"),
    ("any more", "no longer"),
    ("room on the host", "space on the host"),
    ("put in place", "stored, created"),
    ("sets nothing", "sets no variables"),
    ("leaves the release", "is outside the release"),
    ("include anything again", "re-include"),
    ("kept connection", "keep-alive connection"),
    ("kept connections", "keep-alive connections"),
    ("changes of the environment", "changes to the environment"),
    ("reason of", "reason for"),
    ("also if", "even if, also when"),
    ("try how", "test how"),
    ("tries how", "tests how"),
    ("trying how", "testing how"),
    ("for some seconds", "for a few seconds"),
    ("already runs", "is already running"),
    ("runs already", "is already running"),
];

/// Characters of a name, an address or a path: `ann@desk` and `mend.rs` are names.
fn of_a_word(c: char) -> bool {
    c.is_alphanumeric() || "_@-/".contains(c)
}

/// Each banned phrase in a text, as `name:line`. A phrase may go on in the next line.
fn broken(name: &str, text: &str) -> Vec<String> {
    let (mut flat, mut lines, mut line) = (Vec::new(), Vec::new(), 1);
    for c in text.chars() {
        if !c.is_whitespace() {
            flat.extend(c.to_lowercase().take(1));
            lines.push(line);
        } else if flat.last().is_some_and(|last| *last != ' ') {
            flat.push(' ');
            lines.push(line);
        }
        line += usize::from(c == '\n');
    }
    let mut found = Vec::new();
    for (phrase, instead) in BANNED {
        let phrase: Vec<char> = phrase.chars().collect();
        for (at, window) in flat.windows(phrase.len()).enumerate() {
            let edge = |c: Option<&char>| c.is_none_or(|c| !of_a_word(*c));
            let whole = edge(at.checked_sub(1).and_then(|i| flat.get(i))) && edge(flat.get(at + phrase.len()));
            if window == phrase && whole {
                let phrase: String = phrase.iter().collect();
                found.push(format!("{name}:{}: `{phrase}` (write: {instead})", lines[at]));
            }
        }
    }
    found
}

#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "see docs/STYLE.md\n{}\n", found.join("\n"));
}

#[test]
fn a_phrase_is_found_where_it_is_a_phrase() {
    let found = |text: &str| broken("text", text).len();
    assert_eq!(found("it is Told\nfor\n  ever, and looked at"), 3);
    assert_eq!(
        broken("text", "one\ntwo told")[0],
        "text:2: `told` (write: reported, named)"
    );
    for fine in [
        "recommended, amended",
        "a well-known name, as well as a lookup; look it up",
        "ann@desk at /mend/desk",
        "the desktop, a personal key, forever",
        "retold, untold-of",
    ] {
        assert_eq!(broken("text", fine), Vec::<String>::new());
    }
}

/// The documents, by their paths.
fn documents() -> Vec<String> {
    let mut paths: Vec<String> = ["README.md", "CHANGELOG.md", "deploy.example.yml"]
        .map(String::from)
        .to_vec();
    for folder in ["docs", "docs/apps"] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ext| ext == "md") {
                paths.push(path.display().to_string());
            }
        }
    }
    paths.sort();
    assert!(paths.len() > 15, "{paths:?}");
    paths
}

#[test]
fn documents_are_free_of_private_words() {
    let text = |path: &String| {
        let text = fs::read_to_string(path).unwrap();
        // The table of the rules is copied from their titles.
        let ours = |line: &&str| path != "docs/units.md" || !line.starts_with("| `");
        text.lines()
            .map(|line| if ours(&line) { line } else { "" })
            .collect::<Vec<_>>()
            .join("\n")
    };
    // The guide names what it rules out.
    let all = documents().into_iter().filter(|path| path != "docs/STYLE.md");
    let all: Vec<String> = all.flat_map(|path| broken(&path, &text(&path))).collect();
    none(&all);
}

/// Whether a terminal may draw it as a picture, two columns wide or with colors of its own.
fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{231a}'..='\u{23ff}' | '\u{fe0f}' | '\u{200d}')
}

#[test]
fn nothing_that_is_read_has_emoji() {
    assert!("a \u{2705} and \u{1f680}".chars().any(is_emoji) && !"a \u{2192} b \u{2026}".chars().any(is_emoji));
    let mut found = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().enumerate().filter(|(_, line)| line.chars().any(is_emoji));
        found.extend(lines.map(|(at, line)| format!("{path}:{}: {line}", at + 1)));
    }
    let mut folders = vec![Path::new("src").to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let literals = literals(&fs::read_to_string(&path).unwrap());
                let picture = literals.into_iter().filter(|(_, text)| text.chars().any(is_emoji));
                found.extend(picture.map(|(line, text)| format!("{name}:{line}: {text}")));
            } else if fs::read_to_string(&path).is_ok_and(|text| text.chars().any(is_emoji)) {
                found.push(name);
            }
        }
    }
    none(&found);
}

/// The help of a command and of all below it.
fn help_of(command: &mut clap::Command, name: &str, all: &mut Vec<String>) {
    let help = command.render_long_help().to_string();
    all.extend(broken(&format!("{name} --help"), &help));
    let short = command.render_help().to_string();
    all.extend(broken(&format!("{name} -h"), &short));
    for sub in command.get_subcommands_mut() {
        let name = format!("{name} {}", sub.get_name());
        help_of(sub, &name, all);
    }
}

#[test]
fn every_help_text_is_free_of_private_words() {
    let mut root = Args::command();
    root.build();
    let mut all = Vec::new();
    help_of(&mut root, "shipit", &mut all);
    none(&all);
}

#[test]
fn what_the_rules_explain_is_free_of_private_words() {
    let all: Vec<String> = rules::all()
        .flat_map(|rule| broken(rule.name, &rule.explanation()))
        .collect();
    none(&all);
}

/// The string literals of a Rust file outside of its tests and comments, each with its line.
fn literals(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, word: &str| {
        let mut own = chars[at..].iter();
        word.chars().all(|c| own.next() == Some(&c))
    };
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    // The depth of braces, and at which depth a test module began.
    let (mut depth, mut tests, mut pending) = (0, None::<usize>, false);
    while at < chars.len() {
        let raw = chars[at] == 'r' && (starts(at, "r\"") || starts(at, "r#\""));
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
            continue;
        } else if raw || chars[at] == '"' {
            let hashes = usize::from(starts(at, "r#"));
            at += 1 + usize::from(raw) + hashes;
            let (mut literal, first) = (String::new(), line);
            while at < chars.len() {
                let ends = chars[at] == '"' && (hashes == 0 || chars.get(at + 1) == Some(&'#'));
                if ends {
                    break;
                }
                line += usize::from(chars[at] == '\n');
                if !raw && chars[at] == '\\' {
                    at += 1;
                    line += usize::from(chars[at] == '\n');
                    // `\n` and a line that goes on are a space to a reader.
                    literal.push(' ');
                } else {
                    literal.push(chars[at]);
                }
                at += 1;
            }
            at += hashes;
            if tests.is_none() {
                found.push((first, literal));
            }
        } else if chars[at] == '\'' && (chars.get(at + 2) == Some(&'\'') || starts(at, "'\\")) {
            // A character, not a lifetime.
            at += if starts(at, "'\\") { 3 } else { 2 };
        } else if starts(at, "#[cfg(test)]") {
            pending = true;
        } else if chars[at] == '{' {
            if pending && tests.is_none() {
                tests = Some(depth);
            }
            pending = false;
            depth += 1;
        } else if chars[at] == '}' {
            depth = depth.saturating_sub(1);
            if tests == Some(depth) {
                tests = None;
            }
        } else if chars[at] == ';' {
            pending = false;
        }
        line += usize::from(chars.get(at) == Some(&'\n'));
        at += 1;
    }
    found
}

#[test]
fn literals_are_found_outside_of_tests_and_comments() {
    let text = "fn f<'a>() { g('\"', \"one two\\n \\\"three\\\"\", '\\'') } // \"no\"\n\
                const R: &str = r#\"raw \"x\" text\"#;\n#[cfg(test)]\nmod tests { fn t() { \"no\"; } }\nx(\"last\")";
    let found: Vec<_> = literals(text);
    assert_eq!(found[0], (1, "one two   three ".to_owned()));
    assert_eq!(found[1], (2, "raw \"x\" text".to_owned()));
    assert_eq!(found[2], (5, "last".to_owned()));
    assert_eq!(found.len(), 3);
}

#[test]
fn messages_are_free_of_private_words() {
    let mut folders = vec![Path::new("src").to_owned()];
    let (mut all, mut seen) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
                for (line, text) in literals(&fs::read_to_string(&path).unwrap()) {
                    // Shorter ones are keys and names.
                    if text.len() > 12 && text.contains(' ') {
                        seen += 1;
                        all.extend(broken(&format!("{}:{line}", path.display()), &text));
                    }
                }
            }
        }
    }
    assert!(seen > 1000, "{seen}");
    all.sort();
    none(&all);
}

#[test]
fn host_scripts_print_no_private_words() {
    let mut folders = vec![Path::new("src/remote").to_owned()];
    let (mut all, mut seen) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "sh") {
                seen += 1;
                let text = fs::read_to_string(&path).unwrap();
                // A comment becomes an empty line, so that the numbers of the lines stay.
                let code = text
                    .lines()
                    .map(|line| if line.trim_start().starts_with('#') { "" } else { line });
                all.extend(broken(
                    &path.display().to_string(),
                    &code.collect::<Vec<_>>().join("\n"),
                ));
            }
        }
    }
    assert!(seen > 30, "{seen}");
    all.sort();
    none(&all);
}
