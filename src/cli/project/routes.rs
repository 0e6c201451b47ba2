//! Where the app answers: its health route and its port, in deployment files and in its source. Every answer names where it
//! was found. Never decides.

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
        dir.text(file).lines().filter(asks).find_map(|line| {
            let path = line.split_once("://").map_or_else(
                || quoted(line).find(|text| text.starts_with('/')),
                |(_, rest)| {
                    rest.find('/')
                        .map(|at| rest[at..].split(is_end).next().unwrap_or_default())
                },
            )?;
            is_route(path).then(|| Route {
                path: path.into(),
                from: (*file).into(),
                named: true,
            })
        })
    })
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

/// A port that the source fixes, and the file. `None` where the environment decides (`PORT`).
pub(super) fn port(dir: &Directory, kinds: &str) -> Option<(u16, String)> {
    if dir.sources(kinds).any(|(_, text)| names_port(text)) {
        return None;
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
    // `vite.config.js` configures a development server.
    let mut sources = dir.sources(kinds).filter(|(path, _)| !path.contains(".config."));
    sources.find_map(|(path, text)| {
        let lines = text
            .lines()
            .map(str::trim_start)
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
                    .find(|port| *port >= 1024)
            })
            .map(|port| (port, path.to_owned()))
    })
}

fn names_port(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == "PORT")
}
