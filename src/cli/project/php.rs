//! PHP, by composer.json or index.php. Runs in php-fpm, whose unit belongs to the distribution and is never written
//! here.

use serde_json::Value;

use super::{About, Directory, Project, evidence, node_install, version};
use crate::unit::strategy::Strategy;

/// Where the web server listens, unless the user says otherwise.
const PORT: u16 = 80;

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    let composer = dir.has("composer.json");
    let index = dir.first(&["public/index.php", "index.php", "web/index.php", "htdocs/index.php"]);
    if !composer && index.is_none() {
        return None;
    }
    let manifest: Value = serde_json::from_str(dir.text("composer.json")).unwrap_or_default();
    let requires = |name: &str| manifest["require"][name].is_string();
    let laravel = dir.has("artisan");
    let symfony = requires("symfony/framework-bundle") || dir.has("bin/console") && dir.has("symfony.lock");
    let wordpress = dir.has("wp-config-sample.php") || dir.has("wp-content/");
    let what = match () {
        () if laravel => "Laravel (composer.json)".to_owned(),
        () if symfony => "Symfony (composer.json)".to_owned(),
        () if wordpress => "WordPress (wp-content)".to_owned(),
        () if composer => "PHP (composer.json)".to_owned(),
        () => format!("PHP ({})", index.unwrap_or_default()),
    };
    let mut project = Project::new(what);
    if composer {
        project.prepare = Some("composer install --no-dev --no-interaction --optimize-autoloader".into());
    }
    project.exclude = vec!["/vendor/", "node_modules/"];
    if laravel {
        laravel_needs(dir, &mut project);
    } else if symfony {
        symfony_needs(dir, &requires, &mut project);
    } else if wordpress {
        project.exclude.clear();
        project.shared = vec!["wp-content/uploads"];
        project.shared_files = vec!["wp-config.php"];
        project.exclude.push("/wp-content/uploads/");
        project.check(
            About::Shared,
            "create wp-config.php in shared/ on the host before the first deploy",
        );
    } else {
        plain_needs(dir, &mut project);
    }
    assets(dir, &mut project);
    project.unit = Some("php8.2-fpm.service");
    project.strategy = Strategy::Reload;
    project.because = "php-fpm keeps its socket and clears the old release from its cache";
    let wanted = evidence::json(&manifest, "/require/php").map(|text| (text.to_owned(), "composer.json".to_owned()));
    version::check(&mut project, "PHP", wanted);
    project.check(
        About::Unit,
        "set `process_control_timeout = 30s` in the [global] section of php-fpm's configuration: otherwise a reload cuts \
         off requests in progress",
    );
    let web = match index {
        Some("index.php") | None => "current".to_owned(),
        Some(file) => format!("current/{}", file.trim_end_matches("/index.php")),
    };
    project.port = PORT;
    project.web = Some(web);
    project.ask_port(PORT);
    Some(project)
}

/// Front-end assets are built locally, if package.json has a build.
fn assets(dir: &Directory, project: &mut Project) {
    let package: Value = serde_json::from_str(dir.text("package.json")).unwrap_or_default();
    if package["scripts"]["build"].is_string() {
        project.build = Some(node_install::build(dir));
    }
}

/// Without a framework: a script of the usual name, and an SQLite database in `data`.
fn plain_needs(dir: &Directory, project: &mut Project) {
    if let Some(file) = dir.first(&["migrate.php", "bin/migrate.php"]) {
        project.migrate = Some(format!("/usr/bin/php {{root}}/next/{file}"));
        project.check(
            About::Migrate,
            format!("{file} runs before each switch to a new release: does it skip what it has already done?"),
        );
    }
    let in_data = |(path, text): &(&str, &str)| {
        let above = ["'/../data/", "\"/../data/", "dirname(__DIR__) . '/data/"];
        let names = |line: &str| match path.matches('/').count() {
            0 => line.contains("__DIR__ . '/data/") || line.contains("__DIR__ . \"/data/"),
            1 => above.iter().any(|place| line.contains(place)),
            _ => false,
        };
        text.lines().any(|line| line.contains("sqlite:") && names(line))
    };
    if dir.sources("php").any(|source| in_data(&source)) {
        project.shared = vec!["data"];
        project.exclude.push("/data/");
    }
}

fn laravel_needs(dir: &Directory, project: &mut Project) {
    project.exclude.extend(["/storage/", "/.env"]);
    project.shared = vec![
        "storage/app",
        "storage/framework/cache/data",
        "storage/framework/sessions",
        "storage/framework/views",
        "storage/logs",
    ];
    project.shared_files = vec![".env"];
    project.migrate = Some("/usr/bin/php {root}/next/artisan migrate --force".into());
    project.check(
        About::Shared,
        "create .env (APP_KEY, APP_ENV=production, the database) in shared/ on the host before the first deploy",
    );
    let own = |path: &&str| !["app/", "framework/", "logs/", "debugbar/", "clockwork/", "pail/"].contains(path);
    let kept = dir.all().filter_map(|(path, _)| path.strip_prefix("storage/"));
    let kept = kept
        .filter(|path| path.matches('/').count() == 1 && path.ends_with('/'))
        .filter(own);
    let kept: Vec<String> = kept
        .map(|path| format!("storage/{}", path.trim_end_matches('/')))
        .collect();
    if !kept.is_empty() {
        project.check(
            About::Shared,
            format!(
                "storage/ is not shipped: from {}, add to `shared` the directories that the app uses, with their \
                 subdirectories",
                kept.join(", ")
            ),
        );
    }
    project.check(
        About::Unit,
        "a queue needs a unit of its own (`artisan queue:work`), and the scheduler a timer (`artisan schedule:run`)",
    );
}

fn symfony_needs(dir: &Directory, requires: &dyn Fn(&str) -> bool, project: &mut Project) {
    project.exclude.extend(["/var/", "/.env.local"]);
    if dir.has(".env") {
        project.public = vec![".env"];
        if dir.has(".env.prod") {
            project.public.push(".env.prod");
        }
        project
            .exclude
            .extend(["/.env.dev", "/.env.test", ".env.*.local", "/.env.local.*"]);
        project.check(
            About::Secrets,
            "Symfony reads .env at every start, so it is shipped: it must contain no secret",
        );
    }
    project.shared = vec!["var/log", "var/sessions"];
    project.shared_files = vec![".env.local"];
    project.prepare = Some("APP_ENV=prod composer install --no-dev --no-interaction --optimize-autoloader && APP_ENV=prod php bin/console cache:warmup".into());
    if requires("symfony/asset-mapper") {
        Project::append(&mut project.prepare, "APP_ENV=prod php bin/console asset-map:compile");
    }
    if requires("doctrine/doctrine-migrations-bundle") {
        project.migrate =
            Some("/usr/bin/php {root}/next/bin/console doctrine:migrations:migrate --no-interaction --env=prod".into());
    }
    if requires("symfony/messenger") {
        project.check(
            About::Unit,
            "messages need a unit of their own: `bin/console messenger:consume`",
        );
    }
    project.check(
        About::Shared,
        "write .env.local (APP_ENV=prod, APP_SECRET, DATABASE_URL) into shared/ on the host before the first deploy",
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn a_migration_and_a_database_need_no_framework() {
        let database = |path, line| project(&[("public/index.php", ""), ("migrate.php", ""), (path, line)]);
        for (path, line) in [
            ("database.php", "new PDO('sqlite:' . __DIR__ . '/data/shop.sqlite')"),
            (
                "src/db.php",
                "new PDO('sqlite:' . dirname(__DIR__) . '/data/shop.sqlite')",
            ),
            (
                "src/db.php",
                "new PDO(\"sqlite:\" . __DIR__ . \"/../data/shop.sqlite\")",
            ),
        ] {
            let shop = database(path, line);
            assert_eq!(shop.migrate.as_deref(), Some("/usr/bin/php {root}/next/migrate.php"));
            assert!(shop.shared == ["data"] && shop.exclude.contains(&"/data/"), "{shop:?}");
            assert!(!checks(&shop, "SQLite"), "{shop:?}");
        }
        let elsewhere = database("src/db.php", "new PDO('sqlite:' . __DIR__ . '/data/shop.sqlite')");
        assert!(
            elsewhere.shared.is_empty() && checks(&elsewhere, "the app can use SQLite (src/db.php)"),
            "{elsewhere:?}"
        );
    }

    #[test]
    fn directories_of_laravel_that_nobody_shares_are_named() {
        let dirs = [
            ("artisan", ""),
            ("composer.json", "{}"),
            ("storage/app/", ""),
            ("storage/uploads/", ""),
        ];
        assert!(checks(
            &project(&dirs),
            "from storage/uploads, add to `shared` the directories that the app uses"
        ));
        assert!(!checks(&project(&dirs[..3]), "storage/ is not shipped"));
    }

    #[test]
    fn symfony_gets_the_file_that_it_reads_at_every_start() {
        let composer = ("composer.json", r#"{"require":{"symfony/framework-bundle":"7"}}"#);
        let with = project(&[composer, (".env", "")]);
        assert_eq!(with.public, [".env"]);
        assert!(checks(&with, "it must contain no secret"));
        assert!(project(&[composer]).public.is_empty());
    }
    #[test]
    fn laravel_gets_its_settings_its_assets_and_its_processes_named() {
        let package = r#"{"scripts":{"build":"vite build"},"devDependencies":{"laravel-vite-plugin":"1"}}"#;
        let laravel = project(&[
            ("artisan", ""),
            ("composer.json", "{}"),
            ("package.json", package),
            ("package-lock.json", "{}"),
        ]);
        assert_eq!(laravel.shared_files, [".env"]);
        assert!(laravel.shared.contains(&"storage/framework/sessions"));
        assert_eq!(laravel.build.as_deref(), Some("npm ci && npm run build"));
        assert!(
            laravel
                .prepare
                .is_some_and(|line| line.starts_with("composer install --no-dev "))
        );
        assert_eq!(
            laravel.migrate.as_deref(),
            Some("/usr/bin/php {root}/next/artisan migrate --force")
        );
        for named in ["APP_ENV=production", "`artisan queue:work`", "`artisan schedule:run`"] {
            assert!(laravel.checks.iter().any(|check| check.why.contains(named)), "{named}");
        }
    }

    #[test]
    fn symfony_gets_its_environment_its_assets_and_its_messages() {
        let composer = r#"{"require":{"symfony/framework-bundle":"7","symfony/asset-mapper":"7","symfony/messenger":"7",
            "doctrine/doctrine-migrations-bundle":"3"}}"#;
        let symfony = project(&[("composer.json", composer)]);
        assert_eq!(symfony.shared_files, [".env.local"]);
        let prepare = symfony.prepare.as_deref().unwrap();
        for step in [
            "APP_ENV=prod composer install --no-dev",
            "APP_ENV=prod php bin/console cache:warmup",
            "APP_ENV=prod php bin/console asset-map:compile",
        ] {
            assert!(prepare.contains(step), "{step}: {prepare}");
        }
        assert!(
            symfony
                .migrate
                .as_ref()
                .is_some_and(|line| line.contains("migrate --no-interaction --env=prod"))
        );
        assert!(checks(&symfony, "`bin/console messenger:consume`"));
        assert!(checks(
            &symfony,
            "write .env.local (APP_ENV=prod, APP_SECRET, DATABASE_URL)"
        ));
    }
}
