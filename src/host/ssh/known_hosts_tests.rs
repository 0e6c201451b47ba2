//! What known_hosts files say, against what the OpenSSH client does with the same lines.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use super::*;

const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf";

fn blob(line: &str) -> Vec<u8> {
    key_blob::public_line(line).unwrap()
}

/// The verdict on key A for a host in a file of these lines, in one word.
fn verdict(lines: &str, host: &str, port: u16) -> &'static str {
    let lines = lines.replace("$A", A).replace("$B", B);
    verdict_of_bytes(lines.as_bytes(), host, port)
}

fn verdict_of_bytes(lines: &[u8], host: &str, port: u16) -> &'static str {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known_hosts");
    std::fs::write(&file, lines).unwrap();
    match read(&[file], host, port).unwrap().check(&blob(A)) {
        Verdict::Match => "match",
        Verdict::Revoked(_) => "revoked",
        Verdict::Changed(_) => "changed",
        Verdict::Authority(_) => "authority",
        Verdict::Unknown => "unknown",
    }
}

#[test]
fn each_form_of_a_line_means_what_it_means_to_openssh() {
    let hashed = field("h.example", Some(&[7; 20]));
    let hashed_port = field("[h.example]:2222", Some(&[9; 20]));
    for (lines, host, port, expected) in [
        ("h.example $A", "h.example", 22, "match"),
        ("H.Example $A", "h.eXample", 22, "match"),
        ("# c\n\n  h.example\t$A a comment", "h.example", 22, "match"),
        ("x,h.example,y $A", "h.example", 22, "match"),
        ("h.example $B\nh.example $A", "h.example", 22, "match"),
        ("h.example $B", "h.example", 22, "changed"),
        ("other $A", "h.example", 22, "unknown"),
        ("", "h.example", 22, "unknown"),
        ("*.example $A", "h.example", 22, "match"),
        ("?.example $A", "hh.example", 22, "unknown"),
        ("*.example,!h.example $A", "h.example", 22, "unknown"),
        ("!x,* $A", "h.example", 22, "match"),
        ("[h.example]:2222 $A", "h.example", 2222, "match"),
        ("[h.example]:2222 $A", "h.example", 22, "unknown"),
        ("[h.example]:2222 $B\nh.example $A", "h.example", 2222, "changed"),
        ("h.example $A", "h.example", 2222, "match"),
        ("h.example $B", "h.example", 2222, "unknown"),
        ("@revoked h.example $A\nh.example $A", "h.example", 22, "revoked"),
        ("h.example $A\n@revoked * $A", "h.example", 22, "revoked"),
        (
            "@revoked h.example $A\n[h.example]:2222 $A",
            "h.example",
            2222,
            "revoked",
        ),
        ("@revoked other $A\nh.example $A", "h.example", 22, "match"),
        ("@revoked h.example $B", "h.example", 22, "unknown"),
        ("@cert-authority *.example $B", "h.example", 22, "authority"),
        ("@cert-authority *.example $A", "h.example", 22, "authority"),
        ("@cert-authority * $B\nh.example $A", "h.example", 22, "match"),
        ("@unheard h.example $A", "h.example", 22, "unknown"),
        (
            "h.example ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkV",
            "h.example",
            22,
            "unknown",
        ),
        ("h.example ssh-ed25519 ???", "h.example", 22, "unknown"),
        (&format!("{hashed} $A"), "h.example", 22, "match"),
        (&format!("{hashed} $B"), "h.example", 22, "changed"),
        (&format!("{hashed} $A"), "i.example", 22, "unknown"),
        (&format!("{hashed_port} $A"), "h.example", 2222, "match"),
        ("|1|torn $A", "h.example", 22, "unknown"),
        ("h.example $A\r\n", "h.example", 22, "match"),
    ] {
        assert_eq!(verdict(lines, host, port), expected, "{lines:?} for {host}:{port}");
    }
}

#[test]
fn a_comment_in_an_old_encoding_hides_no_line_and_no_revocation() {
    let latin = |line: &str| [line.replace("$A", A).as_bytes(), b" ren\xe9e\n"].concat();
    assert_eq!(verdict_of_bytes(&latin("h.example $A"), "h.example", 22), "match");
    let lines = [latin("h.example $A"), latin("@revoked * $A")].concat();
    assert_eq!(verdict_of_bytes(&lines, "h.example", 22), "revoked");
}

#[test]
fn ssh_keygen_finds_a_hashed_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known_hosts");
    append(&file, &field("[h.example]:2222", Some(&[3; 20])), &blob(A)).unwrap();
    let Ok(found) = std::process::Command::new("ssh-keygen")
        .args(["-F", "[h.example]:2222", "-f"])
        .arg(&file)
        .output()
    else {
        eprintln!("SKIPPED: no ssh-keygen here");
        return;
    };
    assert!(found.status.success(), "{found:?}");
}

#[test]
fn a_line_is_appended_whole_to_a_file_that_no_other_user_reads() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new").join("known_hosts");
    append(&file, "a", &blob(A)).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        std::fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777,
        0o700
    );
    // A file whose last line has no end keeps that line.
    std::fs::write(&file, format!("a {A}")).unwrap();
    append(&file, "b", &blob(B)).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("a {A}\nb {B}\n"));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_a_missing_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read(&[dir.path().join("none")], "h", 22).is_ok());
    assert!(read(&[dir.path().to_path_buf()], "h", 22).is_err());
}

#[test]
fn no_pattern_takes_long() {
    let began = std::time::Instant::now();
    assert!(!wildcard("*a".repeat(40).as_bytes(), "a".repeat(39).as_bytes()));
    assert!(!wildcard(
        format!("{}b", "*a".repeat(2000)).as_bytes(),
        "a".repeat(4000).as_bytes()
    ));
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}
