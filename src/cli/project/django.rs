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
    if settings().any(|(_, text)| text.contains("django.db.backends.sqlite3")) {
        project.check(
            About::Shared,
            "the settings name an SQLite database: keep it in a shared directory, or each release starts empty",
        );
    }
    if settings().any(|(_, text)| text.lines().any(|line| line.trim_start().starts_with("MEDIA_ROOT"))) {
        project.check(
            About::Shared,
            "uploads go to MEDIA_ROOT: if that is below the release, name it in `shared`",
        );
    }
    option
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
