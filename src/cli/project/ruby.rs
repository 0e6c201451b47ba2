//! Ruby, by its Gemfile: Rails, or any rack app. Never runs bundler.

use super::{Directory, Project};
use crate::unit::generate::Program;

const LISTS: &[&str] = &["Gemfile", "Gemfile.lock"];

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    if !dir.has("Gemfile") {
        return None;
    }
    let rails = dir.depends(LISTS, "rails");
    let mut project = Project::new(if rails { "Rails (Gemfile)" } else { "Ruby (Gemfile)" });
    // Gems are installed into the release: the deploy user cannot write elsewhere, and each release has its own.
    let mut prepare = String::from(
        "bundle config set --local path vendor/bundle && bundle config set --local without development:test && bundle install",
    );
    if rails && (dir.depends(LISTS, "propshaft") || dir.depends(LISTS, "sprockets-rails")) {
        prepare.push_str(" && RAILS_ENV=production SECRET_KEY_BASE_DUMMY=1 bundle exec rails assets:precompile");
    }
    project.prepare = Some(prepare);
    project.exclude = vec![
        "/log/",
        "/tmp/",
        "/storage/",
        "/vendor/bundle/",
        "node_modules/",
        "/.bundle/",
    ];
    if rails {
        project.shared = vec!["log", "tmp", "storage"];
        project.migrate = Some("/usr/bin/bundle exec rails db:migrate".into());
    }
    project.program = Some(Program::Puma);
    project.command = Some("/usr/bin/bundle exec puma --dir {root}/current --bind tcp://0.0.0.0:8080".into());
    project.socket("puma accepts the socket from systemd");
    if !dir.depends(LISTS, "puma") {
        project
            .notes
            .push("puma is not in the Gemfile: add it, or change ExecStart= and the strategy".into());
    }
    project
        .notes
        .push("config/puma.rb must not bind its own port: the unit's --bind is the socket that systemd holds".into());
    Some(project)
}
