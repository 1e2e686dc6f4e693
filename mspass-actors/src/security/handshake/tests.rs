use std::path::Path;

use super::{HANDSHAKE_BYTES_MAX, Handshake, MAJOR, MINOR, Nonce, Peer, Step};
use crate::mailbox::Lane;
use crate::security::{Hello, Limits, Refusal, Secret, Told};

fn secret(text: &str) -> Secret {
    let variable = |name: &str| (name == "MSPASS_SECRET").then(|| text.into());
    Secret::from_variables(variable, Path::new("/nowhere")).expect("long enough")
}

fn ours() -> Secret {
    secret("0123456789abcdef")
}

fn hello(node: &str) -> Hello {
    Hello {
        cluster: "noise".to_owned(),
        node: node.to_owned(),
        incarnation: 7,
        roles: vec!["worker".to_owned()],
        build: "mspass/0.1.0".to_owned(),
        addresses: vec!["127.0.0.1:4000".to_owned(), "[::1]:4000".to_owned()],
        lane: Lane::Control,
        limits: Limits { frame_bytes: 1 << 20, ..Limits::default() },
    }
}

fn dialer(secret: &Secret, tls: bool, nonce: u8) -> Handshake {
    Handshake::dial(secret, tls, &hello("a"), [nonce; 32]).expect("sound")
}

fn listener(secret: &Secret, tls: bool, nonce: u8) -> Handshake {
    Handshake::listen(secret, tls, &hello("b"), [nonce; 32]).expect("sound")
}

/// One end, the bytes on their way to it, and how it ended.
struct End {
    handshake: Handshake,
    inbox: Vec<u8>,
    ended: Option<Result<Peer, Refusal>>,
}

impl End {
    fn new(handshake: Handshake) -> Self {
        Self { handshake, inbox: Vec::new(), ended: None }
    }

    /// Goes on until it needs more; what it sends.
    fn run(&mut self, binding: &[u8]) -> Vec<u8> {
        let mut sent = Vec::new();
        while self.ended.is_none() {
            match self.handshake.step() {
                Step::Write(bytes) => sent.extend(bytes),
                Step::Read(length) if length > self.inbox.len() => break,
                Step::Read(length) => {
                    let bytes: Vec<u8> = self.inbox.drain(..length).collect();
                    if let Err(refusal) = self.handshake.receive(&bytes) {
                        sent.extend(self.handshake.last_words(&refusal));
                        self.ended = Some(Err(refusal));
                    }
                }
                Step::Secure => self.handshake.secured(binding),
                Step::Done(peer) => self.ended = Some(Ok(peer)),
            }
        }
        sent
    }
}

type Ended = Option<Result<Peer, Refusal>>;

/// Joins both ends; `tamper` may change what goes from the dialer (0) or the listener (1).
fn join(
    dialer: Handshake,
    listener: Handshake,
    bindings: [&[u8]; 2],
    mut tamper: impl FnMut(usize, &mut Vec<u8>),
) -> (Ended, Ended) {
    let (mut a, mut b) = (End::new(dialer), End::new(listener));
    for _ in 0..8 {
        let mut there = a.run(bindings[0]);
        tamper(0, &mut there);
        b.inbox.extend(there);
        let mut back = b.run(bindings[1]);
        tamper(1, &mut back);
        a.inbox.extend(back);
    }
    (a.ended, b.ended)
}

fn plain(dialer: Handshake, listener: Handshake) -> (Ended, Ended) {
    join(dialer, listener, [b"", b""], |_, _| {})
}

#[test]
fn two_that_know_the_secret_meet() {
    for tls in [false, true] {
        let (a, b) = join(
            dialer(&ours(), tls, 1),
            listener(&ours(), tls, 2),
            [b"same session", b"same session"],
            |_, _| {},
        );
        let peer = |hello| Some(Ok(Peer { hello, minor: MINOR, tls }));
        assert_eq!(a, peer(hello("b")));
        assert_eq!(b, peer(hello("a")));
    }
}

#[test]
fn another_secret_is_refused_and_told() {
    let (a, b) =
        plain(dialer(&secret("another secret of another"), false, 1), listener(&ours(), false, 2));
    assert_eq!(b, Some(Err(Refusal::WrongSecret)));
    assert_eq!(a, Some(Err(Refusal::Told(Told::WrongSecret))));
}

#[test]
fn a_listener_that_only_pretends_is_refused() {
    // It lets everybody in: whatever proof comes, it answers with a welcome of its own making.
    let mut end = End::new(dialer(&ours(), false, 1));
    assert_eq!(end.run(b"").len(), 8);
    end.inbox.extend([b'M', b'S', b'P', b'A', MAJOR, MINOR, 0, 0]);
    assert!(!end.run(b"").is_empty());
    end.inbox.extend(super::frame(super::KIND_CHALLENGE, &[&[9; 32]]));
    assert_eq!(end.run(b"").len(), 5 + 32);
    let theirs = hello("b").encode().expect("sound");
    end.inbox.extend(super::frame(super::KIND_WELCOME, &[&[0; 32], &theirs]));
    end.run(b"");
    assert_eq!(end.ended, Some(Err(Refusal::WrongSecret)));
}

#[test]
fn no_secret_is_refused_and_told() {
    let (a, b) = join(dialer(&ours(), false, 1), listener(&ours(), false, 2), [b"", b""], {
        |from, bytes| {
            if from == 0 && bytes.first() == Some(&super::KIND_PROOF) {
                *bytes = super::frame(super::KIND_PROOF, &[]);
            }
        }
    });
    assert_eq!(b, Some(Err(Refusal::NoSecret)));
    assert_eq!(a, Some(Err(Refusal::Told(Told::NoSecret))));
}

#[test]
fn another_cluster_is_refused_only_after_the_proof() {
    let stranger = Hello { cluster: "other".to_owned(), ..hello("a") };
    let dial = |s: Secret| Handshake::dial(&s, false, &stranger, [1; 32]).expect("sound");
    let (a, b) = plain(dial(ours()), listener(&ours(), false, 2));
    let expected = Refusal::OtherCluster { theirs: "other".into(), ours: "noise".into() };
    assert_eq!(b, Some(Err(expected)));
    assert_eq!(a, Some(Err(Refusal::Told(Told::OtherCluster))));
    let (_, b) = plain(dial(secret("one more secret of others")), listener(&ours(), false, 2));
    assert_eq!(b, Some(Err(Refusal::WrongSecret)));
}

#[test]
fn majors_must_agree_and_minors_need_not() {
    let version = |major: u8, minor: u8| {
        move |from: usize, bytes: &mut Vec<u8>| {
            if from == 0 && bytes.starts_with(b"MSPA") {
                (bytes[4], bytes[5]) = (major, minor);
            }
        }
    };
    let meet = |major, minor| {
        join(
            dialer(&ours(), false, 1),
            listener(&ours(), false, 2),
            [b"", b""],
            version(major, minor),
        )
    };
    let (_, b) = meet(MAJOR + 1, 3);
    assert_eq!(b, Some(Err(Refusal::OtherMajor { major: MAJOR + 1, minor: 3 })));

    // A dialer of a later minor proves its own preamble, so it is built, not tampered with.
    let mut later = dialer(&ours(), false, 1);
    later.transcript.preambles[0][5] = MINOR + 5;
    later.transcript.preambles[0][7] = 0xff;
    later.outgoing = later.transcript.preambles[0].to_vec();
    let (a, b) = plain(later, listener(&ours(), false, 2));
    assert_eq!(b.expect("ended").expect("admitted").minor, MINOR);
    assert!(a.expect("ended").is_ok());
    // And a version that was changed on the way is noticed.
    assert_eq!(meet(MAJOR, MINOR + 5).1, Some(Err(Refusal::WrongSecret)));
}

#[test]
fn a_dialer_hears_of_another_major() {
    let (a, b) = join(dialer(&ours(), false, 1), listener(&ours(), false, 2), [b"", b""], {
        |from, bytes| {
            if from == 1 && bytes.starts_with(b"MSPA") {
                bytes[4] = MAJOR + 1;
            }
        }
    });
    assert_eq!(a, Some(Err(Refusal::OtherMajor { major: MAJOR + 1, minor: MINOR })));
    assert_eq!(b, None);
}

#[test]
fn tls_is_wanted_by_both_or_neither() {
    let (a, b) = plain(dialer(&ours(), true, 1), listener(&ours(), false, 2));
    assert_eq!((a, b), (Some(Err(Refusal::TlsMissing)), Some(Err(Refusal::TlsUnknown))));
    let (a, b) = plain(dialer(&ours(), false, 1), listener(&ours(), true, 2));
    assert_eq!((a, b), (Some(Err(Refusal::TlsUnknown)), Some(Err(Refusal::TlsMissing))));
}

#[test]
fn a_proof_does_not_serve_on_another_tls_session() {
    let (_, b) = join(
        dialer(&ours(), true, 1),
        listener(&ours(), true, 2),
        [b"session with the one between", b"its session with the listener"],
        |_, _| {},
    );
    assert_eq!(b, Some(Err(Refusal::WrongSecret)));
}

/// Everything the dialer sent in one good meeting.
fn recorded(nonces: [u8; 2]) -> [Vec<u8>; 2] {
    let mut said = [Vec::new(), Vec::new()];
    join(
        dialer(&ours(), false, nonces[0]),
        listener(&ours(), false, nonces[1]),
        [b"", b""],
        |from, bytes| {
            said[from].extend_from_slice(bytes);
        },
    );
    said
}

#[test]
fn what_was_said_once_does_not_serve_again() {
    let [dialed, answered] = recorded([1, 2]);
    let mut again = End::new(listener(&ours(), false, 3));
    again.inbox = dialed.clone();
    again.run(b"");
    assert_eq!(again.ended, Some(Err(Refusal::WrongSecret)));
    let mut again = End::new(dialer(&ours(), false, 4));
    again.run(b"");
    again.inbox = answered;
    again.run(b"");
    assert_eq!(again.ended, Some(Err(Refusal::WrongSecret)));
    // With the nonces of then it would: this is what makes the two tests above mean something.
    let mut same = End::new(listener(&ours(), false, 2));
    same.inbox = dialed;
    same.run(b"");
    assert!(matches!(same.ended, Some(Ok(_))));
}

#[test]
fn a_challenge_thrown_back_is_not_answered() {
    // The stranger knows no secret. It opens a second connection to the same listener and lets
    // that one's answers serve on the first.
    let mut first = End::new(listener(&ours(), false, 5));
    let mut second = End::new(listener(&ours(), false, 5));
    let [dialed, _] = recorded([1, 2]);
    let opening = &dialed[..dialed.len() - 37];
    for end in [&mut first, &mut second] {
        end.inbox.extend_from_slice(opening);
    }
    let challenge = first.run(b"");
    assert_eq!(challenge.len(), 8 + 5 + 32, "a listener proves nothing first");
    second.inbox.extend(super::frame(super::KIND_PROOF, &[&challenge[13..]]));
    second.run(b"");
    assert_eq!(second.ended, Some(Err(Refusal::WrongSecret)));

    // It makes a dialer prove itself and throws that proof back at the same node's dialer as the
    // listener's.
    let mut dialer = End::new(dialer(&ours(), false, 1));
    dialer.run(b"");
    dialer.inbox.extend([b'M', b'S', b'P', b'A', MAJOR, MINOR, 0, 0]);
    dialer.run(b"");
    dialer.inbox.extend(super::frame(super::KIND_CHALLENGE, &[&[1; 32]]));
    let proof = dialer.run(b"");
    let same = hello("a").encode().expect("sound");
    dialer.inbox.extend(super::frame(super::KIND_WELCOME, &[&proof[5..], &same]));
    dialer.run(b"");
    assert_eq!(dialer.ended, Some(Err(Refusal::WrongSecret)));
}

#[test]
fn every_changed_byte_is_noticed() {
    let [dialed, answered] = recorded([1, 2]);
    for at in 0..dialed.len() {
        for bit in 0..8 {
            let mut end = End::new(listener(&ours(), false, 2));
            end.inbox = dialed.clone();
            end.inbox[at] ^= 1 << bit;
            end.run(b"");
            assert!(!matches!(end.ended, Some(Ok(_))), "bit {bit} of byte {at}");
        }
    }
    for at in 0..answered.len() {
        let mut end = End::new(dialer(&ours(), false, 1));
        end.run(b"");
        end.inbox = answered.clone();
        end.inbox[at] ^= 0x10;
        end.run(b"");
        assert!(!matches!(end.ended, Some(Ok(_))), "byte {at}");
    }
}

#[test]
fn what_is_announced_is_bounded() {
    for length in [HANDSHAKE_BYTES_MAX as u32, u32::MAX] {
        let mut end = End::new(listener(&ours(), false, 2));
        end.inbox.extend([b'M', b'S', b'P', b'A', MAJOR, MINOR, 0, 0, super::KIND_HELLO]);
        end.inbox.extend(length.to_le_bytes());
        end.run(b"");
        assert_eq!(end.ended, Some(Err(Refusal::TooLarge { bytes: u64::from(length) })));
    }
}

#[test]
fn garbage_is_refused_without_a_reply() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], &[0; 64], &[0xff; 64], b"MSPB\x01\0\0\0"] {
        let mut end = End::new(listener(&ours(), false, 2));
        end.inbox.extend_from_slice(bytes);
        assert_eq!(end.run(b""), b"");
        assert_eq!(end.ended, Some(Err(Refusal::Garbage)));
    }
}

#[test]
fn a_hello_that_cannot_be_said_is_refused_at_home() {
    let nonce: Nonce = [0; 32];
    let long = vec!["a".repeat(128); 32];
    for bad in [
        Hello { cluster: String::new(), ..hello("a") },
        Hello { node: "new\nline".to_owned(), ..hello("a") },
        Hello { roles: vec!["x".to_owned(); 17], ..hello("a") },
        Hello { addresses: long, ..hello("a") },
    ] {
        let refused = Handshake::dial(&ours(), false, &bad, nonce);
        assert_eq!(refused.map(|_| ()).expect_err("unsound"), Refusal::Unspeakable);
    }
}

#[test]
fn sentences_and_debug_hold_no_secret() {
    let secret = secret("do-not-show-this-secret");
    let handshake = dialer(&secret, false, 1);
    let shown = format!("{secret:?} {handshake:?} {:?}", secret.token());
    assert!(!shown.contains("do-not-show") && !shown.contains(secret.token().reveal()), "{shown}");
}
