//! PHP, by composer.json or index.php. Runs in php-fpm, whose unit belongs to the distribution and is never written here.

use super::{Directory, Project};
use crate::unit::strategy::Strategy;

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    let composer = dir.has("composer.json");
    if !composer && !dir.has("public/index.php") {
        return None;
    }
    let laravel = dir.has("artisan");
    let mut project = Project::new(if laravel {
        "Laravel (composer.json)"
    } else if composer {
        "PHP (composer.json)"
    } else {
        "PHP (public/index.php)"
    });
    if composer {
        project.prepare = Some("composer install --no-dev --no-interaction --optimize-autoloader".into());
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
    project.strategy = Strategy::Reload;
    project.because = "php-fpm finishes running requests and clears its cache of the old release";
    project
        .notes
        .push("change the version in php8.2-fpm.service to that of your host".into());
    project.notes.push(
        "in nginx, set `fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name`: otherwise opcache keeps the old files".into(),
    );
    Some(project)
}
