//! Static pages: an index.html, or what a generator builds. Never a program that serves.

use super::{About, Directory, Project, Serves, front};
use crate::unit::generate::Program;

/// Generators among packages of npm, the directory they build into, and where their public address is configured.
const PACKAGES: [(&str, &str, &str); 17] = [
    ("astro", "dist", "Astro"),
    ("@11ty/eleventy", "_site", "Eleventy"),
    ("gatsby", "public", "Gatsby"),
    ("@docusaurus/core", "build", "Docusaurus"),
    ("vitepress", "docs/.vitepress/dist", "VitePress"),
    ("vuepress", "docs/.vuepress/dist", "VuePress"),
    ("hexo", "public", "Hexo"),
    ("@sveltejs/adapter-static", "build", "SvelteKit"),
    ("react-scripts", "build", "Create React App"),
    ("@vue/cli-service", "dist", "Vue"),
    ("@angular/core", "dist", "Angular"),
    ("vite", "dist", "Vite"),
    ("rollup", "dist", "Rollup"),
    ("parcel", "dist", "Parcel"),
    ("webpack", "dist", "webpack"),
    ("esbuild", "dist", "esbuild"),
    ("metalsmith", "build", "Metalsmith"),
];

/// Generators with a configuration of their own: file, word in it, name, command, result.
const GENERATORS: [(&str, &str, &str, &str, &str); 9] = [
    ("hugo.toml", "", "Hugo", "hugo --minify", "public"),
    ("hugo.yaml", "", "Hugo", "hugo --minify", "public"),
    ("config.toml", "compile_sass", "Zola", "zola build", "public"),
    ("config.toml", "build_search_index", "Zola", "zola build", "public"),
    ("config.toml", "baseURL", "Hugo", "hugo --minify", "public"),
    ("config.toml", "base_url", "Zola", "zola build", "public"),
    ("config.yaml", "baseURL", "Hugo", "hugo --minify", "public"),
    ("mkdocs.yml", "", "MkDocs", "mkdocs build", "site"),
    ("_config.yml", "", "Jekyll", "jekyll build", "_site"),
];

fn pages(what: String, source: &str) -> Project {
    let mut project = Project::new(what);
    project.source = source.into();
    project.serves = Serves::Files;
    project.program = Some(Program::Static);
    project
}

/// A site that a package of npm builds with this command.
pub(super) fn built(dir: &Directory, uses: impl Fn(&str) -> bool, build: Option<&str>) -> Option<Project> {
    let (package, out, name) = PACKAGES.iter().find(|(package, ..)| uses(package))?;
    let mut site = pages(format!("{name} (package.json)"), out);
    site.build = Some(build?.to_owned());
    let named = [
        "astro.config.mjs",
        "astro.config.ts",
        "astro.config.js",
        "vite.config.js",
        "vite.config.ts",
    ]
    .iter()
    .find(|file| dir.text(file).contains("outDir") || dir.text(file).contains("output: 'server'"));
    match named {
        Some(file) => site.check(
            About::Source,
            format!("{file} changes where or what the build writes: assuming {out}"),
        ),
        None if *package == "@angular/core" => site.check(
            About::Source,
            "Angular builds into dist/NAME/browser: name that directory",
        ),
        None if ["rollup", "webpack", "esbuild", "parcel"].contains(package) => {
            site.check(
                About::Source,
                format!("the output of {name} depends on its configuration: assuming {out}"),
            );
        }
        None => {}
    }
    Some(site)
}

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    generated(dir).or_else(|| {
        let (file, source) = [
            ("index.html", "."),
            ("public/index.html", "public"),
            ("dist/index.html", "dist"),
        ]
        .into_iter()
        .find(|(file, _)| dir.has(file))?;
        Some(pages(format!("pages ({file})"), source))
    })
}

/// A site of Hugo, Zola, MkDocs or Jekyll.
pub(super) fn generated(dir: &Directory) -> Option<Project> {
    let (file, _, name, build, out) = GENERATORS.iter().find(|(file, word, name, ..)| {
        let jekyll = *name != "Jekyll"
            || dir.has("_layouts/")
            || dir.has("_posts/")
            || dir.depends(&["Gemfile"], "jekyll")
            || dir.depends(&["Gemfile"], "github-pages");
        dir.has(file) && dir.text(file).contains(word) && jekyll
    })?;
    let mut site = pages(format!("{name} ({file})"), out);
    let bundled = *name == "Jekyll" && dir.has("Gemfile");
    site.build = Some(if bundled {
        format!("JEKYLL_ENV=production bundle exec {build}")
    } else {
        (*build).to_owned()
    });
    if *name == "Hugo" {
        front::styles(dir, &mut site);
    }
    Some(site)
}
