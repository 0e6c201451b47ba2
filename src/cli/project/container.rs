//! What the Dockerfile and the compose file show about the app's own container: its variables, its volumes, and the other
//! containers of the same image. Never decides.

use super::directory::{Directory, lists};

/// The Dockerfile at the top, or in a directory for it.
pub(super) fn dockerfile(dir: &Directory) -> Option<&'static str> {
    dir.first(&["Dockerfile", "Containerfile", "docker/Dockerfile", ".docker/Dockerfile"])
}

/// The instructions of a Dockerfile, one on a line, without comments.
pub(super) fn instructions(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        let part = line.strip_suffix('\\').unwrap_or(line);
        match all.last_mut().filter(|_| goes_on) {
            Some(last) => last.push_str(&format!(" {part}")),
            None => all.push(part.to_owned()),
        }
        goes_on = line.ends_with('\\');
    }
    all
}

/// The words of a line, with quotes removed. `None` for unbalanced quotes.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let (mut all, mut word, mut quote, mut open) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, open) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if open || !word.is_empty() {
                    all.push(std::mem::take(&mut word));
                }
                open = false;
            }
            (None, c) => word.push(c),
        }
    }
    if open || !word.is_empty() {
        all.push(word);
    }
    quote.is_none().then_some(all)
}

/// The instructions of the last stage, or of all: the word in capitals, and the rest.
pub(super) fn stage(dir: &Directory, last: bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in instructions(dockerfile(dir).map_or("", |file| dir.text(file))) {
        let Some((word, rest)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let word = word.to_ascii_uppercase();
        if last && word == "FROM" {
            found.clear();
        }
        found.push((word, rest.trim().to_owned()));
    }
    found
}

/// The port that the health check of the last stage asks, or that it exposes.
pub(super) fn port(dir: &Directory) -> Option<u16> {
    let stage = stage(dir, true);
    let of = |name: &'static str| {
        stage
            .iter()
            .filter(move |(word, _)| word == name)
            .map(|(_, rest)| rest.as_str())
    };
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u16>().ok().filter(|port| *port >= 1024)
    };
    let asked = of("HEALTHCHECK").find_map(|line| {
        let rest = ["localhost:", "127.0.0.1:"]
            .iter()
            .find_map(|host| Some(line.split_once(host)?.1))?;
        // `${SHOP_PORT:-8888}`
        match rest.strip_prefix("${") {
            Some(rest) => number(rest.split_once('-')?.1),
            None => number(rest),
        }
    });
    asked.or_else(|| of("EXPOSE").flat_map(str::split_whitespace).find_map(number))
}

/// Names and values of ENV in the last stage.
pub(super) fn variables(dir: &Directory) -> Vec<(String, String)> {
    let env = stage(dir, true).into_iter().filter(|(word, _)| word == "ENV");
    env.flat_map(|(_, rest)| match rest.split_once([' ', '=']) {
        Some((name, value)) if rest[name.len()..].starts_with(' ') => {
            vec![(name.to_owned(), value.trim().trim_matches(['"', '\'']).to_owned())]
        }
        _ => {
            let pairs = words(&rest).unwrap_or_default().into_iter();
            let pairs = pairs.filter_map(|pair| pair.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())));
            pairs.collect()
        }
    })
    .collect()
}

/// The directories that VOLUME of the last stage names, and the directory that the program starts in.
pub(super) fn volumes(dir: &Directory) -> (Vec<String>, Option<String>) {
    let (mut all, mut home) = (Vec::new(), None);
    for (word, rest) in stage(dir, true) {
        match word.as_str() {
            "WORKDIR" => home = Some(rest.trim_end_matches('/').to_owned()),
            "VOLUME" => {
                let list: Option<Vec<String>> = serde_json::from_str(&rest).ok();
                all.extend(list.unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect()));
            }
            _ => {}
        }
    }
    (all, home)
}

/// A service of a compose file.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) builds: bool,
    pub(super) command: String,
    /// Names of its variables.
    pub(super) variables: Vec<String>,
    /// `./data:/app/data`
    pub(super) volumes: Vec<String>,
}

pub(super) const COMPOSE: [&str; 4] = [
    "compose.yml",
    "compose.yaml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// The services of the compose file at the top that can be the app, without databases and the like.
pub(super) fn services(dir: &Directory) -> Option<(&'static str, Vec<Service>)> {
    let file = dir.first(&COMPOSE)?;
    let lines = expanded(dir.text(file));
    let mut all: Vec<Service> = Vec::new();
    let (mut key, mut first) = (String::new(), 0);
    for line in lines
        .iter()
        .skip_while(|line| !line.starts_with("services:"))
        .skip(1)
        .take_while(|line| line.starts_with([' ', '\t']))
    {
        let (depth, text) = (indent(line), line.trim());
        if first == 0 {
            first = depth;
        }
        let pair = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        if depth == first {
            let name = text.trim_end_matches(':').trim_matches(['"', '\'']).to_owned();
            all.push(Service {
                name,
                ..Service::default()
            });
            continue;
        }
        let Some(service) = all.last_mut() else { continue };
        if let (Some((name, value)), false) = (pair, text.starts_with('-'))
            && depth <= first * 2
        {
            key = name.to_owned();
            let value = value.trim_matches(['"', '\'']).to_owned();
            match name {
                "image" => service.image = value,
                "build" => service.builds = true,
                "command" => service.command = value,
                _ => {}
            }
            continue;
        }
        let item = text.trim_start_matches('-').trim().trim_matches(['"', '\'']);
        match key.as_str() {
            "environment" => {
                let name = item
                    .split([':', '='])
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .trim_matches(['"', '\'']);
                let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                if !name.is_empty() && name.chars().all(legal) {
                    service.variables.push(name.to_owned());
                }
            }
            "volumes" => service.volumes.push(item.to_owned()),
            "command" => service.command = format!("{} {item}", service.command).trim().to_owned(),
            _ => {}
        }
    }
    all.retain(|service| !is_other(service));
    Some((file, all))
}

/// The service that is the app: the first that is built here, or the first of an image.
pub(super) fn own(services: &[Service]) -> Option<&Service> {
    services.iter().find(|service| service.builds).or(services.first())
}

fn is_other(service: &Service) -> bool {
    const OTHERS: &str = "postgres postgresql postgis mysql mariadb redis valkey keydb mongo mongodb opensearch elasticsearch elastic rabbitmq \
        kafka zookeeper minio memcached clickhouse keycloak mailhog maildev mailpit mailcatcher traefik nginx caddy db \
        database cache adminer phpmyadmin meilisearch chrome selenium node gotenberg tika broker localstack";
    let image = service.image.rsplit('/').next().unwrap_or_default();
    let image = image.split([':', '@']).next().unwrap_or_default();
    lists(OTHERS, image) || lists(OTHERS, &service.name)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines of a compose file without comments, with what `<<: *name` takes over in its place.
fn expanded(text: &str) -> Vec<String> {
    let plain = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let lines: Vec<&str> = text.lines().filter(plain).collect();
    let block = |name: &str, depth: usize| -> Vec<String> {
        let mark = format!("&{name}");
        let Some(at) = lines.iter().position(|line| line.trim_end().ends_with(&mark)) else {
            return Vec::new();
        };
        let outer = indent(lines[at]);
        let inner = lines[at + 1..].iter().take_while(|line| indent(line) > outer);
        let inner: Vec<&&str> = inner.collect();
        let base = inner.first().map_or(0, |line| indent(line));
        let moved = |line: &&&str| format!("{:1$}{2}", "", depth + indent(line).saturating_sub(base), line.trim());
        inner.iter().map(moved).collect()
    };
    let mut all = Vec::new();
    for line in &lines {
        match line.trim().strip_prefix("<<:") {
            Some(rest) => {
                let names = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
                let names = names.filter(|name| !name.is_empty());
                all.extend(names.flat_map(|name| block(name, indent(line))));
            }
            None => {
                let line = line.split(" #").next().unwrap_or(line);
                // `environment: &name` opens a block like any other.
                let line = line.split_once(": &").map_or(line, |(key, _)| &line[..=key.len()]);
                all.push(line.trim_end().to_owned());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str, text: &str) -> Directory {
        Directory {
            files: [(name.to_owned(), text.to_owned())].into(),
            above: None,
        }
    }

    #[test]
    fn the_last_stage_alone_names_variables_and_volumes() {
        let text = "FROM a\nENV OLD=1\nVOLUME /old\nFROM b\nWORKDIR /app/\nENV A=1 B=\"2 3\"\nENV MODE production\nVOLUME [\"/app/data\", \\\n  \"/media\"]\nVOLUME /x /y\n";
        let dir = directory("docker/Dockerfile", text);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            variables(&dir),
            [pair("A", "1"), pair("B", "2 3"), pair("MODE", "production")]
        );
        let (all, home) = volumes(&dir);
        assert_eq!(
            (all.join(" ").as_str(), home.as_deref()),
            ("/app/data /media /x /y", Some("/app"))
        );
    }

    #[test]
    fn the_port_is_the_one_that_the_image_asks_or_exposes() {
        for (text, port_of) in [
            ("FROM a\nEXPOSE 9\nFROM b\nEXPOSE 22 3000/tcp\n", Some(3000)),
            (
                "FROM a\nEXPOSE 1\nHEALTHCHECK CMD curl \"http://localhost:${X:-8888}/h\"\n",
                Some(8888),
            ),
            ("FROM a\nHEALTHCHECK CMD curl http://127.0.0.1:4000/h\n", Some(4000)),
            ("FROM a\nEXPOSE $PORT\n", None),
            ("FROM a\nEXPOSE 80\n", None),
        ] {
            assert_eq!(port(&directory("Dockerfile", text)), port_of, "{text}");
        }
    }

    #[test]
    fn a_compose_file_is_read_with_what_its_services_share() {
        let text = "x-all: &all\n  build:\n    context: .\n  environment: &env\n    KEY: 1 # one\nservices:\n  web:\n    <<: *all\n    command: serve\n    volumes:\n      - ./data:/app/data\n  jobs:\n    image: shop\n    environment:\n      <<: *env\n      - OTHER=2\n  db:\n    image: docker.io/library/postgres:16\n    environment:\n      POSTGRES_DB: x\nvolumes:\n  data:\n";
        let dir = directory("compose.yaml", text);
        let (file, all) = services(&dir).unwrap_or_default();
        assert_eq!((file, all.len()), ("compose.yaml", 2), "{all:?}");
        assert!(
            all[0].builds && all[0].command == "serve" && all[0].variables == ["KEY"],
            "{all:?}"
        );
        assert_eq!(all[0].volumes, ["./data:/app/data"]);
        assert_eq!(all[1].variables, ["KEY", "OTHER"]);
    }
}
