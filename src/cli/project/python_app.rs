//! The application object of a Python project: which module, which name, and which interface. Pure.

use super::directory::{Directory, lists};
use super::{About, Project};

/// Django's WSGI module, beside the settings that manage.py names.
pub(super) fn settings(dir: &Directory, base: &str) -> String {
    let quoted = dir
        .text(&format!("{base}manage.py"))
        .split_once("DJANGO_SETTINGS_MODULE")
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(2));
    let by_file = dir
        .named("wsgi.py")
        .find_map(|(path, _)| path.strip_prefix(base)?.strip_suffix("/wsgi.py"));
    let package = quoted.and_then(|module| module.split('.').next());
    // config/settings/production.py and config/wsgi.py: the file that exists decides.
    let package = by_file
        .map(|path| path.replace('/', "."))
        .or_else(|| package.map(str::to_owned));
    let package = package
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'));
    format!("{}.wsgi:application", package.unwrap_or_else(|| "config".into()))
}

/// The application object of a source file.
pub(super) struct Object {
    module: String,
    name: String,
    /// The directory that has to be on Python's path: `src`.
    below: &'static str,
    pub(super) asgi: bool,
    factory: bool,
}

pub(super) fn object(dir: &Directory) -> Option<Object> {
    const CLASSES: [(&str, bool); 9] = [
        ("FastAPI(", true),
        ("Starlette(", true),
        ("Litestar(", true),
        ("Quart(", true),
        ("Flask(", false),
        ("Bottle(", false),
        ("falcon.App(", false),
        ("dash.Dash(", false),
        ("Sanic(", true),
    ];
    let mut sources: Vec<_> = dir.sources("py").collect();
    // `main.py` before `app/api/v2/internal.py`.
    sources.sort_by_key(|(path, _)| {
        (
            path.matches('/').count(),
            !["main.py", "app.py", "wsgi.py", "asgi.py"].contains(path),
        )
    });
    let made = |text: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = name.split(':').next().unwrap_or_default().trim_end();
            let (_, asgi) = CLASSES.iter().find(|(class, _)| {
                value
                    .trim_start()
                    .rsplit('.')
                    .next()
                    .unwrap_or_default()
                    .starts_with(class)
                    || value.trim_start().starts_with(class)
            })?;
            // Indented: a local variable of a factory.
            (!line.starts_with(char::is_whitespace) && is_identifier(name)).then(|| (name.to_owned(), *asgi))
        })
    };
    let factory = |text: &str| {
        text.lines().find_map(|line| {
            let name = line.strip_prefix("def ")?.split_once('(')?;
            let required = name
                .1
                .split(')')
                .next()
                .unwrap_or_default()
                .split(',')
                .any(|part| !part.trim().is_empty() && !part.contains('='));
            (lists("create_app make_app get_app build_app", name.0) && !required).then(|| name.0.to_owned())
        })
    };
    let place = |path: &str| {
        let (below, rest) = path.strip_prefix("src/").map_or(("", path), |rest| ("src", rest));
        let module = rest.strip_suffix(".py").unwrap_or(rest).replace('/', ".");
        let module = module.strip_suffix(".__init__").unwrap_or(&module).to_owned();
        (below, module)
    };
    let plain = sources.iter().find_map(|(path, text)| {
        let (name, asgi) = made(text)?;
        let (below, module) = place(path);
        module.split('.').all(is_identifier).then_some(Object {
            module,
            name,
            below,
            asgi,
            factory: false,
        })
    });
    plain.or_else(|| {
        sources.iter().find_map(|(path, text)| {
            let name = factory(text)?;
            let (below, module) = place(path);
            let asgi = CLASSES.iter().any(|(class, asgi)| *asgi && text.contains(class));
            module.split('.').all(is_identifier).then_some(Object {
                module,
                name,
                below,
                asgi,
                factory: true,
            })
        })
    })
}

pub(super) fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The application object as gunicorn and uvicorn take it.
pub(super) fn named(object: Option<Object>, asgi: bool, project: &mut Project) -> String {
    let Some(object) = object else {
        let usual = if asgi { "main:app" } else { "app:app" };
        project.check(
            About::Command,
            format!("no application object found in the source: {usual} is assumed"),
        );
        return usual.into();
    };
    let path = if object.below.is_empty() {
        String::new()
    } else {
        "--app-dir {root}/current/src ".to_owned()
    };
    match (object.factory, asgi) {
        (true, true) => format!("{path}--factory {}:{}", object.module, object.name),
        (true, false) => format!("{path}\"{}:{}()\"", object.module, object.name),
        (false, _) => format!("{path}{}:{}", object.module, object.name),
    }
}

/// `[project.scripts]`: the name of the only script, its module and its function.
pub(super) fn script(text: &str) -> Option<(String, String, String)> {
    let mut lines = text
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[project.scripts]")
        .skip(1);
    let (name, value) = lines.next()?.split_once('=')?;
    let (module, call) = value.trim().trim_matches(['"', '\'']).split_once(':')?;
    (module.split('.').all(is_identifier) && is_identifier(call))
        .then(|| (name.trim().to_owned(), module.to_owned(), call.to_owned()))
}
