use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Origin, Secret, may_bind};
use crate::error::{Error, Result};

const GOOD: &str = "0123456789abcdef0123456789abcdef";

fn from_file(folder: &Path, text: &[u8], mode: u32) -> Result<Secret> {
    let path = folder.join("given");
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
    Secret::from_variables(
        |name| (name == "MSPASS_SECRET_FILE").then(|| path.clone().into()),
        folder,
    )
}

fn sentence(result: Result<Secret>) -> String {
    match result {
        Err(Error::Security(sentence)) => sentence,
        other => panic!("{other:?} is no refusal"),
    }
}

fn bytes(secret: &Secret) -> &[u8] {
    &secret.bytes
}

#[test]
fn a_file_or_a_variable_gives_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = from_file(folder.path(), format!("{GOOD}\n").as_bytes(), 0o400).expect("good");
    assert_eq!((bytes(&file), file.origin()), (GOOD.as_bytes(), Origin::File));
    let variable = |name: &str| (name == "MSPASS_SECRET").then(|| GOOD.into());
    let variable = Secret::from_variables(variable, folder.path()).expect("good");
    assert_eq!((bytes(&variable), variable.origin()), (GOOD.as_bytes(), Origin::Variable));
    let both = Secret::from_variables(|_| Some(GOOD.into()), folder.path());
    assert!(sentence(both).contains("both set"));
    assert!(!folder.path().join("secret").exists());
}

#[test]
fn what_cannot_be_a_secret_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |text: &[u8], mode| sentence(from_file(folder.path(), text, mode));
    assert!(refused(GOOD.as_bytes(), 0o640).contains("(mode 0640): run chmod 600"));
    std::fs::remove_file(folder.path().join("given")).expect("removed");
    assert!(refused(GOOD.as_bytes(), 0o604).contains("(mode 0604)"));
    std::fs::remove_file(folder.path().join("given")).expect("removed");
    assert!(refused(b" \n", 0o600).contains("is empty"));
}

#[test]
fn short_and_long_ones_are_refused_without_being_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let short = sentence(from_file(folder.path(), b"short-secret", 0o600));
    assert!(short.contains("fewer than 16") && !short.contains("short-secret"), "{short}");
    let long = sentence(from_file(folder.path(), &[b'x'; 5000], 0o600));
    assert!(long.contains("longer than 4096") && !long.contains("xxx"), "{long}");
    assert!(from_file(folder.path(), &[b'x'; 4096], 0o600).is_ok());
    assert!(from_file(folder.path(), &[b'x'; 16], 0o600).is_ok());
    assert!(sentence(Secret::from_file(folder.path(), Origin::File)).contains("is not a file"));
}

#[test]
fn the_first_process_writes_it_and_all_read_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let workdir = folder.path().join("new");
    let all: Vec<Secret> = std::thread::scope(|scope| {
        let start = || Secret::from_variables(|_| None, &workdir).expect("written or read");
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(all.iter().all(|secret| bytes(secret) == bytes(&all[0])));
    assert_eq!((bytes(&all[0]).len(), all[0].origin()), (64, Origin::Generated));
    let names: Vec<_> = std::fs::read_dir(&workdir).expect("listed").flatten().collect();
    assert_eq!(names.len(), 1, "only the secret is left: {names:?}");
    let mode = names[0].metadata().expect("there").permissions().mode();
    assert_eq!((names[0].file_name().to_str(), mode & 0o777), (Some("secret"), 0o600));
    let other = tempfile::tempdir().expect("a folder");
    let other = Secret::from_variables(|_| None, other.path()).expect("written");
    assert_ne!(bytes(&other), bytes(&all[0]));
}

#[test]
fn the_token_admits_only_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = from_file(folder.path(), GOOD.as_bytes(), 0o600).expect("good");
    let token = secret.token();
    assert_eq!(token.reveal().len(), 64);
    assert_ne!(token.reveal(), GOOD);
    assert!(token.admits(&format!("Bearer {}", token.reveal())));
    let short = &token.reveal()[..63];
    for wrong in ["", "Bearer ", token.reveal(), &format!("Bearer {short}"), "Bearer x"] {
        assert!(!token.admits(wrong), "{wrong}");
    }
}

#[test]
fn a_generated_secret_stays_at_home() {
    let bind = |address: &str, origin, named| {
        may_bind(address.parse().expect("an address"), origin, named).is_ok()
    };
    for home in ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"] {
        assert!(bind(home, Origin::Generated, false), "{home}");
    }
    for abroad in ["0.0.0.0", "::", "10.0.0.7", "fe80::1", "::ffff:10.0.0.7"] {
        assert!(!bind(abroad, Origin::Generated, false), "{abroad}");
        assert!(bind(abroad, Origin::Generated, true), "{abroad}");
        assert!(bind(abroad, Origin::File, false), "{abroad}");
        assert!(bind(abroad, Origin::Variable, false), "{abroad}");
    }
}
