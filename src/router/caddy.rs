//! A Caddyfile: where `reverse_proxy` and `php_fastcgi` lead, and which files are imported. Source: caddyserver.com,
//! "Caddyfile Concepts" and `reverse_proxy`.

use super::{Address, Forward, Reading};

pub(super) fn read(path: &str, text: &str) -> Reading {
    let mut reading = Reading::default();
    let (lines, whole) = split(text);
    let place = |line: u32| (path.to_owned(), line);
    // How deep the braces are, and how deep the block of a proxy is that is open.
    let (mut depth, mut proxy) = (0usize, None);
    let mut snippets = Vec::new();
    let mut imports = Vec::new();
    let mut last = 1;
    for (words, line) in &lines {
        last = *line;
        let opens = words.last().is_some_and(|word| word == "{");
        let args = &words[1..words.len() - usize::from(opens && words.len() > 1)];
        match words[0].as_str() {
            "}" => {
                if depth == 0 {
                    reading.unclear.push(place(*line));
                }
                if proxy == Some(depth) {
                    proxy = None;
                }
                depth = depth.saturating_sub(1);
            }
            "reverse_proxy" | "php_fastcgi" => {
                let matched = args.first().is_some_and(|one| one.starts_with(['/', '@', '*']));
                upstreams(&args[usize::from(matched)..], &place(*line), &mut reading);
                proxy = opens.then_some(depth + 1).or(proxy);
            }
            "to" if proxy.is_some() => upstreams(args, &place(*line), &mut reading),
            "dynamic" if proxy.is_some() => reading.unclear.push(place(*line)),
            "import" => imports.extend(args.first().map(|name| (name.clone(), *line))),
            head => {
                let name = head.strip_prefix('(').and_then(|head| head.strip_suffix(')'));
                snippets.extend(name.map(str::to_owned));
            }
        }
        depth += usize::from(opens);
    }
    for (name, line) in imports {
        if snippets.contains(&name) {
            continue;
        }
        if name.contains(['{', '$']) {
            reading.unclear.push(place(line));
        } else if name.starts_with('/') {
            reading.includes.push(name);
        } else {
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            reading.includes.push(format!("{dir}/{name}"));
        }
    }
    if depth != 0 || !whole {
        reading.unclear.push(place(last));
    }
    reading
}

fn upstreams(all: &[String], place: &(String, u32), reading: &mut Reading) {
    for written in all {
        match address(written) {
            Some(address) => reading.forwards.push(Forward {
                address,
                written: written.clone(),
                place: place.clone(),
                peer: None,
            }),
            None => reading.unclear.push(place.clone()),
        }
    }
}

fn address(written: &str) -> Option<Address> {
    if written.contains(['{', '$']) {
        return None;
    }
    if let Some(rest) = written.strip_prefix("unix") {
        let path = rest.strip_prefix('/').or(rest.strip_prefix("+h2c/"));
        return path
            .filter(|path| path.starts_with('/'))
            .map(|path| Address::Unix(path.to_owned()));
    }
    let (rest, port) = match written.split_once("://") {
        Some(("http" | "h2c", rest)) => (rest, 80),
        Some(("https", rest)) => (rest, 443),
        Some(_) => return None,
        None => (written, 80),
    };
    Address::tcp(rest, Some(port))
}

/// The lines with a word on them, each with its number; and whether every quote was closed.
fn split(text: &str) -> (Vec<(Vec<String>, u32)>, bool) {
    let mut lines: Vec<(Vec<String>, u32)> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let (mut line, mut begun) = (1, 1);
    let mut chars = text.chars().peekable();
    let mut whole = true;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => {
                let escaped = chars.next_if(|&c| c == '"');
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => {
                line += u32::from(c == '\n');
                word.get_or_insert_default().push(c);
            }
            (None, '"' | '`') if word.is_none() => {
                quote = Some(c);
                word = Some(String::new());
            }
            (None, '#') if word.is_none() => while chars.next_if(|&c| c != '\n').is_some() {},
            // A backslash at the end of a line joins the next one to it.
            (None, '\\') if chars.next_if_eq(&'\n').is_some() => {
                line += 1;
                words.extend(word.take());
            }
            (None, '\n') => {
                words.extend(word.take());
                if !words.is_empty() {
                    lines.push((std::mem::take(&mut words), begun));
                }
                line += 1;
                begun = line;
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
        // A heredoc is not read.
        whole &=
            !(quote.is_none() && word.as_deref() == Some("<<") && chars.peek().is_some_and(char::is_ascii_alphabetic));
    }
    words.extend(word);
    if !words.is_empty() {
        lines.push((words, begun));
    }
    (lines, whole && quote.is_none())
}
