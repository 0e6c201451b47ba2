//! How others build this Go program: the lines of `go build` in the Dockerfile and the Makefile, with their tags, cgo and
//! package. Never decides; `go` does.

use super::container;
use super::directory::Directory;

/// What the lines of `go build` have in common.
#[derive(Debug, Default)]
pub(super) struct Recipe {
    /// The tags, and the file that names them.
    pub(super) tags: Option<(String, String)>,
    /// Tags that only a shell or make knows, and their file.
    pub(super) unknown: Option<(String, String)>,
    /// The value of `CGO_ENABLED`, or 1 where C libraries are installed for the build.
    pub(super) cgo: Option<bool>,
    /// Directories of packages, `cmd/shop`, in the order of the lines.
    pub(super) packages: Vec<String>,
}

pub(super) fn recipe(dir: &Directory) -> Recipe {
    let mut recipe = Recipe::default();
    let container = |path: &str| {
        let base = path.rsplit('/').next().unwrap_or(path);
        (base == "Dockerfile" || base == "Containerfile") && !path.starts_with("packaging/")
    };
    let mut files: Vec<&str> = dir.all().map(|(path, _)| path).filter(|path| container(path)).collect();
    files.retain(|path| path.matches('/').count() < 3);
    files.sort_by_key(|path| path.matches('/').count());
    files.extend(["Makefile", "GNUmakefile"].into_iter().filter(|file| dir.has(file)));
    for file in files {
        let text = dir.text(file);
        let lines = container::instructions(text);
        let builds: Vec<&String> = lines.iter().filter(|line| line.contains("go build")).collect();
        if builds.is_empty() {
            continue;
        }
        let make = file.ends_with("akefile");
        for line in &builds {
            // A line for another system says nothing about this one.
            if ["darwin", "windows", "freebsd", "openbsd"]
                .iter()
                .any(|os| line.contains(os))
                && make
            {
                continue;
            }
            take(line, file, text, &mut recipe);
        }
        if recipe.cgo.is_none() && !make {
            let says = |value: &str| {
                let forms = [format!("CGO_ENABLED={value}"), format!("CGO_ENABLED {value}")];
                lines.iter().any(|line| forms.iter().any(|form| line.contains(form)))
            };
            const COMPILERS: [&str; 4] = ["build-base", "build-essential", "gcc", "musl-dev"];
            let installs = |line: &&str| line.trim_start().starts_with("RUN ");
            let mut words = lines
                .iter()
                .map(|line| line.as_ref())
                .filter(installs)
                .flat_map(str::split_whitespace);
            let compiler = words.any(|word| COMPILERS.contains(&word));
            recipe.cgo = match (says("1"), says("0")) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => compiler.then_some(true),
            };
        }
    }
    recipe
}

/// Reads the part of a line that follows `go build`.
fn take(line: &str, file: &str, text: &str, recipe: &mut Recipe) {
    for part in line.split("go build").skip(1) {
        let part = part.split("&&").next().unwrap_or_default();
        let part = part.split(" # ").next().unwrap_or_default();
        let words = container::words(part).unwrap_or_else(|| part.split_whitespace().map(str::to_owned).collect());
        let mut words = words.iter().map(|word| word.trim_end_matches([';', ')']));
        while let Some(word) = words.next() {
            let (name, value) = word
                .split_once('=')
                .map_or((word, None), |(name, value)| (name, Some(value.to_owned())));
            match name.trim_start_matches('-') {
                "tags" if name.starts_with('-') => {
                    let value = value.or_else(|| words.next().map(str::to_owned)).unwrap_or_default();
                    let found = resolved(&value, text);
                    match found {
                        Some(tags) if recipe.tags.is_none() => recipe.tags = Some((tags, file.to_owned())),
                        None if recipe.unknown.is_none() && !value.is_empty() => {
                            recipe.unknown = Some((value, file.to_owned()));
                        }
                        _ => {}
                    }
                }
                "o" | "ldflags" | "gcflags" | "asmflags" | "mod" | "p" | "buildmode" | "C" | "modfile" | "pgo"
                    if name.starts_with('-') =>
                {
                    if value.is_none() {
                        words.next();
                    }
                }
                _ if word.starts_with('-') => {}
                _ => {
                    let path = word.trim_start_matches("./").trim_end_matches('/');
                    let path = path.rsplit_once('/').map_or(path, |(place, base)| {
                        if base.ends_with(".go") || base == "..." {
                            place
                        } else {
                            path
                        }
                    });
                    let path = if path == "." || path.ends_with(".go") { "" } else { path };
                    recipe.packages.push(path.to_owned());
                }
            }
        }
    }
}

/// Tags as they can stand in a command line. A variable is looked up in the same file; what only a program knows of it
/// is left out.
fn resolved(value: &str, text: &str) -> Option<String> {
    let name = value.trim_start_matches('$').trim_matches(['{', '}', '(', ')']);
    let value = if value.starts_with('$') {
        let defined = |line: &str| {
            let line = line.trim().trim_start_matches("ARG ").trim_start_matches("ENV ");
            let rest = line.trim_start_matches("export ").strip_prefix(name)?;
            let rest = rest.trim_start().trim_start_matches([':', '?']).strip_prefix('=')?;
            Some(rest.trim().trim_matches(['"', '\'']).to_owned())
        };
        text.lines().find_map(defined)?
    } else {
        value.to_owned()
    };
    let value = value.split('$').next().unwrap_or_default();
    let plain = |tag: &&str| tag.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let tags: Vec<&str> = value.split([',', ' ']).filter(|tag| !tag.is_empty()).collect();
    (!tags.is_empty() && tags.iter().all(plain)).then(|| tags.join(","))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    const MAIN: &str = "package main\nfunc main() {}";

    #[test]
    fn sqlite_in_c_is_built_with_cgo_also_where_another_package_needs_it() {
        for line in [
            "github.com/mattn/go-sqlite3 v1.14",
            "github.com/mattn/go-sqlite3 v1.14 // indirect",
        ] {
            let list = format!("module x\nrequire (\n\t{line}\n)\n");
            let native = project(&[("go.mod", &list), ("main.go", MAIN)]);
            assert_eq!(native.build.as_deref(), Some("CGO_ENABLED=1 go build -o build/acme ."));
            assert!(checks(&native, "contains C code"), "{native:?}");
        }
        let pure = project(&[("go.mod", "module x\nrequire modernc.org/sqlite v1"), ("main.go", MAIN)]);
        assert!(pure.build.unwrap().starts_with("CGO_ENABLED=0 go build "));
    }

    #[test]
    fn tags_and_package_are_those_of_the_dockerfile_or_the_makefile() {
        let list = ("go.mod", "module x");
        let docker = "FROM golang\nRUN apk add build-base\nRUN go build -v -tags \"pam prod\" \\\n  -ldflags \"-s -w\" \\\n  -o /x ./cmd/shop\n";
        let shop = project(&[
            list,
            ("Dockerfile", docker),
            ("gen.go", "package main"),
            ("cmd/shop/shop.go", MAIN),
            ("cmd/server/main.go", MAIN),
        ]);
        assert_eq!(
            shop.build.as_deref(),
            Some("CGO_ENABLED=1 go build -tags pam,prod -o build/acme ./cmd/shop")
        );
        assert!(checks(&shop, "`-tags pam,prod` comes from Dockerfile"));
        let make = "TAGS=netgo,fts5$(if $(X),$(X))\nbuild:\n\tgo build -tags=$(TAGS)\n";
        let docker =
            "FROM golang\nRUN <<EOT\nexport CGO_ENABLED=1\nT=$(./tags.sh)\ngo build -tags=\"${T}\" -o x .\nEOT\n";
        let files = [list, ("main.go", MAIN), ("Dockerfile", docker), ("Makefile", make)];
        assert_eq!(
            project(&files).build.as_deref(),
            Some("CGO_ENABLED=1 go build -tags netgo,fts5 -o build/acme .")
        );
        let asked = project(&files[..3]);
        assert_eq!(asked.build.as_deref(), Some("CGO_ENABLED=1 go build -o build/acme ."));
        assert!(checks(&asked, "Dockerfile builds with `-tags ${T}`"), "{asked:?}");
        let pure = docker.replace("CGO_ENABLED=1", "CGO_ENABLED=0");
        let pure = project(&[list, ("main.go", MAIN), ("Dockerfile", &pure), ("Makefile", make)]);
        assert_eq!(
            pure.build.as_deref(),
            Some("CGO_ENABLED=0 go build -tags netgo,fts5 -o build/acme .")
        );
        assert!(!checks(&pure, "-tags"), "{pure:?}");
        let hostile = "FROM golang\nRUN go build -tags 'a;id' ./cmd/$(id)\n";
        let hostile = project(&[list, ("main.go", MAIN), ("Dockerfile", hostile)]);
        assert_eq!(hostile.build.as_deref(), Some("CGO_ENABLED=0 go build -o build/acme ."));
    }

    #[test]
    fn a_package_without_a_main_function_is_no_program() {
        let tools = project(&[
            ("go.mod", "module x"),
            ("tools.go", "//go:build tools\npackage main\nimport _ \"x\""),
            ("gen.go", "//go:build ignore\npackage main\nfunc main() {}"),
            ("cmd/shop/shop.go", MAIN),
        ]);
        assert_eq!(
            tools.build.as_deref(),
            Some("CGO_ENABLED=0 go build -o build/acme ./cmd/shop")
        );
    }
}
