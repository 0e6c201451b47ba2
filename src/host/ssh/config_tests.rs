//! The same configuration through `ssh -G` and through the built-in reader must give the same answer.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;

use super::*;
use crate::host::ssh::Trust;

fn never() -> Interrupts {
    Interrupts::never().unwrap()
}

fn login(host: &str, file: &Path) -> Login {
    Login {
        user: None,
        host: host.to_owned(),
        port: None,
        pin: None,
        trust: Trust::Strict,
        config_file: Some(file.to_path_buf()),
        identity: None,
        known_hosts: None,
    }
}

#[test]
fn the_built_in_reader_agrees_with_ssh_about_everything_it_reads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    let part = dir.path().join("part-1");
    std::fs::write(
        &part,
        "Host web\n  Port 2201\n  IdentitiesOnly yes\nHost other\n  User ignored\n",
    )
    .unwrap();
    std::fs::write(
        &file,
        format!(
            "# a comment\nInclude {}/part-*\nHost web !other\n  HostName %h.example.com\n  User=deploy\n  Port 22\n\
             IdentityFile ~/.ssh/%r-%h\n  IdentityFile \"/k/a key\"\n  ProxyJump jump@bastion:2222,second\n\
             Host *\n  User nobody\n  HostKeyAlias web-alias\n  UserKnownHostsFile /k/one /k/two\n  HashKnownHosts yes\n  StrictHostKeyChecking accept-new\n  IdentityAgent /k/agent\n  ConnectTimeout 7\n  AddressFamily inet\n",
            dir.path().display()
        ),
    )
    .unwrap();
    let login = login("web", &file);
    let mut notices = Vec::new();
    let own = config_file::read(&login, &mut |n| notices.push(n)).unwrap();
    let own = Resolved::from_settings(&own, &login).unwrap();
    assert!(notices.is_empty());
    assert_eq!(
        (own.host_name.as_str(), own.user.as_str(), own.port),
        ("web.example.com", "deploy", 2201)
    );
    assert_eq!(own.proxy, Proxy::Jump("jump@bastion:2222,second".into()));
    assert_eq!(own.identity_files[1], Path::new("/k/a key"));
    assert!(own.identity_files[0].ends_with(".ssh/deploy-web.example.com"));
    assert_eq!((own.known_as(), own.known_port()), ("web-alias", 22));
    let Some(asked) = ask_ssh(&login, &never()).unwrap() else {
        eprintln!("SKIPPED: no ssh here to compare with");
        return;
    };
    let mut asked = Resolved::from_settings(&asked, &login).unwrap();
    // ssh lists every algorithm that it knows.
    asked.host_key_algorithms.clear();
    assert_eq!(format!("{own:?}"), format!("{asked:?}"));
}

#[test]
fn a_match_block_is_skipped_to_its_end_with_a_notice() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    std::fs::write(
        &file,
        "Host web\n Port 2222\nMatch host web\n Port 9999\n User evil\nHost *\n User me\n",
    )
    .unwrap();
    let login = login("web", &file);
    let mut notices = Vec::new();
    let settings = config_file::read(&login, &mut |n| notices.push(n)).unwrap();
    let resolved = Resolved::from_settings(&settings, &login).unwrap();
    assert_eq!((resolved.port, resolved.user.as_str()), (2222, "me"));
    assert!(
        matches!(&notices[..], [Notice::ConfigIgnored { line: 3, .. }]),
        "{notices:?}"
    );
}

#[test]
fn names_that_are_options_or_shell_words_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("ran");
    let empty = dir.path().join("config");
    std::fs::write(&empty, "").unwrap();
    for host in [
        "",
        "-oProxyCommand=touch x",
        &format!("`touch {}`", mark.display()),
        "a b",
        "a\nb",
        "user@host@x",
        "h;x",
    ] {
        assert_eq!(
            resolve(&login(host, &empty), &never(), &mut |_| {}).unwrap_err().exit,
            Exit::Usage,
            "{host:?}"
        );
    }
    for user in ["-lroot", "", "a b", "a;b", "$(id)", "a\u{1b}[2J"] {
        let login = Login {
            user: Some(user.to_owned()),
            ..login("h", &empty)
        };
        assert_eq!(
            resolve(&login, &never(), &mut |_| {}).unwrap_err().exit,
            Exit::Usage,
            "{user:?}"
        );
    }
    assert!(!mark.exists());
    assert!(resolve(&login("fe80::1%eth0", &empty), &never(), &mut |_| {}).is_ok());
}

#[test]
fn a_configuration_that_ssh_refuses_fails_with_its_message() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    std::fs::write(&file, "Host web\n Porrt 1\n").unwrap();
    if let Err(failure) = resolve(&login("web", &file), &never(), &mut |_| {}) {
        assert_eq!(failure.exit, Exit::Unreachable);
        assert!(failure.why.join("\n").contains("line 2"), "{failure}");
    } else {
        assert!(
            Command::new("ssh").arg("-V").output().is_err(),
            "ssh is here and was not asked"
        );
        eprintln!("SKIPPED: no ssh here");
    }
}

#[test]
fn tokens_of_a_proxy_command_are_filled_in() {
    let login = login("web", Path::new("/none"));
    let settings = Settings(vec![
        ("hostname".to_owned(), "10.0.0.7".to_owned()),
        ("user".to_owned(), "deploy".to_owned()),
        ("proxycommand".to_owned(), "nc -x 100%% %h %p %r %n".to_owned()),
    ]);
    let resolved = Resolved::from_settings(&settings, &login).unwrap();
    assert_eq!(
        resolved.proxy,
        Proxy::Command("nc -x 100% 10.0.0.7 22 deploy web".into())
    );
}
