//! Every key that `deploy.yml` may have, each with an example that can be pasted. `reader` knows no other
//! keys, and a test holds `deploy.example.yml` against this list.

pub(super) struct Key {
    pub name: &'static str,
    pub example: &'static str,
    /// Whether its map is nothing without it.
    pub need: Need,
}

/// Whether a key may be left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    May,
    /// It may not (at the top: not in the top and the chosen environment together).
    Must,
}

/// The keys of one kind of map.
pub(super) type Keys = &'static [Key];

const fn key(name: &'static str, example: &'static str) -> Key {
    Key {
        name,
        example,
        need: Need::May,
    }
}

const fn must(name: &'static str, example: &'static str) -> Key {
    Key {
        name,
        example,
        need: Need::Must,
    }
}

/// At the top, and in each environment except `environments` itself.
pub(super) const TOP: Keys = &[
    must("app", "app: acme"),
    must("host", "host: deploy@app.example.com"),
    key(
        "host_key",
        "host_key: SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8",
    ),
    key("root", "root: /opt/acme"),
    must("source", "source: build"),
    key("build", "build: make release"),
    key("exclude", "exclude: [\"*.map\"]"),
    key("shared", "shared: {dirs: [logs], files: [env]}"),
    key("prepare", "prepare: npm ci --omit=dev"),
    key("migrate", "migrate: acme-migrate.service"),
    must(
        "services",
        "services: [{unit: acme.service, strategy: restart}]",
    ),
    key("units", "units: deploy/units"),
    key("units_drift", "units_drift: refuse"),
    key("keep_releases", "keep_releases: 5"),
    key("hooks", "hooks: {before_switch: ./smoke.sh}"),
    key(
        "environments",
        "environments: {staging: {host: deploy@staging.example.com}}",
    ),
];

/// Below `shared`.
pub(super) const SHARED: Keys = &[
    key("dirs", "dirs: [logs]"),
    key("files", "files: [env, \"local.conf?\"]"),
];

/// Below `migrate`, in its long form.
pub(super) const MIGRATE: Keys = &[
    must("unit", "unit: acme-migrate.service"),
    key("timeout", "timeout: 10m"),
];

/// In each of `services`.
pub(super) const SERVICE: Keys = &[
    must("unit", "unit: acme.service"),
    must("strategy", "strategy: restart"),
    key("socket", "socket: acme.socket"),
    key("start_timeout", "start_timeout: 30s"),
    key("health", "health: {url: \"http://127.0.0.1:8080/healthz\"}"),
];

/// Below `health`.
pub(super) const HEALTH: Keys = &[
    key("url", "url: http://127.0.0.1:8080/healthz"),
    key(
        "unix",
        "unix: {socket: /run/acme/http.sock, path: /healthz}",
    ),
    key("tcp", "tcp: 127.0.0.1:5432"),
    key("command", "command: ./bin/check"),
    key("status", "status: 200"),
    key("contains", "contains: ok"),
    key("release", "release: true"),
    key("timeout", "timeout: 30s"),
    key("successes", "successes: 3"),
    key("watch", "watch: 3s"),
];

/// Below `health.unix`.
pub(super) const UNIX: Keys = &[
    must("socket", "socket: /run/acme/http.sock"),
    must("path", "path: /healthz"),
];

/// Below `hooks`.
pub(super) const HOOKS: Keys = &[
    key("before_switch", "before_switch: ./smoke.sh"),
    key("after_switch", "after_switch: ./notify.sh"),
    key("on_failure", "on_failure: ./page.sh"),
];

#[cfg(test)]
pub(super) const ALL: [Keys; 7] = [TOP, SHARED, MIGRATE, SERVICE, HEALTH, UNIX, HOOKS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_shows_and_explains_every_key() {
        for key in ALL.into_iter().flatten() {
            let written = format!("{}:", key.name);
            let line = crate::config::EXAMPLE.lines().position(|line| {
                let line = line.trim_start_matches([' ', '#', '-']);
                line.starts_with(&written)
            });
            assert!(
                line.is_some(),
                "deploy.example.yml does not have `{}`",
                key.name
            );
        }
    }
}
