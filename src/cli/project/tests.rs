//! Proposals for typical directories. Whether deploy.yml loads and units pass the rules is tested with the program.
#![allow(clippy::unwrap_used)]

use super::*;

fn directory(files: &[(&str, &str)]) -> Directory {
    Directory {
        files: files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        above: None,
    }
}

pub(super) fn project(files: &[(&str, &str)]) -> Project {
    detect(&directory(files), "acme").unwrap()
}

/// Whether one of the checks contains this text.
pub(super) fn checks(project: &Project, text: &str) -> bool {
    project.checks.iter().any(|check| check.why.contains(text))
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
    assert!(checks(&sinatra, "puma is not in the Gemfile"));
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
        ("main.py", "app = FastAPI()"),
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
    assert!(checks(&broken, "is not valid JSON"));
}

#[test]
fn compiled_programs_are_built_locally() {
    let go = project(&[
        ("go.mod", "module x\nrequire github.com/coreos/go-systemd/v22 v22.5.0"),
        ("main.go", "package main\nvar l = activation.Listeners"),
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

/// Files, and what the proposal says: pairs of a part (`command`, `build`, `source`, `health`, …) and its text.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);

fn part<'a>(project: &'a Project, name: &str) -> &'a str {
    let text = match name {
        "command" => &project.command,
        "build" => &project.build,
        "prepare" => &project.prepare,
        "migrate" => &project.migrate,
        "source" => return &project.source,
        "health" => return &project.health,
        "what" => return &project.what,
        _ => panic!("{name}"),
    };
    text.as_deref().unwrap_or("")
}

fn all(cases: &[Case]) {
    for (files, parts) in cases {
        let project = project(files);
        for (name, text) in *parts {
            assert_eq!(part(&project, name), *text, "{name} of {files:?}: {project:?}");
        }
    }
}

#[test]
fn the_way_others_start_the_app_comes_before_habit() {
    let node =
        r#"{"scripts":{"start:prod":"node dist/main","start":"nest start"},"dependencies":{"@nestjs/core":"1"}}"#;
    all(&[
        (
            &[
                ("requirements.txt", "flask\ngunicorn"),
                ("Procfile", "web: gunicorn shop.web:create --bind 0.0.0.0:$PORT\n"),
            ],
            &[(
                "command",
                "{root}/current/.venv/bin/python -m gunicorn --chdir {root}/current --workers 2 --worker-tmp-dir /dev/shm --graceful-timeout 25 shop.web:create",
            )],
        ),
        (
            &[
                ("pyproject.toml", "[project]\ndependencies = ['fastapi', 'uvicorn']"),
                ("uv.lock", ""),
                (
                    "Dockerfile",
                    "FROM x\nCMD [\"uv\", \"run\", \"uvicorn\", \"shop.main:api\", \"--port\", \"80\"]",
                ),
            ],
            &[
                (
                    "command",
                    "{root}/current/.venv/bin/python -m uvicorn --fd 3 shop.main:api",
                ),
                ("prepare", "uv venv --relocatable && uv sync --frozen --no-dev"),
            ],
        ),
        (
            &[("package.json", node), ("package-lock.json", "")],
            &[("command", "/usr/bin/node {root}/current/dist/main")],
        ),
        (
            &[(
                "package.json",
                r#"{"scripts":{"start":"npm run serve:it","serve:it":"NODE_ENV=production node -r dotenv/config ./src/index.js"}}"#,
            )],
            &[("command", "/usr/bin/node -r dotenv/config {root}/current/src/index.js")],
        ),
        (
            &[
                ("go.mod", "module example.com/shop"),
                ("cmd/shop/main.go", "package main"),
                ("cmd/seed/main.go", "package main"),
                (
                    "Dockerfile",
                    "FROM a\nCMD [\"./x\"]\nFROM b\nENTRYPOINT [\"/shop\", \"serve\", \\\n \"--listen=:${PORT:-80}\"]",
                ),
            ],
            &[
                ("build", "CGO_ENABLED=0 go build -o build/acme ./cmd/shop"),
                ("command", "{root}/current/acme serve --listen=:8080"),
            ],
        ),
        (
            &[
                ("requirements.txt", "django"),
                ("site/manage.py", "django"),
                ("site/shop/wsgi.py", "x"),
                ("site/shop/settings/base.py", "STATIC_ROOT = 1"),
            ],
            &[
                (
                    "command",
                    "{root}/current/.venv/bin/python -m gunicorn --chdir {root}/current/site --workers 2 --worker-tmp-dir /dev/shm --graceful-timeout 25 shop.wsgi:application",
                ),
                (
                    "migrate",
                    "{root}/next/.venv/bin/python {root}/next/site/manage.py migrate --noinput",
                ),
            ],
        ),
    ]);
    let shell = project(&[("package.json", "{}"), ("Procfile", "web: cd x && node y | tee z")]);
    assert!(checks(&shell, "the command in Procfile needs a shell"), "{shell:?}");
}

#[test]
fn the_application_object_is_the_one_of_the_source() {
    let list = ("requirements.txt", "fastapi\nflask");
    for (path, text, object) in [
        (
            "src/shop/api.py",
            "api: FastAPI = FastAPI(title='x')",
            "--app-dir {root}/current/src shop.api:api",
        ),
        (
            "app/main.py",
            "    app = FastAPI()\nservice = fastapi.FastAPI()",
            "app.main:service",
        ),
        (
            "web.py",
            "def create_app(config=None):\n    return FastAPI()",
            "--factory web:create_app",
        ),
    ] {
        let project = project(&[list, (path, text)]);
        assert_eq!(
            part(&project, "command"),
            format!("{{root}}/current/.venv/bin/python -m uvicorn --fd 3 {object}")
        );
    }
    let flask = project(&[
        list,
        ("shop/__init__.py", "def create_app():\n    app = Flask(__name__)"),
    ]);
    assert!(part(&flask, "command").ends_with(" \"shop:create_app()\""), "{flask:?}");
    let none = project(&[("requirements.txt", "flask")]);
    assert!(checks(&none, "app:app is assumed"));
}

#[test]
fn what_pip_cannot_install_is_not_given_to_pip() {
    let flat = "[project]\ndependencies = [\n  # don't\n  \"flask>=3\",\n  'gunicorn[x]',\n]\n[tool.x]\n";
    let project = project(&[("pyproject.toml", flat), ("app.py", "app = Flask(1)")]);
    assert_eq!(
        part(&project, "prepare"),
        "python3 -m venv .venv && .venv/bin/python -m pip install 'flask>=3' 'gunicorn[x]'"
    );
    assert!(checks(&project, "no package that pip can build"));
}

#[test]
fn a_site_that_a_build_writes_needs_no_service() {
    let npm = |package: &str| {
        format!(r#"{{"scripts":{{"build":"b","start":"{package} dev"}},"devDependencies":{{"{package}":"1"}}}}"#)
    };
    for (package, source) in [
        ("astro", "dist"),
        ("@11ty/eleventy", "_site"),
        ("vite", "dist"),
        ("gatsby", "public"),
    ] {
        let project = project(&[("package.json", &npm(package)), ("package-lock.json", "")]);
        assert_eq!(
            (project.source.as_str(), project.serves),
            (source, Serves::Files),
            "{package}: {project:?}"
        );
        assert_eq!(part(&project, "build"), "npm ci && npm run build");
    }
    let hugo = project(&[("config.toml", "baseURL = 'x'"), ("package.json", "{}")]);
    assert_eq!(
        (part(&hugo, "what"), part(&hugo, "build")),
        ("Hugo (config.toml)", "hugo --minify")
    );
}

#[test]
fn the_health_route_is_one_that_exists() {
    for (path, text, route) in [
        ("server.js", "app.get('/healthz', f)", "/healthz"),
        ("shop/urls.py", "path('health/', view)", "/health/"),
        ("main.go", "mux.HandleFunc(\"GET /health\", h)", "/health"),
        ("app/api/health/route.ts", "x", "/api/health"),
        (
            "Dockerfile",
            "HEALTHCHECK CMD curl -f http://localhost:3000/ok/now || exit 1",
            "/ok/now",
        ),
        ("fly.toml", "[[http_service.checks]]\n  path = \"/alive\"", "/alive"),
        ("server.js", "fetch('/health')", "/"),
    ] {
        let manifest = match path.rsplit('.').next() {
            Some("py") => ("requirements.txt", "flask"),
            Some("go") => ("go.mod", "module x"),
            _ => ("package.json", r#"{"main":"x.js"}"#),
        };
        let project = project(&[manifest, (path, text)]);
        assert_eq!(project.health, route, "{path}");
        assert_eq!(
            checks(&project, "without a login"),
            !["Dockerfile", "fly.toml"].contains(&path),
            "{path}"
        );
    }
}

#[test]
fn a_version_that_debian_lacks_is_named() {
    for (version, named) in [("3.3.0", true), ("3.1", true), (">=3.0", false)] {
        let ruby = project(&[("Gemfile", "gem 'puma'"), (".ruby-version", version)]);
        assert_eq!(checks(&ruby, "asks for Ruby"), named, "{version}");
    }
}

#[test]
fn an_app_in_a_directory_of_its_own_is_found_there() {
    let project = project(&[
        ("backend/", ""),
        ("backend/go.mod", "module x"),
        ("backend/main.go", "package main"),
        ("web/", ""),
        ("web/index.html", ""),
    ]);
    assert_eq!(project.source, "backend/build");
    assert!(part(&project, "build").starts_with("cd backend && CGO_ENABLED=0 go build"));
    assert!(checks(&project, "there are other apps in backend, web"));
}

#[test]
fn names_from_files_reach_no_shell_and_no_other_line_of_a_unit() {
    for files in [
        &[("package.json", r#"{"scripts":{"start":"node \"a b$(id).js\""}}"#)][..],
        &[
            ("requirements.txt", "gunicorn"),
            ("Procfile", "web: gunicorn 'x;id:app' --x \"%n $HOME\"\n"),
        ],
        &[("pom.xml", "<artifactId>a;id</artifactId><version>1</version>")],
        &[("go.mod", "module x"), ("cmd/a;id/main.go", "package main")],
        &[("a;id.csproj", "Microsoft.NET.Sdk.Web")],
    ] {
        let project = project(files);
        for part in ["build", "prepare"].map(|name| part(&project, name)) {
            assert!(!part.contains(";id") && !part.contains("$("), "{part}");
        }
        let command = project
            .command
            .as_deref()
            .unwrap_or("/x")
            .replace("{root}", "/opt/acme");
        assert!(!command.contains('\n'));
        crate::unit::command::parse(&command).unwrap_or_else(|e| panic!("{command}: {e:?}"));
    }
}

#[test]
fn a_directory_whose_name_would_need_quotes_is_not_proposed() {
    let files = [
        ("a;id/", ""),
        ("a;id/go.mod", "module x"),
        ("a;id/main.go", "package main"),
    ];
    assert_eq!(detect(&directory(&files), "acme"), None);
}
