//! The application object of a Python project: which module, which name, and which interface. Pure.

use super::directory::{Directory, lists};
use super::{About, Project};

/// Names of functions that make the application object, and the names that it usually has.
const FACTORIES: &str =
    "create_app make_app get_app build_app create_application get_wsgi_application get_asgi_application";
const USUAL: &str = "app application";

/// The application object of a source file.
pub(super) struct Object {
    module: String,
    name: String,
    /// The directory of its package, which has lists of its own: `backend/`.
    pub(super) home: String,
    /// The directory that has to be on Python's path: `src`, `backend`.
    below: String,
    pub(super) asgi: bool,
    factory: bool,
}

impl Object {
    /// As a server of WSGI applications, or `flask --app`, takes it.
    pub(super) fn wsgi(&self) -> String {
        if self.factory {
            format!("\"{}:{}()\"", self.module, self.name)
        } else {
            format!("{}:{}", self.module, self.name)
        }
    }
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
            (lists(FACTORIES, name.0) && !required).then(|| name.0.to_owned())
        })
    };
    // What a server of WSGI or ASGI applications finds by the usual names: a function, or what a factory or an import gives.
    let usual = |path: &str, text: &str| {
        let base = path.rsplit('/').next().unwrap_or(path);
        let is_entry = lists("wsgi.py asgi.py", base);
        text.lines().find_map(|line| {
            let is_async = line.starts_with("async def ");
            if let Some(rest) = line.trim_start_matches("async ").strip_prefix("def ") {
                let (name, rest) = rest.split_once('(')?;
                let count = rest.split(')').next().unwrap_or_default().split(',').count();
                let takes = count == if is_async { 3 } else { 2 };
                return (lists(USUAL, name) && takes).then(|| (name.to_owned(), is_async));
            }
            if let Some((_, names)) = line.strip_prefix("from ").and_then(|rest| rest.split_once(" import ")) {
                let name = names.rsplit([' ', ',']).next().unwrap_or_default();
                return (is_entry && lists(USUAL, name)).then(|| (name.to_owned(), base != "wsgi.py"));
            }
            let (name, value) = line.split_once('=')?;
            let name = name.split(':').next().unwrap_or_default().trim_end();
            let called = value.trim_start().split('(').next().unwrap_or_default();
            let makes = lists(FACTORIES, called.rsplit('.').next().unwrap_or_default());
            (lists(USUAL, name) && !value.starts_with('=') && (is_entry || makes && value.contains('(')))
                .then(|| (name.to_owned(), base != "wsgi.py"))
        })
    };
    let place = |path: &str| {
        let lists = [
            "pyproject.toml",
            "requirements.txt",
            "setup.py",
            "setup.cfg",
            "Pipfile",
            "alembic.ini",
        ];
        let mut above = path.match_indices('/').map(|(at, _)| &path[..=at]);
        let home = above
            .rfind(|home| {
                let is_listed = lists.iter().any(|list| dir.has(&format!("{home}{list}")));
                // What is a package itself is imported from above it.
                is_listed && is_plain(home) && !dir.has(&format!("{home}__init__.py"))
            })
            .unwrap_or_default();
        let rest = &path[home.len()..];
        let (source, rest) = rest.strip_prefix("src/").map_or(("", rest), |rest| ("src", rest));
        let below = format!("{home}{source}").trim_end_matches('/').to_owned();
        let module = rest.strip_suffix(".py").unwrap_or(rest).replace('/', ".");
        let module = module.strip_suffix(".__init__").unwrap_or(&module).to_owned();
        (home.to_owned(), below, module)
    };
    let plain = sources.iter().find_map(|(path, text)| {
        let (name, asgi) = made(text).or_else(|| usual(path, text))?;
        let (home, below, module) = place(path);
        module.split('.').all(is_identifier).then_some(Object {
            module,
            name,
            home,
            below,
            asgi,
            factory: false,
        })
    });
    plain.or_else(|| {
        sources.iter().find_map(|(path, text)| {
            let name = factory(text)?;
            let (home, below, module) = place(path);
            let asgi = CLASSES.iter().any(|(class, asgi)| *asgi && text.contains(class));
            module.split('.').all(is_identifier).then_some(Object {
                module,
                name,
                home,
                below,
                asgi,
                factory: true,
            })
        })
    })
}

/// A path that needs no quoting in a unit.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
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
        format!("--app-dir {{root}}/current/{} ", object.below)
    };
    match (object.factory, asgi) {
        (true, true) => format!("{path}--factory {}:{}", object.module, object.name),
        _ => format!("{path}{}", object.wsgi()),
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

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn an_application_is_found_by_its_usual_name() {
        let list = ("requirements.txt", "gunicorn\n");
        for (file, text, object) in [
            (
                "wsgi.py",
                "import x\n\ndef application(environ, start_response):\n    pass\n",
                "wsgi:application",
            ),
            (
                "shop/web.py",
                "def app(environ, start_response):\n    pass\n",
                "shop.web:app",
            ),
            (
                "wsgi.py",
                "from shop import create_app\napplication = create_app()\n",
                "wsgi:application",
            ),
            ("main.py", "app = shop.create_app('x')\n", "main:app"),
            (
                "wsgi.py",
                "from shop.web import app as application\n",
                "wsgi:application",
            ),
            ("wsgi.py", "application: WSGI = Middleware(x)\n", "wsgi:application"),
        ] {
            let app = project(&[list, ("shop/", ""), (file, text)]);
            let command = app.command.clone().unwrap_or_default();
            assert!(command.ends_with(&format!(" {object}")), "{text}: {app:?}");
            assert!(!checks(&app, "no application object"), "{text}: {app:?}");
        }
        for text in [
            "app = typer.Typer()\n",
            "    app = create_app()\n",
            "app == create_app()\n",
            "def app():\n    pass\n",
        ] {
            let app = project(&[list, ("main.py", text)]);
            assert!(checks(&app, "no application object"), "{text}: {app:?}");
        }
        let asgi = project(&[
            ("requirements.txt", "uvicorn\n"),
            ("main.py", "async def app(scope, receive, send):\n    pass\n"),
        ]);
        assert!(
            asgi.command
                .is_some_and(|command| command.ends_with("uvicorn --fd 3 main:app"))
        );
    }

    const SCRIPTS: &str =
        "[project]\nname = 'shop'\n[project.scripts]\nshop-serve = \"shop.server:main\"\n[build-system]\n";

    #[test]
    fn a_script_of_the_project_is_run_where_nothing_else_serves() {
        let shop = project(&[("pyproject.toml", SCRIPTS), ("shop/server.py", "def main(): pass")]);
        assert_eq!(
            shop.command.as_deref(),
            Some("{root}/current/.venv/bin/python -c \"from shop.server import main; raise SystemExit(main())\"")
        );
        assert!(
            checks(&shop, "runs the script `shop-serve` from pyproject.toml"),
            "{shop:?}"
        );
        // An application object says more than a script.
        let served = SCRIPTS.replace("'shop'", "'shop'\ndependencies = ['flask', 'gunicorn']");
        let app = project(&[("pyproject.toml", &served), ("web.py", "app = Flask(1)")]);
        assert!(app.command.is_some_and(|command| command.ends_with(" web:app")));
        let hostile = SCRIPTS.replace("shop.server:main", "shop;id:main");
        let hostile = project(&[("pyproject.toml", &hostile)]);
        assert!(hostile.command.is_none_or(|command| !command.contains(";id")));
    }
}
