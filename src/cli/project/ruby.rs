//! Ruby, by its Gemfile: Rails, or any rack app. Never runs bundler.

use super::{About, Directory, Project, evidence, pages, products, puma, settings, version};
use crate::unit::generate::Program;

const LISTS: &[&str] = &["Gemfile", "Gemfile.lock"];

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    if !dir.has("Gemfile") {
        return None;
    }
    let rails = dir.depends(LISTS, "rails") || dir.has("bin/rails");
    if !rails && !dir.has("config.ru") {
        if let Some(site) = pages::generated(dir) {
            return Some(site);
        }
        // Tools such as fastlane and cocoapods come with a Gemfile in apps of another kind.
        if dir
            .first(&[
                "package.json",
                "go.mod",
                "Cargo.toml",
                "composer.json",
                "pyproject.toml",
            ])
            .is_some()
            && !["sinatra", "puma", "rack", "hanami", "roda"]
                .iter()
                .any(|gem| dir.depends(&["Gemfile"], gem))
        {
            return None;
        }
    }
    let mut project = Project::new(if rails { "Rails (Gemfile)" } else { "Ruby (Gemfile)" });
    // Gems are installed into the release: the deploy user cannot write elsewhere, and each release has its own.
    let mut prepare = String::from(products::BUNDLE);
    let assets = ["propshaft", "sprockets-rails", "sassc-rails", "sass-rails"]
        .iter()
        .any(|gem| dir.depends(LISTS, gem));
    if rails && assets {
        prepare.push_str(" && RAILS_ENV=production SECRET_KEY_BASE_DUMMY=1 bundle exec rails assets:precompile");
    }
    if prepare.contains("assets:precompile") {
        let missing = settings::required(dir, "rb ru");
        if let Some((_, file)) = missing.first() {
            let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
            let why = format!(
                "`assets:precompile` runs without /etc/APP/env, and {file} fails without {}: give it a default there, or a dummy value in `prepare`",
                settings::some(&names)
            );
            project.check(About::Prepare, why);
        }
    }
    project.prepare = Some(prepare);
    if rails
        && assets
        && [
            "jsbundling-rails",
            "cssbundling-rails",
            "webpacker",
            "shakapacker",
            "vite_rails",
        ]
        .iter()
        .any(|gem| dir.depends(LISTS, gem))
    {
        project.check(
            About::Prepare,
            "`assets:precompile` runs the JavaScript build: the host needs Node.js and the package manager",
        );
    }
    project.exclude = vec![
        "/log/",
        "/tmp/",
        "/storage/",
        "/vendor/bundle/",
        "node_modules/",
        "/.bundle/",
    ];
    wanted_version(dir, &mut project);
    if rails {
        project.shared = vec!["log", "tmp", "storage"];
        project.migrate = Some("/usr/bin/bundle exec rails db:migrate".into());
        rails_needs(dir, &mut project);
    } else if dir.has("db/migrate/") && dir.depends(LISTS, "sinatra-activerecord") {
        project.migrate = Some("/usr/bin/bundle exec rake db:migrate".into());
    }
    project.program = Some(Program::Puma);
    project.command = Some("/usr/bin/bundle exec puma --dir {root}/current --bind-to-activated-sockets=only".into());
    project.socket("puma accepts the socket from systemd");
    puma::checks(dir, &mut project);
    if ["sidekiq", "solid_queue", "good_job", "delayed_job", "resque"]
        .iter()
        .any(|gem| dir.depends(&["Gemfile"], gem))
        && evidence::workers(dir).is_empty()
    {
        project.check(
            About::Unit,
            "the Gemfile has a job queue: write a second unit for its worker and add it to `services`",
        );
    }
    Some(project)
}

/// Bundler refuses another version than the one in the Gemfile.
fn wanted_version(dir: &Directory, project: &mut Project) {
    let gemfile = dir
        .text("Gemfile")
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("ruby "));
    let gemfile = gemfile.and_then(|rest| rest.split(['"', '\'']).nth(1));
    let gemfile = gemfile.map(|text| (text.trim_start_matches("~> ").to_owned(), "Gemfile".to_owned()));
    version::check(
        project,
        "Ruby",
        gemfile.or_else(|| version::of_files(dir, &[".ruby-version"], "ruby")),
    );
}

fn rails_needs(dir: &Directory, project: &mut Project) {
    if dir.has("config/credentials.yml.enc") || dir.has("config/credentials/production.yml.enc") {
        project.check(
            About::Unit,
            "the app needs RAILS_MASTER_KEY (or SECRET_KEY_BASE) in its environment file: `shipit env set`",
        );
    } else {
        project.check(
            About::Unit,
            "the app needs SECRET_KEY_BASE in its environment file: `shipit env set`",
        );
    }
    if dir.has("config/database.yml") && dir.depends(&["Gemfile"], "sqlite3") && !dir.depends(&["Gemfile"], "pg") {
        project.check(
            About::Shared,
            "the database is SQLite: its file must be under storage/, which all releases share",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn puma_takes_the_socket_that_systemd_holds_and_opens_no_port() {
        let rack = project(&[("Gemfile", "gem 'puma'\n"), ("config.ru", "")]);
        let command = rack.command.unwrap_or_default();
        assert!(command.ends_with(" --bind-to-activated-sockets=only"), "{command}");
        assert!(!command.contains("tcp://"), "{command}");
    }

    #[test]
    fn assets_are_compiled_without_settings() {
        let with = |config: &str| {
            let gems = "gem 'rails'\ngem 'propshaft'\ngem 'puma'\n";
            project(&[("Gemfile", gems), ("config/", ""), ("config/application.rb", config)])
        };
        let fails = with("x = ENV.fetch(\"KEY\")\n");
        assert!(
            checks(
                &fails,
                "runs without /etc/APP/env, and config/application.rb fails without KEY"
            ),
            "{fails:?}"
        );
        let loads = with("x = ENV.fetch(\"KEY\", nil)\n");
        assert!(!checks(&loads, "runs without /etc/APP/env"), "{loads:?}");
    }
}
