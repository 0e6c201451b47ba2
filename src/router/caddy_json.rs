//! caddy's configuration in JSON: where `reverse_proxy` handlers lead. Source: caddyserver.com, "JSON Config Structure",
//! `http/handlers/reverse_proxy` and `layer4/handlers/proxy`; network addresses in "Conventions".

use serde_json::Value;

use super::{Address, Forward, Reading};

/// Reads one file. JSON has no places: a forward stands where its address is first written.
pub(super) fn read(path: &str, text: &str) -> Reading {
    let mut reading = Reading::default();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let line = |dial: &str| {
                let mut lines = (1..).zip(text.lines());
                let quoted = serde_json::to_string(dial).unwrap_or_default();
                lines
                    .find(|(_, line)| line.contains(&quoted))
                    .map_or(1, |(number, _)| number)
            };
            walk(&value, path, &line, &mut reading);
        }
        Err(error) => {
            let line = u32::try_from(error.line()).unwrap_or(1);
            reading.unclear.push((path.to_owned(), line));
        }
    }
    reading
}

fn walk(value: &Value, path: &str, line: &impl Fn(&str) -> u32, reading: &mut Reading) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("dial", Value::String(dial)) => forward(dial, path, line, reading),
                    ("dial", Value::Array(all)) => {
                        for dial in all.iter().filter_map(Value::as_str) {
                            forward(dial, path, line, reading);
                        }
                    }
                    ("dynamic_upstreams", _) => reading.unclear.push((path.to_owned(), line(key))),
                    _ => walk(inner, path, line, reading),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| walk(one, path, line, reading)),
        _ => {}
    }
}

fn forward(dial: &str, path: &str, line: &impl Fn(&str) -> u32, reading: &mut Reading) {
    let place = (path.to_owned(), line(dial));
    let address = match dial.split_once('/') {
        Some(("unix", rest)) => rest.starts_with('/').then(|| Address::Unix(rest.to_owned())),
        Some(("tcp", rest)) => Address::tcp(rest, None),
        Some(_) => None,
        None => Address::tcp(dial, None),
    };
    match address {
        Some(address) => reading.forwards.push(Forward {
            address,
            written: dial.to_owned(),
            place,
            peer: None,
        }),
        None => reading.unclear.push(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handler_that_forwards_is_found_however_deep() {
        let text = r#"{"apps": {"http": {"servers": {"a": {"listen": [":443"], "routes": [{"handle": [{"handler": "subroute",
            "routes": [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:8080"},
              {"dial": "unix//run/acme.sock"}, {"dial": "{env.UP}"}]}]}]}]}]}}},
            "layer4": {"x": [{"handler": "proxy", "upstreams": [{"dial": ["tcp/[::1]:9"]}]}]}}}"#;
        let reading = read("/f", text);
        let mut found: Vec<String> = reading
            .forwards
            .iter()
            .map(|one| format!("{} :{}", one.address, one.place.1))
            .collect();
        found.sort();
        assert_eq!(found, ["/run/acme.sock :3", "127.0.0.1:8080 :2", "[::1]:9 :4"]);
        assert_eq!(reading.unclear, [("/f".to_owned(), 3)]);
        assert_eq!(read("/f", "{\n oops").unclear, [("/f".to_owned(), 2)]);
        assert_eq!(read("/f", r#"{"dynamic_upstreams": {}}"#).unclear.len(), 1);
    }
}
