//! The whole way of somebody who has a project and a fresh host: `init` and `up`, or the commands that `up` consists of;
//! and the README's first section. Nothing is done on the host by hand.

use std::process::Command;

use super::desk::{Desk, Ran, answer};
use super::terminal::typed;
use crate::bounds::Ends as _;
use crate::lab::{self, Host, Suite};

const SERVER: &str = r#"use std::io::{Read, Write};
fn main() {
    let port = std::env::var("PORT").expect("PORT");
    let listener = std::net::TcpListener::bind(format!("0.0.0.0:{port}")).expect("listening");
    for stream in listener.incoming().flatten() {
        let mut stream = stream;
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    }
}
"#;

fn login(host: &Host) -> String {
    format!("deploy@{}", host.address())
}

/// A desk with a project, and what `init` makes of it for the app of this name.
fn project(host: &Host, app: &str) -> Desk {
    let desk = Desk::at(host, "ann");
    desk.file(
        "Cargo.toml",
        "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    desk.file(
        "Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"hello\"\nversion = \"0.1.0\"\n",
    );
    desk.file("src/main.rs", SERVER);
    let login = login(host);
    desk.shipit(&["init", "--app", app, "--host", &login, "--units"])
        .leaves(0)
        .says("detected Rust (Cargo.toml)")
        .says(&format!("wrote deploy/units/{app}.service"))
        .never_says("is a guess")
        .says(&format!("then run: shipit up --as root@{}", host.address()));
    desk
}

/// The program is built here: with the toolchain itself, whose home is not that of this desk.
fn building(desk: &Desk, args: &[&str]) -> Command {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).ends();
    let sysroot = String::from_utf8(sysroot.stdout).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = desk.command(args);
    command.env("PATH", format!("{}/bin:{path}", sysroot.trim()));
    command
}

/// The app runs as its own user, from the repository's units, and comes back with the host.
fn lives(host: &Host, desk: &Desk) {
    assert_eq!(answer(host), "hello");
    let user = host
        .root("ps -o user= -p $(systemctl show -p MainPID --value acme.service)")
        .ok();
    assert_eq!(user.trim(), "acme");
    desk.shipit(&["unit", "diff"]).leaves(0);
    host.power_cut();
    host.boot_again();
    host.wait_for("the app answers after a boot", |host| answer(host) == "hello");
}

#[test]
fn init_units_setup_deploy_and_a_second_app_beside_it() {
    let host = lab::host!(Suite::Trixie);
    let desk = project(&host, "acme");
    let root = format!("root@{}", host.address());
    desk.shipit(&["status"])
        .leaves(0)
        .says(&format!(
            "acme is not set up on {}: /opt/acme does not exist",
            login(&host)
        ))
        .says(&format!("next: shipit up --as {root}"));
    desk.shipit(&["unit", "install", "--yes", "--now", "--as", &root])
        .leaves(0)
        .says("create the user acme")
        .says("user: acme")
        .says("next: shipit setup --as root@");
    desk.shipit(&["setup", "--yes", "--as", &root]).leaves(0);
    for command in ["start", "restart", "run"] {
        let words: &[&str] = if command == "run" {
            &["run", "--", "true"]
        } else {
            &[command]
        };
        desk.shipit(words)
            .leaves(1)
            .says("no release is live")
            .says("next  shipit deploy");
    }
    let starts = host.unit("acme.service", "InvocationID");
    assert_eq!(starts, "", "the service was started before the first release");
    Ran::new("deploy", &building(&desk, &["deploy"]).ends()).leaves(0);

    // Another app on the same host gets another port, and takes nothing from the first.
    let other = project(&host, "beta");
    let yml = std::fs::read_to_string(other.path("deploy.yml")).unwrap();
    assert!(yml.contains("port 8080 is taken on the host by acme.service"), "{yml}");
    assert!(yml.contains("url: http://127.0.0.1:8090/"), "{yml}");
    // On the port of the first it would not start: that is said before anything is built.
    other.file("deploy.yml", &yml.replace(":8090/", ":8080/"));
    let up = ["up", "--yes", "--as", root.as_str()];
    other
        .json(&up)
        .leaves(1)
        .says("beta.service should listen on 127.0.0.1:8080, where acme.service already listens")
        .says("root changed nothing");
    // What the deploy user does not have, who exists, too; in one line for all packages.
    other.file("deploy.yml", &format!("{yml}prepare: composer install && hugo\n"));
    other
        .json(&up)
        .leaves(1)
        .says("up stopped at check:")
        .says("`prepare` runs composer, which the host does not have")
        .says("apt-get install composer hugo")
        .says("root changed nothing");
    other.file("deploy.yml", &yml);
    Ran::new("up", &building(&other, &up).ends()).leaves(0);
    other.shipit(&["status"]).leaves(0);
    other
        .shipit(&["init", "--app", "acme", "--print", "--host", &login(&host)])
        .leaves(0)
        .says(":8080/");
    let second = |host: &Host| host.root("curl -s --max-time 60 http://127.0.0.1:8090/").stdout;
    assert_eq!(second(&host), "hello");
    lives(&host, &desk);
    host.wait_for("the other app answers after a boot", |host| second(host) == "hello");
}

/// A host as a provider hands it over: only root can log in.
fn bare(host: &Host) {
    host.root("userdel deploy && rm -r /home/deploy").ok();
}

const QUESTION: &str = "Do this as root on ";

#[test]
fn up_does_it_all_says_where_it_stopped_and_continues_there() {
    let host = lab::host!(Suite::Bookworm);
    bare(&host);
    let desk = project(&host, "acme");
    let root = format!("root@{}", host.address());
    let untouched = |host: &Host| {
        host.root("test ! -e /etc/systemd/system/acme.service -a ! -e /opt/acme && ! id deploy 2>&1")
            .ok();
    };
    desk.shipit(&["up"])
        .leaves(6)
        .says("up stopped at check")
        .says(&format!("next  shipit up --as {root}"))
        .says("if only root can log in so far");
    desk.shipit(&["up", "--as", &root])
        .leaves(2)
        .says("write /etc/systemd/system/acme.service")
        .says("+ExecStart=/opt/acme/current/acme")
        .says("create the user acme")
        .says("create the user deploy")
        .says("write /etc/sudoers.d/shipit-acme")
        .says("cannot ask for confirmation: there is no terminal")
        .says("--yes    # confirms it");
    desk.shipit(&["up", "--yes", "--as", "root@other.example.com"])
        .leaves(2)
        .says("--as names a different host than deploy.yml");
    desk.shipit(&["up", "--as", &root, "--print"])
        .leaves(0)
        .says("+ExecStart=/opt/acme/current/acme")
        .says("PathExists=/opt/acme/.shipit/request");
    untouched(&host);
    // What the first deploy lacks is found before root does anything, and before the build.
    let yml = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    desk.file(
        "deploy.yml",
        &format!("{yml}prepare: python3 -m venv v && not-there --all\n"),
    );
    let unit = std::fs::read_to_string(desk.path("deploy/units/acme.service")).unwrap();
    let other = unit.replace("ExecStart=", "ExecStartPre=/usr/bin/composer check\nExecStart=");
    desk.file("deploy/units/acme.service", &other);
    host.root("systemd-run --quiet --unit=squatter python3 -m http.server --bind 127.0.0.1 8080")
        .ok();
    host.wait_for("the squatter", |host| host.root("ss -Hltn").stdout.contains(":8080 "));
    desk.json(&["up", "--yes", "--as", &root])
        .leaves(1)
        .says("`prepare` runs python3 -m venv, which needs the module ensurepip")
        .says("apt-get install python3-venv composer")
        .says("`prepare` runs not-there, which the host does not have")
        .says("acme.service runs /usr/bin/composer, which the host does not have")
        .says("127.0.0.1:8080, where squatter.service already listens")
        .says("root changed nothing")
        .never_says("\"source\":\"build\"");
    untouched(&host);
    host.root("systemctl stop squatter").ok();
    // So is what a deploy would not ship.
    let built = |line: &&str| !line.starts_with("build: ");
    let shipped: Vec<&str> = yml.lines().filter(built).collect();
    desk.file("deploy.yml", &shipped.join("\n").replace("source: build", "source: ."));
    std::os::unix::fs::symlink("/usr/bin/python3", desk.path("python")).unwrap();
    desk.file("deploy/units/acme.service", &unit);
    desk.shipit(&["up", "--yes", "--as", &root])
        .leaves(1)
        .says("up stopped at check")
        .says("cannot be shipped as it is")
        .says("python is a symlink to the absolute path /usr/bin/python3")
        .says("root changed nothing");
    untouched(&host);
    std::fs::remove_file(desk.path("python")).unwrap();
    desk.file("deploy.yml", &yml);
    desk.file("deploy/units/acme.service", &unit);

    // Root's part dies in the middle, and the next run completes it.
    let dies = |program: &str, at: &str, is_done: bool| {
        let name = program.rsplit('/').next().unwrap();
        let done = if is_done {
            format!("{program} \"$@\";")
        } else {
            String::new()
        };
        let fake = format!(
            "#!/bin/sh\ncase \"$*\" in *\"{at}\"*) {done} kill -9 $PPID; exit 1 ;; esac\nexec {program} \"$@\"\n"
        );
        let path = format!("/usr/local/bin/{name}");
        host.write_file(&path, fake.as_bytes());
        host.root(&format!("chmod 0755 {path}")).ok();
        let ran = desk.shipit(&["up", "--yes", "--as", &root]).leaves(1);
        host.root(&format!("rm {path}")).ok();
        ran.says("up stopped at ")
    };
    dies("/usr/bin/systemctl", "quiet enable", false).says("the new units may be on the host, but not enabled");
    host.root("test -e /etc/systemd/system/acme.service && ! systemctl is-enabled --quiet acme.service")
        .ok();
    dies("/usr/sbin/useradd", "create-home", true);
    host.root("id deploy && test ! -e /home/deploy/.ssh && systemctl is-enabled acme.service")
        .ok();

    // It stops in the middle, says so, and continues there.
    host.root("mkdir /opt/acme && touch /opt/acme/theirs").ok();
    desk.shipit(&["up", "--yes", "--as", &root])
        .leaves(1)
        .says("up stopped at setup")
        .says("/opt/acme belongs to root and is not empty")
        .says("the units are installed")
        .says(&format!(
            "up --yes --as {root}    # once that is fixed: continues with what is left"
        ));
    host.root("test -e /etc/systemd/system/acme.service && rm -r /opt/acme")
        .ok();
    // What only the installed units show stops it before the build, too; and a shared file, which nobody could have put
    // there before. A program that `prepare` may make does not.
    desk.file("deploy.yml", &format!("{yml}shared: {{files: [settings]}}\n"));
    desk.file(
        "deploy/units/acme.service",
        &unit.replace(
            "ExecStart=",
            "ExecStartPre=/opt/acme/shared/venv/check\nReadWritePaths=/srv/acme\nEnvironment=DATABASE_URL=sqlite:////srv/acme/db/x.sqlite3\nExecStart=",
        ),
    );
    desk.json(&["up", "--yes", "--as", &root])
        .leaves(1)
        .says("up stopped at check again")
        .says("ReadWritePaths=/srv/acme does not exist on the host")
        .says("/opt/acme/shared/settings does not exist on the host")
        .never_says("shared/venv/check does not exist")
        .says("sudo install -d -m 0750 -o acme -g acme /srv/acme/db")
        .says("the units are installed, and the host is set up")
        .never_says("\"source\":\"build\"");
    desk.file("deploy/units/acme.service", &unit);
    desk.file("deploy.yml", &yml);
    let (shown, code) = typed(&building(&desk, &["up", "--as", &root]), &[(QUESTION, "y\n")]);
    assert_eq!(code, Some(0), "{shown}");
    for words in [
        "replace /etc/systemd/system/acme.service",
        "check again",
        "live and verified",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("write /etc/sudoers.d/shipit-acme"), "{shown}");

    // A check of health can be a program of the app's: root never runs it.
    let told = "/tmp/asked-as";
    let url = yml.lines().find(|line| line.trim_start().starts_with("url: ")).unwrap();
    let asking = yml.replace(url, &format!("      command: id -un >>{told}"));
    desk.file("deploy.yml", &asking);
    desk.shipit(&["up", "--print", "--as", &root]).leaves(0);
    assert_eq!(host.root(&format!("sort -u {told}")).ok().trim(), "deploy");
    desk.file("deploy.yml", &yml);

    // Nothing is left: nothing is asked, and root is not needed.
    for words in [&["up"][..], &["up", "--as", &root]] {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let ran = Ran::new("up", &building(&desk, &words).ends()).leaves(0);
        assert_eq!(ran.outcome(), "unchanged", "{ran}");
        assert_eq!(ran.stdout.matches("\"event\":\"ended\"").count(), 1, "{ran}");
        assert_eq!(ran.steps(), ["ready check", "stage build"], "{ran}");
    }
    // Root is needed and was not named: that is said before any question.
    desk.file(
        "deploy/units/acme.service",
        &unit.replace("[Service]", "# by hand\n[Service]"),
    );
    desk.shipit(&["up"])
        .leaves(1)
        .says("this needs root, and deploy cannot become root")
        .says("root changed nothing")
        .says(&format!("next  shipit up --as {root}"));
    // Ctrl-C while root is at work: nobody says that nothing changed, and the next run completes it.
    // What root does takes until then, or 30 seconds.
    host.write_file(
        "/usr/local/bin/systemctl",
        b"#!/bin/sh\ncase \"$*\" in *daemon-reload*)\n    for n in $(seq 300); do test -e /run/go || sleep 0.1; done ;; esac\nexec /usr/bin/systemctl \"$@\"\n",
    );
    host.root("chmod 755 /usr/local/bin/systemctl").ok();
    let words = desk.command(&["up", "--as", &root]);
    let (shown, code) = typed(&words, &[(QUESTION, "y\n"), ("unit install", "\x03")]);
    host.root("touch /run/go && rm /usr/local/bin/systemctl").ok();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("up stopped at unit install: interrupted"), "{shown}");
    assert!(
        shown.contains("it may be only partly done") || shown.contains("host  the units are installed"),
        "{shown}"
    );
    host.wait_for("the next run completes it", |_| {
        let mut again = desk.command(&["unit", "install", "--yes", "--now", "--as", &root]);
        again.ends().status.success()
    });
    lives(&host, &desk);
}

/// The commands of the README's first section, as they stand there but for the name of the host.
#[test]
fn the_readme_leads_from_nothing_to_a_second_release_and_back() {
    let host = lab::host!(Suite::Trixie);
    bare(&host);
    let desk = Desk::at(&host, "ann");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let start = readme.split_once("\n## Start\n").unwrap().1;
    let block = |tag: &str| {
        start
            .split_once(&format!("\n```{tag}\n"))
            .unwrap()
            .1
            .split_once("\n```")
            .unwrap()
            .0
    };
    let here = |text: &str| text.replace("app.example.com", &host.address().to_string());
    let (install, commands) = block("sh").split_once("\n\n").unwrap();
    assert!(install.starts_with("cargo install "), "{install}");
    let shipit = desk.command(&[]);
    let words: Vec<_> = shipit.get_args().map(|word| word.to_str().unwrap()).collect();
    let program = shipit.get_program().to_str().unwrap();
    let mut shell = Command::new("sh");
    let script = format!(
        "set -e; shipit() {{ {program} {} \"$@\"; }}\n{}",
        words.join(" "),
        here(commands)
    );
    shell.args(["-c", &script]).current_dir(desk.path("")).env_clear();
    for (name, value) in shipit.get_envs() {
        shell.env(name, value.unwrap());
    }
    let (shown, code) = typed(&shell, &[(QUESTION, "y\n")]);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("live and verified").count(), 3, "{shown}");
    assert_eq!(answer(&host), "hello, first release");
    let written = std::fs::read_to_string(desk.path("hello/deploy.yml")).unwrap();
    let keys = written.lines().filter(|line| !line.trim_start().starts_with('#'));
    assert_eq!(
        keys.collect::<Vec<_>>(),
        here(block("yaml")).lines().collect::<Vec<_>>()
    );
}
