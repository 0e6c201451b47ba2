//! The tables of keys as a JSON Schema, for editors: it completes keys, shows their documentation from the example, and
//! marks most mistakes. It never refuses what `reader` takes; what a schema cannot state (two paths that overlap) only
//! `reader` knows. Nothing here reads a file.

use serde_json::{Map as Object, Value as Json, json};

use super::reader::{Key, Keys, Shape};
use super::{EXAMPLE, top};

/// The file that `shipit init` writes it to, beside `deploy.yml`.
pub const SCHEMA_NAME: &str = "deploy.schema.json";

const NAMES: &str = "^[a-z0-9_][a-z0-9_-]{0,30}$";

/// The schema of `deploy.yml`, in draft 7, which editors read best.
pub fn schema() -> String {
    let mut schema = map(top::TOP, &Place::default());
    let required = schema.remove("required").unwrap_or_default();
    let head = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "deploy.yml of shipit",
        // What every environment sets need not stand at the top.
        "if": {"not": {"required": ["environments"]}},
        "then": {"required": required},
    });
    extend(&mut schema, head);
    format!("{:#}\n", Json::Object(schema))
}

fn extend(schema: &mut Object<String, Json>, more: Json) {
    if let Json::Object(more) = more {
        schema.extend(more);
    }
}

/// Where in the example a map is: the keys above it.
#[derive(Clone, Default)]
struct Place {
    above: Vec<&'static str>,
}

impl Place {
    fn below(&self, key: &'static str) -> Self {
        let mut above = self.above.clone();
        // The check of a trial is documented as that of its service.
        if key == "health" && above.last() == Some(&"trial") {
            above.pop();
        }
        above.push(key);
        Self { above }
    }

    /// What the example writes about a key of this map: the comment above it, or behind one that is itself a comment.
    fn description(&self, key: &str) -> Option<String> {
        let lines: Vec<&str> = EXAMPLE.lines().collect();
        let bare = |line: &str| line.trim_start_matches([' ', '#', '-']).to_owned();
        let find = |from: usize, key: &str| {
            let key = format!("{key}:");
            let at = lines.iter().skip(from).position(|line| bare(line).starts_with(&key))?;
            Some(from + at)
        };
        let mut from = 0;
        for key in &self.above {
            from = find(from, key)? + 1;
        }
        let at = find(from, key)?;
        // Of a key that is itself a comment, the lines down from the one before it.
        let is_key = |line: &str| {
            let word = bare(line).split_once(':').map(|(word, _)| word.to_owned());
            word.is_some_and(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        };
        let above = |at: usize| {
            let comment = |line: &&&str| line.trim_start().starts_with('#') && !is_key(line);
            let mut above: Vec<String> = lines[..at]
                .iter()
                .rev()
                .take_while(comment)
                .map(|line| bare(line))
                .collect();
            above.reverse();
            above.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let text = if lines[at].trim_start().starts_with('#') {
            let line = bare(lines[at]);
            match line.split_once("    ") {
                Some((_, behind)) => behind.trim().to_owned(),
                None => above(at),
            }
        } else {
            above(at)
        };
        (!text.is_empty()).then_some(text)
    }
}

fn map(keys: Keys, place: &Place) -> Object<String, Json> {
    let property = |key: &Key| {
        let mut schema = of(&key.shape, &place.below(key.name));
        if let Some(text) = place.description(key.name) {
            schema.insert("description".into(), text.into());
        }
        (key.name.to_owned(), Json::Object(schema))
    };
    let properties: Object<_, _> = keys.iter().map(property).collect();
    let required: Vec<_> = keys.iter().filter(|key| key.must).map(|key| key.name).collect();
    let mut schema = Object::new();
    extend(
        &mut schema,
        json!({"type": "object", "additionalProperties": false, "properties": properties}),
    );
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema
}

fn of(shape: &Shape, place: &Place) -> Object<String, Json> {
    // `1.10`, `true` and `5` are taken as text, as they are written; a pattern applies to what is text for an editor too.
    const TEXT: [&str; 3] = ["string", "number", "boolean"];
    let mut schema = Object::new();
    let keywords = match shape {
        Shape::Text => json!({"type": TEXT, "pattern": "[^\\s]"}),
        Shape::Like(pattern) => json!({"type": TEXT, "pattern": pattern}),
        Shape::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::OneOf(words) => json!({"enum": words()}),
        Shape::List(item) => json!({"type": "array", "items": of(item, place)}),
        Shape::Map(keys) => Json::Object(map(keys, place)),
        Shape::Either(shapes) => json!({"anyOf": shapes.iter().map(|shape| of(shape, place)).collect::<Vec<_>>()}),
        Shape::Ruled(shape, rules) => {
            schema = of(shape, place);
            rules()
        }
        Shape::Named(keys, rules) => {
            let mut one = map(keys, place);
            extend(&mut one, rules());
            json!({"type": "object", "propertyNames": {"pattern": NAMES}, "additionalProperties": one})
        }
        Shape::Environments => {
            let mut environment = map_of_environment();
            environment.remove("required");
            json!({
                "type": "object",
                "propertyNames": {"pattern": NAMES},
                "additionalProperties": environment,
            })
        }
    };
    extend(&mut schema, keywords);
    schema
}

/// What may stand in one environment: a reference to each key at the top, but `environments`.
fn map_of_environment() -> Object<String, Json> {
    let keys = top::TOP.iter().filter(|key| !matches!(key.shape, Shape::Environments));
    let refer = |key: &Key| {
        (
            key.name.to_owned(),
            json!({"$ref": format!("#/properties/{}", key.name)}),
        )
    };
    let mut schema = Object::new();
    let properties: Object<_, _> = keys.map(refer).collect();
    extend(
        &mut schema,
        json!({"type": "object", "additionalProperties": false, "properties": properties}),
    );
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_repository_is_the_one_of_the_tables() {
        expect_test::expect_file!["../../deploy.schema.json"].assert_eq(&schema());
    }

    /// The key above these documents them.
    #[test]
    fn every_key_has_the_documentation_of_the_example() {
        let schema: Json = serde_json::from_str(&schema()).expect("JSON");
        let mut bare = Vec::new();
        undescribed("", &schema, &mut bare);
        assert_eq!(
            bare,
            [
                "/migrate/unit",
                "/services/health/unix/path",
                "/services/health/unix/socket",
                "/services/trial/health/unix/path",
                "/services/trial/health/unix/socket",
            ]
        );
    }

    fn undescribed(path: &str, schema: &Json, bare: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}/{name}");
            if property["description"].is_null() {
                bare.push(path.clone());
            }
            undescribed(&path, property, bare);
            undescribed(&path, &property["items"], bare);
            undescribed(&path, &property["anyOf"][1], bare);
        }
    }
}
