//! Django: its WSGI module, its settings, and what it needs on the host. Never runs manage.py.

use super::directory::{Directory, lists};
use super::python_app::is_identifier;
use super::{About, Project};

/// Django's WSGI module, beside the settings that manage.py names.
pub(super) fn object(dir: &Directory, base: &str) -> String {
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

/// What a Django project needs besides its packages. Returns the option of manage.py that names the settings for
/// production, if they are not its default.
pub(super) fn needs(dir: &Directory, base: &str, project: &mut Project) -> String {
    let production = production(dir, base);
    let option = production.as_deref().map(|module| format!(" --settings={module}"));
    let option = option.unwrap_or_default();
    if let Some(module) = &production {
        project.check(
            About::Unit,
            format!("manage.py uses other settings by default: set DJANGO_SETTINGS_MODULE={module} in the environment file (`shipit env set`)"),
        );
    }
    let settings = || dir.sources("py").filter(|(path, _)| path.contains("settings"));
    if settings().any(|(_, text)| text.lines().any(|line| line.trim_start().starts_with("STATIC_ROOT"))) {
        Project::append(
            &mut project.prepare,
            &format!(".venv/bin/python {base}manage.py collectstatic --noinput{option}"),
        );
        project.check(
            About::Prepare,
            "`collectstatic` runs without /etc/APP/env: the settings must load without secrets",
        );
    }
    database(dir, settings(), base, project);
    if settings().any(|(_, text)| text.lines().any(|line| line.trim_start().starts_with("MEDIA_ROOT"))) {
        project.check(
            About::Shared,
            "uploads go to MEDIA_ROOT: if that is below the release, name it in `shared`",
        );
    }
    option
}

/// The database, if it is a file. One below the release is in a directory that all releases share; the one of
/// `startproject` is in none, and its line has to change.
fn database<'a>(
    dir: &Directory,
    mut settings: impl Iterator<Item = (&'a str, &'a str)>,
    base: &str,
    project: &mut Project,
) {
    let Some((path, text)) = settings.find(|(_, text)| text.contains("django.db.backends.sqlite3")) else {
        return;
    };
    let line = text
        .lines()
        .map(str::trim_start)
        .find(|line| !line.starts_with('#') && ["NAME", "BASE_DIR", ".sqlite3"].iter().all(|word| line.contains(word)));
    let file = line.and_then(below_base);
    // A directory that the repository has is shipped.
    let mut all = dir.all();
    let own = all.any(|(path, _)| path.starts_with("data/") && path != "data/" && !path.contains(".sqlite3"));
    let known = file
        .as_deref()
        .is_some_and(|file| file == "db" || file.starts_with("data/"));
    if own || !base.is_empty() || !known {
        return project.check(
            About::Shared,
            "the settings name an SQLite database: keep it in a shared directory, or each release starts empty",
        );
    }
    project.shared.push("data");
    // The developer's own.
    project.exclude.extend(["/data/", "/db.sqlite3"]);
    if file.as_deref() == Some("db") {
        let new = match line.is_some_and(|line| line.contains("join(")) {
            true => "os.path.join(BASE_DIR, 'data/db.sqlite3')",
            false => "BASE_DIR / 'data/db.sqlite3'",
        };
        project.check(
            About::Shared,
            format!("the SQLite database would be in the release, where the app cannot write: in {path}, write 'NAME': {new}"),
        );
    }
}

/// The path below BASE_DIR, without its ending: `data/db` of `BASE_DIR / 'data' / 'db.sqlite3'`.
fn below_base(line: &str) -> Option<String> {
    let (before, _) = line.rsplit_once(".sqlite3")?;
    let (_, after) = before.split_once("BASE_DIR")?;
    // Of BASE_DIR.parent nothing is below the release.
    if !after.trim_start_matches(')').trim_start().starts_with(['/', ',']) {
        return None;
    }
    // Every second part stands in quotes; the last one has no end.
    let parts: Vec<&str> = after.split(['"', '\'']).skip(1).step_by(2).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The settings for production, where manage.py has those of a developer and both are modules of one package.
fn production(dir: &Directory, base: &str) -> Option<String> {
    let text = dir.text(&format!("{base}manage.py"));
    let module = text
        .split_once("DJANGO_SETTINGS_MODULE")
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(2))?;
    let (package, name) = module.rsplit_once('.')?;
    if !lists("dev development develop local", name) || !package.split('.').all(is_identifier) {
        return None;
    }
    let place = format!("{base}{}", package.replace('.', "/"));
    let names = ["production", "prod", "live"].into_iter();
    let found = names.into_iter().find(|name| dir.has(&format!("{place}/{name}.py")))?;
    Some(format!("{package}.{found}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn a_database_that_is_a_file_is_in_a_shared_directory_or_its_line_is_named() {
        let shop = |line: &str, more: &[(&str, &str)]| {
            let settings = format!("DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3',\n{line}}}}}");
            let own = [
                ("requirements.txt", "django\ngunicorn"),
                ("manage.py", "'DJANGO_SETTINGS_MODULE', 'shop.settings'"),
                ("shop/wsgi.py", ""),
                ("shop/settings.py", &settings),
            ];
            project(&[&own[..], more].concat())
        };
        for (line, new) in [
            ("'NAME': BASE_DIR / 'db.sqlite3',", "BASE_DIR / 'data/db.sqlite3'"),
            (
                "'NAME': os.path.join(BASE_DIR, 'db.sqlite3'),",
                "os.path.join(BASE_DIR, 'data/db.sqlite3')",
            ),
        ] {
            let new = format!("in shop/settings.py, write 'NAME': {new}");
            let shop = shop(line, &[]);
            assert!(checks(&shop, &new) && shop.shared == ["data"], "{shop:?}");
        }
        for line in [
            "'NAME': BASE_DIR / 'data/db.sqlite3',",
            "'NAME': BASE_DIR / 'data' / 'db.sqlite3',",
            "\"NAME\": os.path.join(BASE_DIR, \"data\", \"db.sqlite3\"),",
            "# 'NAME': BASE_DIR / 'db.sqlite3',\n'NAME': str(BASE_DIR / 'data/shop.sqlite3'),",
        ] {
            let ready = shop(line, &[("data/shop.sqlite3", "")]);
            assert!(
                !checks(&ready, "SQLite") && ready.shared == ["data"],
                "{line}: {ready:?}"
            );
            assert!(ready.exclude.contains(&"/data/") && ready.exclude.contains(&"/db.sqlite3"));
        }
        let data = [("data/countries.csv", "")];
        for (line, more) in [
            ("'NAME': '/srv/shop.sqlite3',", &[][..]),
            ("'NAME': BASE_DIR / 'var' / 'db.sqlite3',", &[]),
            ("'NAME': BASE_DIR.parent / 'db.sqlite3',", &[]),
            ("'NAME': os.environ['DB'],", &[]),
            ("'NAME': BASE_DIR / 'db.sqlite3',", &data),
        ] {
            let other = shop(line, more);
            assert!(
                checks(&other, "keep it in a shared directory") && other.shared.is_empty(),
                "{line}"
            );
        }
    }

    #[test]
    fn the_settings_are_those_for_production() {
        let manage = (
            "manage.py",
            "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings.dev\")",
        );
        let files = [
            ("requirements.txt", "django\ngunicorn"),
            manage,
            ("shop/wsgi.py", ""),
            ("shop/settings/dev.py", "STATIC_ROOT = 'x'"),
        ];
        let both = project(&[&files[..], &[("shop/settings/prod.py", "x = 1")]].concat());
        assert!(
            both.migrate
                .as_deref()
                .unwrap()
                .ends_with(" migrate --noinput --settings=shop.settings.prod")
        );
        assert!(
            both.prepare
                .as_deref()
                .unwrap()
                .ends_with(" collectstatic --noinput --settings=shop.settings.prod")
        );
        assert!(checks(&both, "set DJANGO_SETTINGS_MODULE=shop.settings.prod"));
        let one = project(&files);
        assert!(
            one.migrate.as_deref().unwrap().ends_with(" migrate --noinput"),
            "{one:?}"
        );
    }
}
