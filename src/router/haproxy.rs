//! haproxy's configuration: where `server` lines of backends lead. Source: haproxy's configuration manual, 2.2 (quoting)
//! and 5.2, 11 (addresses).

use super::{Address, Forward, Reading};

/// The words that begin a section.
const SECTIONS: &str = "global defaults frontend backend listen peers resolvers mailers userlist cache program http-errors ring \
     log-forward fcgi-app crt-store";

pub(super) fn read(path: &str, text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut section = "";
    for (number, line) in (1..).zip(text.lines()) {
        let place = || (path.to_owned(), number);
        let Some(words) = words(line) else {
            reading.unclear.push(place());
            continue;
        };
        let Some(first) = words.first() else { continue };
        if let Some(begun) = SECTIONS.split(' ').find(|name| name == first) {
            section = begun;
            continue;
        }
        if !matches!(section, "backend" | "listen") {
            continue;
        }
        let written = match (first.as_str(), &words[1..]) {
            ("server", [_, address, ..]) | ("dispatch", [address, ..]) => address,
            ("server-template", _) => {
                reading.unclear.push(place());
                continue;
            }
            _ => continue,
        };
        match address(written) {
            Some(address) => reading.forwards.push(Forward {
                address,
                written: written.clone(),
                place: place(),
                peer: None,
            }),
            None => reading.unclear.push(place()),
        }
    }
    reading
}

fn address(written: &str) -> Option<Address> {
    if written.contains('$') {
        return None;
    }
    let path = written.strip_prefix("unix@").unwrap_or(written);
    if path.starts_with('/') {
        return Some(Address::Unix(path.to_owned()));
    }
    let heads = ["ipv4@", "ipv6@"];
    let rest = heads.iter().find_map(|head| written.strip_prefix(head));
    // Without a port it is the client's.
    Address::tcp(rest.unwrap_or(written), None).filter(|_| written.contains(':'))
}

/// The words of a line. `None`: a quote is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') => break,
            (None, c) if c.is_ascii_whitespace() => all.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    quote.is_none().then_some(all)
}
