//! nginx's configuration: where `server` in an upstream, `proxy_pass` and its kin lead, and which files are included.
//! Source: nginx.org, `ngx_http_upstream_module`, `ngx_http_proxy_module`, and how 1.22 and 1.26 split words.

use super::{Address, Forward, Peer, Reading};

/// The directives that forward, and the port that each takes for granted.
const PASSES: [(&str, Option<u16>); 5] = [
    ("proxy_pass", None),
    ("grpc_pass", Some(80)),
    ("fastcgi_pass", None),
    ("uwsgi_pass", None),
    ("scgi_pass", None),
];
/// What may stand before an address, and the port that it takes for granted.
const SCHEMES: [(&str, Option<u16>); 6] = [
    ("http://", Some(80)),
    ("https://", Some(443)),
    ("grpc://", Some(80)),
    ("grpcs://", Some(443)),
    ("uwsgi://", None),
    ("suwsgi://", None),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

pub(super) fn read(path: &str, text: &str) -> Reading {
    let mut reading = Reading::default();
    let place = |line: u32| (path.to_owned(), line);
    let tokens = split(text);
    let mut words: Vec<(String, u32)> = Vec::new();
    // The blocks around: an upstream's name and line, or something else.
    let mut blocks: Vec<Option<(String, u32)>> = Vec::new();
    let mut last = 1;
    for (token, line) in tokens.all {
        last = line;
        match token {
            Token::Word(word) => words.push((word, line)),
            Token::Open => {
                let plain: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
                blocks.push(match plain[..] {
                    ["upstream", name] => {
                        reading.names.push(name.to_owned());
                        Some((name.to_owned(), line))
                    }
                    _ => None,
                });
                if plain.first().is_some_and(|word| word.ends_with("_by_lua_block")) {
                    reading.unclear.push(place(line));
                }
                words.clear();
            }
            Token::Close if blocks.pop().is_none() => reading.unclear.push(place(line)),
            Token::Close => words.clear(),
            Token::End => {
                let upstream = blocks.iter().rev().flatten().next();
                directive(path, &words, upstream, &mut reading);
                words.clear();
            }
        }
    }
    if !blocks.is_empty() || !words.is_empty() || !tokens.whole {
        reading.unclear.push(place(last));
    }
    reading
}

fn directive(path: &str, words: &[(String, u32)], upstream: Option<&(String, u32)>, reading: &mut Reading) {
    let [(name, line), (value, _), rest @ ..] = words else {
        return;
    };
    let place = (path.to_owned(), *line);
    if name == "include" {
        // From the directory of nginx.conf, wherever the file lies that includes.
        reading.includes.push(value.clone());
        return;
    }
    let (address, peer) = if name == "server" {
        let has = |flag: &str| rest.iter().any(|(word, _)| word == flag);
        // In a file that an upstream includes there is no block around: the file stands for it.
        let peer = Peer {
            upstream: upstream.map_or((path.to_owned(), 0), |(_, line)| (path.to_owned(), *line)),
            name: upstream.map_or_else(|| path.to_owned(), |(name, _)| name.clone()),
            forgiven: has("max_fails=0"),
            down: has("down"),
        };
        (address(value, Some(80)), Some(peer))
    } else if let Some((_, port)) = PASSES.iter().find(|(pass, _)| pass == name) {
        (address(value, *port), None)
    } else {
        return;
    };
    let (written, found) = address;
    match found {
        Some(address) => reading.forwards.push(Forward {
            address,
            written,
            place,
            peer,
        }),
        // A name alone is an upstream, in this file or another.
        None if plain(&written) => reading.named.push((written, place)),
        None => reading.unclear.push(place),
    }
}

fn plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['$', ':', '/', '{', '}'])
}

/// The authority as written, and the address that it is, if it is one.
fn address(value: &str, port: Option<u16>) -> (String, Option<Address>) {
    let scheme = SCHEMES.iter().find(|(scheme, _)| {
        let head = value.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    });
    let (rest, port) = scheme.map_or((value, port), |(scheme, port)| (&value[scheme.len()..], *port));
    if let Some(path) = rest.strip_prefix("unix:") {
        // `http://unix:/run/a.sock:/uri/`
        let path = path.split(':').next().unwrap_or(path);
        let known = path.starts_with('/') && !path.contains('$');
        return (format!("unix:{path}"), known.then(|| Address::Unix(path.to_owned())));
    }
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let whole = !value.contains('$') || scheme.is_some() && !authority.contains('$');
    let found = Address::tcp(authority, port).filter(|_| whole);
    (authority.to_owned(), found)
}

struct Tokens {
    all: Vec<(Token, u32)>,
    /// Whether every quote was closed.
    whole: bool,
}

/// Words as nginx splits them: quotes and comments only where a word begins; `}` is part of a word within one.
fn split(text: &str) -> Tokens {
    let mut all = Vec::new();
    let mut whole = true;
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            c if c.is_ascii_whitespace() => {}
            '#' => while chars.next_if(|&c| c != '\n').is_some() {},
            ';' => all.push((Token::End, line)),
            '{' => all.push((Token::Open, line)),
            '}' => all.push((Token::Close, line)),
            '"' | '\'' => {
                let (begun, mut word, mut closed) = (line, String::new(), false);
                while let Some(inner) = chars.next() {
                    line += u32::from(inner == '\n');
                    match inner {
                        '\\' => word.extend(chars.next().inspect(|&c| line += u32::from(c == '\n'))),
                        inner if inner == c => {
                            closed = true;
                            break;
                        }
                        inner => word.push(inner),
                    }
                }
                whole &= closed;
                all.push((Token::Word(word), begun));
            }
            first => {
                let (begun, mut word) = (line, String::new());
                let mut next = Some(first);
                while let Some(c) = next {
                    if c == '\\' {
                        word.extend(chars.next().inspect(|&c| line += u32::from(c == '\n')));
                    } else {
                        word.push(c);
                    }
                    let variable = c == '$';
                    next = chars.next_if(|&c| !c.is_ascii_whitespace() && c != ';' && (c != '{' || variable));
                }
                all.push((Token::Word(word), begun));
            }
        }
    }
    Tokens { all, whole }
}
