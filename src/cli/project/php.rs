//! PHP: a composer.json, or an index.php. It is served by php-fpm, which belongs to the distribution.

use super::{Project, Seen};
use crate::config::StrategyName;

pub(super) fn recognise(seen: &Seen) -> Option<Project> {
    let composer = seen.has("composer.json");
    if !composer && !seen.has("public/index.php") {
        return None;
    }
    let laravel = seen.has("artisan");
    let mut project = Project::new(if laravel {
        "Laravel (composer.json)"
    } else if composer {
        "PHP (composer.json)"
    } else {
        "PHP (public/index.php)"
    });
    if composer {
        project.prepare =
            Some("composer install --no-dev --no-interaction --optimize-autoloader".into());
    }
    project.exclude = vec!["/vendor/", "node_modules/"];
    if laravel {
        project.exclude.push("/storage/");
        project.shared = vec![
            "storage/app",
            "storage/framework/cache",
            "storage/framework/sessions",
            "storage/framework/views",
            "storage/logs",
        ];
        project.migrate = Some("/usr/bin/php {root}/next/artisan migrate --force".into());
    }
    project.unit = Some("php8.2-fpm.service");
    project.strategy = StrategyName::Reload;
    project.because = "php-fpm finishes requests and drops what it has cached of the old release";
    project
        .notes
        .push("the version in php8.2-fpm.service is that of your host".into());
    project.notes.push(
        "in nginx, `fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name`: else opcache keeps the old files".into(),
    );
    Some(project)
}
