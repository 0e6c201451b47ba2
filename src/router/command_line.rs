//! Which files a router was told to read, from its command line: of the process that runs, else of its unit. Never guesses:
//! what does not follow from the words is said not to be known. Sources: nginx(8), haproxy(1) "-f", caddyserver.com
//! "Command Line"; what the processes show was looked at on hosts.

use super::Kind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With these files or directories, absolute, in this form.
    Files(Vec<String>, Form),
    /// Its words do not say with which; why.
    Unknown(&'static str),
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In the router's own language.
    Own,
    Json,
}

const RELATIVE: &str = "its command line names a file by a relative path";

/// From `/proc/PID/cmdline`: words with a NUL behind each; nginx writes its own title there.
pub(super) fn of_process(kind: Kind, line: &[u8]) -> Start {
    let text = String::from_utf8_lossy(line);
    let title = text.trim_end_matches('\0').strip_prefix("nginx: master process ");
    let words: Vec<&str> = match title {
        Some(title) => title.split_ascii_whitespace().collect(),
        None => text.split_terminator('\0').collect(),
    };
    of(kind, &words)
}

/// From `ExecStart=` as `systemctl show` prints it. Variables are not expanded there: one that stands for the file is taken
/// for the usual file, as Debian has it.
pub(super) fn of_unit(kind: Kind, shown: &str) -> Option<Start> {
    let (_, rest) = shown.split_once("argv[]=")?;
    let (argv, _) = rest.split_once(" ; ignore_errors=")?;
    let words: Vec<&str> = argv.split_ascii_whitespace().collect();
    match of(kind, &words) {
        Start::Files(files, _) if files.iter().any(|file| file.contains('$')) => None,
        _ if words
            .iter()
            .any(|word| word.starts_with("$CONFIG") || word.starts_with("${CONFIG")) =>
        {
            None
        }
        start => Some(start),
    }
}

fn of(kind: Kind, words: &[&str]) -> Start {
    let words = words.get(1..).unwrap_or_default();
    match kind {
        Kind::Nginx => nginx(words),
        Kind::Haproxy => haproxy(words),
        Kind::Caddy => caddy(words),
    }
}

/// The value of an option of one letter: `-c FILE` or `-cFILE`.
fn letter<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word.starts_with(option))?;
    match words[at].strip_prefix(option) {
        Some("") => words.get(at + 1).copied(),
        joined => joined,
    }
}

fn nginx(words: &[&str]) -> Start {
    let file = letter(words, "-c").unwrap_or(Kind::Nginx.file());
    match (file.starts_with('/'), letter(words, "-p")) {
        (true, _) => Start::Files(vec![file.to_owned()], Form::Own),
        (false, Some(prefix)) if prefix.starts_with('/') => {
            let prefix = prefix.trim_end_matches('/');
            Start::Files(vec![format!("{prefix}/{file}")], Form::Own)
        }
        _ => Start::Unknown(RELATIVE),
    }
}

fn haproxy(words: &[&str]) -> Start {
    let mut files = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "-f" => files.extend(words.next().map(|file| (*file).to_owned())),
            "--" => files.extend(words.by_ref().map(|file| (*file).to_owned())),
            _ => {}
        }
    }
    if files.is_empty() {
        Start::Unknown("its command line names no file")
    } else if files.iter().any(|file| !file.starts_with(['/', '$'])) {
        Start::Unknown(RELATIVE)
    } else {
        Start::Files(files, Form::Own)
    }
}

fn caddy(words: &[&str]) -> Start {
    let value = |names: [&str; 2]| {
        let mut all = words.iter().enumerate();
        all.find_map(|(at, word)| {
            if names.contains(word) {
                return words.get(at + 1).copied();
            }
            names.iter().find_map(|name| word.strip_prefix(name)?.strip_prefix('='))
        })
    };
    if words.contains(&"--resume") {
        return Start::Unknown("it loads the last configuration that its API received");
    }
    let Some(file) = value(["--config", "-c"]) else {
        return Start::Unknown("its command line names no file; it may have received one through its API");
    };
    let base = file.rsplit('/').next().unwrap_or(file).to_ascii_lowercase();
    let own = base.starts_with("caddyfile") || base.ends_with(".caddyfile");
    match value(["--adapter", "-a"]) {
        _ if !file.starts_with('/') => Start::Unknown(RELATIVE),
        Some("caddyfile") => Start::Files(vec![file.to_owned()], Form::Own),
        Some(_) => Start::Unknown("its configuration uses an adapter that shipit cannot read"),
        None if own && !base.ends_with(".json") => Start::Files(vec![file.to_owned()], Form::Own),
        None => Start::Files(vec![file.to_owned()], Form::Json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[&str]) -> Start {
        Start::Files(all.iter().map(|file| (*file).to_owned()).collect(), Form::Own)
    }

    fn runs(kind: Kind, line: &str) -> Start {
        of_process(kind, line.replace(' ', "\0").as_bytes())
    }

    #[test]
    fn a_process_says_what_it_reads() {
        let nginx = |rest: &str| {
            of_process(
                Kind::Nginx,
                format!("nginx: master process /usr/sbin/nginx {rest}").as_bytes(),
            )
        };
        assert_eq!(
            nginx("-g daemon on; master_process on;"),
            files(&["/etc/nginx/nginx.conf"])
        );
        assert_eq!(nginx("-c /srv/n.conf -g daemon on;\0\0"), files(&["/srv/n.conf"]));
        assert_eq!(nginx("-c conf/n.conf -p /srv/n/"), files(&["/srv/n/conf/n.conf"]));
        assert_eq!(nginx("-c n.conf"), Start::Unknown(RELATIVE));
        assert_eq!(runs(Kind::Nginx, "nginx -c/a.conf "), files(&["/a.conf"]));
        let ha = |rest: &str| runs(Kind::Haproxy, &format!("/usr/sbin/haproxy {rest} "));
        assert_eq!(
            ha("-sf 12 -x sock@4 -Ws -f /a.cfg -f /a.d -p /run/h.pid -S /run/h.sock"),
            files(&["/a.cfg", "/a.d"])
        );
        assert_eq!(ha("-D -- /a.cfg /b.cfg"), files(&["/a.cfg", "/b.cfg"]));
        assert_eq!(ha("-C /srv -f a.cfg"), Start::Unknown(RELATIVE));
        assert!(matches!(ha("-D"), Start::Unknown(_)));
        let caddy = |rest: &str| runs(Kind::Caddy, &format!("/usr/bin/caddy run --environ {rest} "));
        assert_eq!(caddy("--config /etc/caddy/Caddyfile"), files(&["/etc/caddy/Caddyfile"]));
        assert_eq!(
            caddy("--config=/srv/web.conf --adapter caddyfile"),
            files(&["/srv/web.conf"])
        );
        assert_eq!(
            caddy("-c /srv/web.json"),
            Start::Files(vec!["/srv/web.json".into()], Form::Json)
        );
        for unknown in [
            "",
            "--resume --config /a/Caddyfile",
            "--config Caddyfile",
            "--config /a.yml --adapter yaml",
        ] {
            assert!(matches!(caddy(unknown), Start::Unknown(_)), "{unknown}");
        }
    }

    #[test]
    fn a_unit_says_what_its_process_would_read() {
        let unit = |kind, argv: &str| {
            of_unit(
                kind,
                &format!("{{ path=/x ; argv[]={argv} ; ignore_errors=no ; start_time=[n/a] }}"),
            )
        };
        assert_eq!(
            unit(
                Kind::Nginx,
                "/usr/sbin/nginx -c /b.conf -g daemon on; master_process on;"
            ),
            Some(files(&["/b.conf"]))
        );
        assert_eq!(
            unit(Kind::Haproxy, "/usr/sbin/haproxy -Ws -f $CONFIG -p $PIDFILE $EXTRAOPTS"),
            None
        );
        assert_eq!(
            unit(Kind::Haproxy, "/usr/sbin/haproxy -Ws -f /b.cfg $EXTRAOPTS"),
            Some(files(&["/b.cfg"]))
        );
        assert_eq!(of_unit(Kind::Caddy, ""), None);
    }
}
