//! Where the app answers: its health route and its port, in deployment files and in its source. Every answer names where it
//! was found. Never decides.

use super::container;
use super::directory::Directory;

/// A path that answers for the app's health, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) from: String,
    /// A deployment file names it for this purpose; otherwise it is a route of the source.
    pub(super) named: bool,
}

/// Routes that frameworks and people use for health checks, the most specific first.
const ROUTES: &str = "/healthz /health /api/health /api/healthz /health/ /healthcheck /health-check /health_check /api/healthcheck \
    /up /livez /readyz /ready /_health /-/healthy /alive /health/live /health/ready /actuator/health /api/v1/health /api/ping /ping /status /api/status";

/// The health route: named by a deployment file, else a route that exists.
/// `kinds` are those of the app's source files.
pub(super) fn health(dir: &Directory, kinds: &str) -> Option<Route> {
    deployed(dir).or_else(|| routed(dir, kinds))
}

fn deployed(dir: &Directory) -> Option<Route> {
    let files = [
        "Dockerfile",
        "Containerfile",
        "fly.toml",
        "render.yaml",
        "railway.json",
        "railway.toml",
        "app.json",
        "compose.yml",
        "compose.yaml",
        "docker-compose.yml",
        "docker-compose.yaml",
    ];
    files.iter().find_map(|file| {
        let asks = |line: &&str| {
            let line = line.to_ascii_lowercase();
            line.contains("http://localhost")
                || line.contains("http://127.0.0.1")
                || line.contains("http://0.0.0.0")
                || (line.contains("path") && (*file == "fly.toml" || line.contains("health")))
        };
        let text = if file.contains("compose") {
            built(dir.text(file))
        } else {
            dir.text(file).to_owned()
        };
        let found: Option<String> = text.lines().filter(asks).find_map(|line| {
            let path = line.split_once("://").map_or_else(
                || quoted(line).find(|text| text.starts_with('/')),
                |(_, rest)| {
                    rest.find('/')
                        .map(|at| rest[at..].split(is_end).next().unwrap_or_default())
                },
            )?;
            is_route(path).then(|| path.to_owned())
        });
        found.map(|path| Route {
            path,
            from: (*file).into(),
            named: true,
        })
    })
}

/// The services of a compose file that can be the app. The others are databases and the like, which have health checks of
/// their own.
fn built(text: &str) -> String {
    const OTHERS: [&str; 16] = [
        "postgres",
        "mysql",
        "mariadb",
        "redis",
        "valkey",
        "mongo",
        "opensearch",
        "elastic",
        "rabbitmq",
        "kafka",
        "minio",
        "memcached",
        "clickhouse",
        "keycloak",
        "mail",
        "traefik",
    ];
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines().skip_while(|line| !line.starts_with("services:")).skip(1) {
        let depth = line.len() - line.trim_start().len();
        if depth == 0 && !line.trim().is_empty() && !line.starts_with('#') {
            break;
        }
        match blocks.last_mut() {
            Some(last) if depth != 2 || line.trim_start().starts_with('#') => {
                last.push_str(line);
                last.push('\n');
            }
            _ => blocks.push(format!("{line}\n")),
        }
    }
    let other = |block: &String| {
        let name = block.lines().next().unwrap_or_default();
        let image = block.lines().find(|line| line.trim_start().starts_with("image:"));
        let image = image.and_then(|line| line.rsplit('/').next()).unwrap_or_default();
        OTHERS.iter().any(|other| name.contains(other) || image.contains(other))
    };
    blocks.into_iter().filter(|block| !other(block)).collect()
}

fn is_end(c: char) -> bool {
    c.is_whitespace() || "\"'`)],;|&}$".contains(c)
}

fn is_route(path: &str) -> bool {
    path.starts_with('/') && path.len() < 80 && path.chars().all(|c| c.is_ascii_alphanumeric() || "/_-.".contains(c))
}

/// The texts in quotes of a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split(['"', '\'', '`']).skip(1)
}

/// A route of the source: a text in quotes, or a file of a router that goes by files.
fn routed(dir: &Directory, kinds: &str) -> Option<Route> {
    // Next.js, SvelteKit, Nuxt: the path of the file is the route.
    for route in ROUTES.split_whitespace().filter(|route| !route.ends_with('/')) {
        let ends = [
            "app{}/route.ts",
            "app{}/route.js",
            "pages{}.ts",
            "pages{}.js",
            "routes{}/+server.ts",
            "routes{}/+server.js",
            "server{}.get.ts",
            "server{}.ts",
            "server/routes{}.ts",
        ];
        let ends = ends.map(|end| end.replace("{}", route));
        let found = dir.all().find(|(path, _)| {
            ends.iter()
                .any(|end| *path == end || path.ends_with(&format!("/{end}")))
        });
        if let Some((path, _)) = found {
            return Some(Route {
                path: route.into(),
                from: path.into(),
                named: false,
            });
        }
    }
    ROUTES.split_whitespace().find_map(|route| {
        let bare = &route[1..];
        let found = dir.sources(kinds).find(|(path, text)| {
            let django = path.ends_with("urls.py") || path.ends_with("routes.rb");
            text.lines().filter(|line| line.contains(bare)).any(|line| {
                let texts = quoted(line).map(|text| text.strip_prefix("GET ").unwrap_or(text));
                // A call of another service is no route of this one.
                let calls = [
                    "fetch(",
                    "axios",
                    "http.Get(",
                    "requests.",
                    "httpx.",
                    "curl",
                    "HTTParty",
                ];
                let asks = calls.iter().any(|call| line.contains(call));
                !asks && texts.into_iter().any(|text| text == route || django && text == bare)
            })
        });
        found.map(|(path, _)| Route {
            path: route.into(),
            from: path.into(),
            named: false,
        })
    })
}

/// The port that an app listens on, as its source has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// It names this one, in this file.
    Fixed(u16, String),
    /// The environment decides: it reads `PORT`.
    Environment,
    Unknown,
}

/// Ports of databases, caches, queues and mail: an app connects to them.
const FOREIGN: [u16; 14] = [
    1025, 1433, 3306, 4222, 5432, 5433, 5672, 6379, 6432, 8125, 9092, 9200, 11211, 27017,
];

/// The port that the app's container names.
pub(super) fn container_port(dir: &Directory) -> Option<u16> {
    container::port(dir)
}

pub(super) fn port(dir: &Directory, kinds: &str) -> Port {
    if dir.sources(kinds).any(|(_, text)| names_port(text)) {
        return Port::Environment;
    }
    // The container of the app names the one that the whole program listens on.
    if let (Some(port), Some(file)) = (container::port(dir), container::dockerfile(dir)) {
        return Port::Fixed(port, format!("according to {file}, the app"));
    }
    const CALLS: [&str; 9] = [
        ".listen(",
        "ListenAndServe(",
        "app.run(",
        "bind(",
        "net.Listen(",
        ".Run(",
        "TcpListener",
        "port:",
        "port =",
    ];
    // `vite.config.js` and `config/dev.exs` configure a development server.
    let own = |path: &str| !path.contains(".config.") && !["dev.exs", "test.exs"].iter().any(|end| path.ends_with(end));
    let mut sources = dir.sources(kinds).filter(|(path, _)| own(path));
    let found = sources.find_map(|(path, text)| {
        // Tests of Rust stand below the code.
        let lines = text
            .lines()
            .map(str::trim_start)
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .filter(|line| !line.starts_with("//") && !line.starts_with('#'));
        let mut lines = lines.filter(|line| CALLS.iter().any(|call| line.contains(call)));
        lines
            .find_map(|line| {
                let at = CALLS.iter().find_map(|call| Some(line.find(call)? + call.len()))?;
                let numbers = line[at..]
                    .split(|c: char| !c.is_ascii_digit() && c != '.')
                    .map(|word| word.trim_matches('.'));
                numbers
                    .filter_map(|word| word.parse::<u16>().ok())
                    .find(|port| *port >= 1024 && !FOREIGN.contains(port))
            })
            .map(|port| (port, path.to_owned()))
    });
    found.map_or(Port::Unknown, |(port, path)| Port::Fixed(port, path))
}

fn names_port(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == "PORT")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn the_health_check_of_a_database_is_not_that_of_the_app() {
        let search =
            "  opensearch:\n    build: dev\n    healthcheck:\n      test: curl http://localhost:9200/_cluster/health\n";
        let app = "  web:\n    image: x/app\n    healthcheck:\n      test: curl http://localhost:8000/alive\n";
        for (compose, route) in [
            (format!("services:\n{search}"), "/"),
            (format!("services:\n{search}{app}volumes:\n  x: {{}}\n"), "/alive"),
        ] {
            let files = [
                ("go.mod", "module x"),
                ("main.go", "package main"),
                ("compose.yml", compose.as_str()),
            ];
            assert_eq!(project(&files).health, route, "{compose}");
        }
    }

    #[test]
    fn a_port_is_the_apps_own_or_a_question() {
        for (file, text, port, asked) in [
            ("main.go", "package main\nconst port = 5432", 8080, true),
            (
                "main.go",
                "package main\nhttp.ListenAndServe(\":3000\", nil)",
                3000,
                false,
            ),
            ("main.go", "package main\nos.Getenv(\"PORT\")", 8080, false),
            ("main.go", "package main", 8080, true),
        ] {
            let project = project(&[("go.mod", "module x"), (file, text)]);
            assert_eq!(project.port, port, "{text}");
            assert_eq!(checks(&project, "does the app listen on 8080?"), asked, "{text}");
        }
        let tested = project(&[
            ("Cargo.toml", "[package]\nname = \"x\""),
            (
                "src/main.rs",
                "fn main() {}\n#[cfg(test)]\nmod tests { TcpListener::bind(\"0.0.0.0:8085\") }",
            ),
        ]);
        assert_eq!(tested.port, 8080);
    }
}
