//! `prepare` as a step of stage: what decides whether the command runs or its outputs are taken over. `stage/outputs.sh`
//! compares and takes over; what it printed is read in `prepared`.

use sha2::{Digest as _, Sha256};

use super::base;
use crate::config::{Config, FILE_NAME, Prepare, Products, RelPath};
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::release::{Kind, Manifest};
use crate::remote::Script;
use crate::text;

/// Whether the command may be left out where its outputs are on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outputs {
    #[default]
    Reuse,
    /// The command runs.
    Make,
}

/// The script, if there is a command.
/// Fails if an input is not in the release, or an output is.
pub(super) fn script(
    config: &Config,
    observed: &Observed,
    manifest: &Manifest,
    id: &str,
    from: &str,
    outputs: Outputs,
) -> Result<Option<Script>, Failure> {
    let Some(prepare) = &config.prepare else {
        return Ok(None);
    };
    let mut args = vec![
        config.root.as_str().to_owned(),
        id.to_owned(),
        prepare.run.clone(),
        observed.live().unwrap_or("").to_owned(),
    ];
    match &prepare.products {
        None => args.extend(["", "", ""].map(str::to_owned)),
        Some(products) => {
            let from = if outputs == Outputs::Reuse { from } else { "" };
            args.extend([
                from.to_owned(),
                base::link_outputs(config, observed).word().to_owned(),
                recipe(prepare, products, manifest)?,
            ]);
            args.extend(products.outputs.iter().map(|path| format!("./{}", path.as_str())));
        }
    }
    Ok(Some(Script::prepare(args)))
}

/// What the client knows of what the command makes: the command, the names of its outputs, its inputs, and each file of
/// the release that it names.
fn recipe(prepare: &Prepare, products: &Products, manifest: &Manifest) -> Result<String, Failure> {
    let refuse = |what: String, advice: String| {
        Failure::new(Exit::Untouched, what)
            .host("nothing was sent or changed")
            .next(Next::advice(advice))
    };
    for entry in manifest.entries() {
        let in_the_way = |output: &&RelPath| output.meets(&entry.path) && !leads_to(output, &entry.path, &entry.kind);
        if let Some(output) = products.outputs.iter().find(in_the_way) {
            let (output, path) = (output.as_str(), text::shown(&entry.path));
            return Err(refuse(
                format!("`{output}` is in `prepare.outputs`, but the release contains `{path}`"),
                format!("add `{output}` to `exclude`, or correct `outputs` in {FILE_NAME}"),
            ));
        }
    }
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    add(prepare.run.as_bytes());
    for output in &products.outputs {
        add(output.as_str().as_bytes());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.+/-".contains(c);
    let words: Vec<&str> = prepare.run.split(|c| !plain(c)).collect();
    let words = words.iter().map(|word| word.trim_start_matches("./").as_bytes());
    let words: Vec<&[u8]> = words.collect();
    for input in &products.inputs {
        let mut found = false;
        for entry in manifest.entries().iter().filter(|entry| below(input, &entry.path)) {
            found = true;
            add(&entry.path);
            add(&content(&entry.kind));
        }
        if !found {
            return Err(refuse(
                format!("`{}` is in `prepare.inputs`, but not in the release", input.as_str()),
                format!("correct `inputs` or `exclude` in {FILE_NAME}"),
            ));
        }
    }
    for entry in manifest
        .entries()
        .iter()
        .filter(|entry| words.contains(&entry.path.as_slice()))
    {
        add(&entry.path);
        add(&content(&entry.kind));
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Whether a path is this one, or is below it.
fn below(outer: &RelPath, path: &[u8]) -> bool {
    let rest = path.strip_prefix(outer.as_str().as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// A directory of the release that an output is made in.
fn leads_to(output: &RelPath, path: &[u8], kind: &Kind) -> bool {
    *kind == Kind::Dir && !below(output, path)
}

fn content(kind: &Kind) -> Vec<u8> {
    match kind {
        Kind::Dir => b"d".to_vec(),
        Kind::File { sha256, exec, .. } => [if *exec { b"x" } else { b"f" }, &sha256[..]].concat(),
        Kind::Link { target } => [b"l", target.as_slice()].concat(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::release::Entry;

    fn file(path: &str, sha256: u8) -> Entry {
        let kind = Kind::File {
            size: 1,
            sha256: [sha256; 32],
            exec: false,
        };
        Entry {
            path: path.into(),
            kind,
        }
    }

    fn dir(path: &str) -> Entry {
        Entry {
            path: path.into(),
            kind: Kind::Dir,
        }
    }

    fn made(run: &str, inputs: &[&str], outputs: &[&str], entries: Vec<Entry>) -> Result<String, String> {
        let paths = |paths: &[&str]| paths.iter().map(|path| RelPath::parse(path).unwrap()).collect();
        let products = Products {
            inputs: paths(inputs),
            outputs: paths(outputs),
        };
        let prepare = Prepare {
            run: run.into(),
            products: None,
        };
        recipe(&prepare, &products, &Manifest::new(entries)).map_err(|failure| failure.what)
    }

    #[test]
    fn a_recipe_changes_with_the_command_its_inputs_and_the_files_that_it_names_and_nothing_else() {
        let tree = |lock, make, other| {
            vec![
                file("lock", lock),
                file("tools/make.sh", make),
                file("other", other),
                dir("in"),
                file("in/a", 1),
                dir("vendor"),
            ]
        };
        let of = |entries| made("sh ./tools/make.sh", &["lock", "in"], &["vendor/bundle"], entries).unwrap();
        let one = of(tree(1, 1, 1));
        assert_eq!(one, of(tree(1, 1, 2)), "another file");
        assert_ne!(one, of(tree(2, 1, 1)), "an input");
        assert_ne!(one, of(tree(1, 2, 1)), "a script that the command names");
        let more = [tree(1, 1, 1), vec![file("in/b", 1)]].concat();
        assert_ne!(one, of(more), "a file in a directory that is an input");
        let changed = made("sh tools/make.sh", &["lock", "in"], &["vendor/bundle"], tree(1, 1, 1)).unwrap();
        assert_ne!(one, changed, "the command");
    }

    #[test]
    fn an_input_that_is_not_in_the_release_and_an_output_that_is_are_refused() {
        let tree = || vec![file("lock", 1), dir("vendor"), file("vendor/a", 1), file("plain", 1)];
        let refused = |inputs: &[&str], outputs: &[&str]| made("x", inputs, outputs, tree()).unwrap_err();
        assert!(refused(&["lok"], &["out"]).contains("`lok` is in `prepare.inputs`, but not in the release"));
        assert!(refused(&["lock"], &["vendor"]).contains("but the release contains `vendor`"));
        assert!(refused(&["lock"], &["plain/x"]).contains("but the release contains `plain`"));
        made("x", &["lock", "vendor"], &["vendor/made", "out"], tree()).unwrap();
    }
}
