//! Proposals for typical directories. Whether deploy.yml loads and units pass the rules is tested with the program.
#![allow(clippy::unwrap_used)]

use super::*;

fn directory(files: &[(&str, &str)]) -> Directory {
    Directory {
        files: files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
    }
}

fn project(files: &[(&str, &str)]) -> Project {
    detect(&directory(files), "acme").unwrap()
}

#[test]
fn a_rails_app_with_a_package_json_is_a_rails_app() {
    let rails = project(&[
        (
            "Gemfile",
            "source 'x'\ngem \"rails\", \"~> 8.0\"\ngem 'propshaft'\ngem \"puma\"\n",
        ),
        ("package.json", "{}"),
        ("bin/rails", ""),
    ]);
    assert_eq!(rails.what, "Rails (Gemfile)");
    assert_eq!(rails.strategy, Strategy::Socket);
    assert_eq!(rails.migrate.as_deref(), Some("/usr/bin/bundle exec rails db:migrate"));
    assert!(rails.prepare.unwrap().contains("assets:precompile"));
    let sinatra = project(&[("Gemfile", "# gem 'rails'\ngem 'sinatra'\ngem 'railties-x'")]);
    assert_eq!(sinatra.migrate, None);
    assert!(sinatra.notes[0].contains("puma is not in the Gemfile"));
}

#[test]
fn django_is_run_and_migrated_by_the_interpreter_of_the_release() {
    let django = project(&[
        ("requirements.txt", "Django>=5\ngunicorn==23.0\n"),
        (
            "manage.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')",
        ),
    ]);
    assert_eq!(
        django.migrate.as_deref(),
        Some("{root}/next/.venv/bin/python {root}/next/manage.py migrate --noinput")
    );
    assert!(django.command.unwrap().ends_with(" shop.wsgi:application"));
    let fast = project(&[
        ("pyproject.toml", "dependencies = [\"fastapi\", \"uvicorn\"]"),
        ("main.py", ""),
    ]);
    assert_eq!(
        fast.command.as_deref(),
        Some("{root}/current/.venv/bin/python -m uvicorn --fd 3 main:app")
    );
    let odd = project(&[
        ("requirements.txt", "django\ngunicorn"),
        ("manage.py", "DJANGO_SETTINGS_MODULE', 'a;b.settings'"),
    ]);
    assert!(odd.command.unwrap().ends_with(" config.wsgi:application"));
}

#[test]
fn a_package_json_decides_package_manager_build_and_main_file() {
    let node = project(&[
        (
            "package.json",
            r#"{"scripts":{"build":"tsc","start":"node dist/index.js"},"dependencies":{"prisma":"6"}}"#,
        ),
        ("pnpm-lock.yaml", ""),
        ("prisma/schema.prisma", ""),
    ]);
    assert_eq!(
        node.build.as_deref(),
        Some("pnpm install --frozen-lockfile && pnpm run build")
    );
    assert_eq!(node.prepare.as_deref(), Some("pnpm install --frozen-lockfile --prod"));
    assert_eq!(
        node.command.as_deref(),
        Some("/usr/bin/node {root}/current/dist/index.js")
    );
    assert!(node.migrate.unwrap().ends_with("/prisma/build/index.js migrate deploy"));
    assert_eq!(node.strategy, Strategy::Restart);
    let hostile = project(&[("package.json", r#"{"main":"../x;$(rm)\n"}"#)]);
    assert_eq!(hostile.command, None);
    let broken = project(&[("package.json", "{")]);
    assert!(broken.notes[0].contains("is not valid JSON"));
}

#[test]
fn compiled_programs_are_built_locally() {
    let go = project(&[
        ("go.mod", "module x\nrequire github.com/coreos/go-systemd/v22 v22.5.0"),
        ("main.go", ""),
    ]);
    assert_eq!((go.source.as_str(), go.strategy), ("build", Strategy::Socket));
    assert_eq!(go.build.as_deref(), Some("CGO_ENABLED=0 go build -o build/acme ."));
    let rust = project(&[(
        "Cargo.toml",
        "[workspace]\n[package]\nversion = \"1\"\nname = \"web-server\"\n[dependencies]\nlistenfd = \"1\"\n",
    )]);
    assert!(rust.build.unwrap().ends_with("cp target/release/web-server build/acme"));
    assert_eq!(rust.strategy, Strategy::Socket);
    let hostile = project(&[("Cargo.toml", "[package]\nname = \"$(rm -rf /)\"\n")]);
    assert!(hostile.build.unwrap().ends_with("cp target/release/acme build/acme"));
    let elixir = project(&[("mix.exs", "app: :big_shop,\n{:phoenix, \"1\"}, {:ecto_sql, \"3\"}")]);
    assert_eq!(
        elixir.migrate.as_deref(),
        Some("{root}/next/bin/big_shop eval BigShop.Release.migrate")
    );
}

#[test]
fn static_pages_need_no_restart_and_php_reloads_the_unit_of_the_distribution() {
    let pages = project(&[("public/index.html", "")]);
    assert_eq!((pages.source.as_str(), pages.serves), ("public", Serves::Files));
    let php = project(&[("composer.json", "{}"), ("artisan", "")]);
    assert_eq!((php.unit, php.strategy), (Some("php8.2-fpm.service"), Strategy::Reload));
    assert_eq!(detect(&directory(&[]), "acme"), None);
}
