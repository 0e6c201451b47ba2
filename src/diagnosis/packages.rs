//! Which Debian package brings a program or a tool, and the line that installs it. Only names that Debian has; what it
//! does not package is looked for elsewhere, and never guessed here.

use crate::config::Config;
use crate::failure::Next;

/// Programs whose package has another name; and those whose package has the same.
const OTHERS: [(&str, &str); 20] = [
    ("awk", "mawk"),
    ("bundle", "bundler"),
    ("fallocate", "util-linux"),
    ("find", "findutils"),
    ("flock", "util-linux"),
    ("go", "golang-go"),
    ("GNU tar", "tar"),
    ("java", "default-jre-headless"),
    ("mix", "elixir"),
    ("mv -T", "coreutils"),
    ("mvn", "maven"),
    ("node", "nodejs"),
    ("php", "php-cli"),
    ("pip", "python3-pip"),
    ("pip3", "python3-pip"),
    ("poetry", "python3-poetry"),
    ("psql", "postgresql-client"),
    ("sha256sum", "coreutils"),
    ("sync", "coreutils"),
    ("timeout", "coreutils"),
];
const SAME: [&str; 27] = [
    "bash", "bundler", "caddy", "cargo", "composer", "curl", "elixir", "gcc", "git", "gradle", "gunicorn", "gzip",
    "hugo", "jekyll", "make", "npm", "patch", "perl", "pipenv", "puma", "python3", "rake", "rsync", "ruby", "sqlite3",
    "tar", "unzip",
];

/// The package of a program, by its name or its path. `None`: Debian has none, or it is not known here.
pub(super) fn package(program: &str) -> Option<&'static str> {
    const PLACES: [&str; 4] = ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"];
    let program = PLACES
        .iter()
        .find_map(|place| program.strip_prefix(place))
        .unwrap_or(program);
    let other = OTHERS.iter().find(|(name, _)| *name == program);
    let same = SAME.iter().find(|name| **name == program);
    other.map(|(_, package)| *package).or(same.copied())
}

/// The line that installs a package on the host, typed here.
pub(super) fn install(config: &Config, package: &str) -> Next {
    let root = config.host.of("root").ssh_to();
    Next::ssh(format!("-t {root} apt-get install {package}"))
}
