//! Strangers at a listening socket: each is refused with one line in the log, and those who
//! belong get in meanwhile.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod log;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use log::Log;
use mspass_actors::mailbox::Lane;
use mspass_actors::security::{
    Certificates, Guard, Handshake, Hello, Limits, MAJOR, Peer, Refusal, Secret, Step, Tls, Told,
    UNAUTHENTICATED_MAX, Wire,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::subscriber::DefaultGuard;

const SECRET: &str = "a-secret-of-the-test-0123456789";
const LATE: Duration = Duration::from_secs(60);

/// Waits until there are as many lines, and a little longer for one that should not be.
async fn wait_for(log: &Log, count: usize) -> Vec<String> {
    let enough = async {
        while log.lines().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(LATE, enough).await;
    assert!(in_time.is_ok(), "{count} lines expected: {:?}", log.lines());
    tokio::time::sleep(Duration::from_millis(50)).await;
    log.lines()
}

fn secret(text: &str) -> Secret {
    let variable = |name: &str| (name == "MSPASS_SECRET").then(|| text.into());
    Secret::from_variables(variable, Path::new("/nowhere")).unwrap()
}

fn hello(cluster: &str, node: &str) -> Hello {
    Hello {
        cluster: cluster.to_owned(),
        node: node.to_owned(),
        incarnation: 1,
        roles: Vec::new(),
        build: String::new(),
        addresses: Vec::new(),
        lane: Lane::Control,
        limits: Limits::default(),
    }
}

/// A node that echoes what it is sent by those whom it lets in.
struct Node {
    guard: Guard,
    address: SocketAddr,
    log: Log,
    _accepting: JoinSet<()>,
    _logging: DefaultGuard,
}

impl Node {
    async fn start(guard: Guard) -> Self {
        let log = Log::default();
        let logging = tracing::subscriber::set_default(log.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, guard.clone()));
        Self { guard, address, log, _accepting: accepting, _logging: logging }
    }

    async fn plain() -> Self {
        Self::start(Guard::new(secret(SECRET), None).within(Duration::from_millis(500))).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn enter(&self, guard: &Guard, ours: &Hello) -> Result<(Peer, Wire), Refusal> {
        guard.enter(self.connect().await, &self.address.to_string(), ours).await
    }

    /// One that belongs here comes in and is answered.
    async fn welcomes(&self, guard: &Guard) {
        let (peer, mut wire) = self.enter(guard, &hello("noise", "friend")).await.unwrap();
        assert_eq!(peer.hello, hello("noise", "listener"));
        wire.write_all(b"ping").await.unwrap();
        wire.flush().await.unwrap();
        let mut back = [0; 4];
        wire.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"ping");
    }

    /// Exactly one line, which says `expected`, and nothing is left behind.
    async fn refused(&self, lines_before: usize, expected: &str) {
        let lines = wait_for(&self.log, lines_before + 1).await;
        assert_eq!(lines.len(), lines_before + 1, "{lines:#?}");
        let line = &lines[lines_before];
        assert!(line.starts_with("WARN") && line.contains("refused a connection from 127.0.0.1"));
        assert!(line.contains(expected), "'{expected}' is not in: {line}");
        assert!(line.is_ascii() && !line.contains(SECRET), "{line}");
        assert_eq!(self.guard.strangers(), 0);
    }
}

async fn accept(listener: TcpListener, guard: Guard) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, from) = listener.accept().await.unwrap();
        let guard = guard.clone();
        connections.spawn(async move {
            let ours = hello("noise", "listener");
            let Some((_, mut wire)) = guard.admit(stream, from, &ours).await else { return };
            let mut bytes = [0; 4];
            while wire.read_exact(&mut bytes).await.is_ok() {
                let _ = wire.write_all(&bytes).await;
                let _ = wire.flush().await;
            }
        });
    }
}

#[tokio::test]
async fn the_wrong_secret_and_the_wrong_cluster_are_told_why() {
    let node = Node::plain().await;
    let good = Guard::new(secret(SECRET), None);
    let wrong = Guard::new(secret("some-other-secret-of-others"), None);
    let refusal = node.enter(&wrong, &hello("noise", "a")).await.unwrap_err();
    assert_eq!(refusal, Refusal::Told(Told::WrongSecret));
    node.refused(0, "it knows another secret than this node").await;
    node.welcomes(&good).await;
    let refusal = node.enter(&good, &hello("quiet", "a")).await.unwrap_err();
    assert_eq!(refusal, Refusal::Told(Told::OtherCluster));
    node.refused(1, "it belongs to cluster 'quiet' and this node to 'noise'").await;
    node.welcomes(&good).await;
    assert_eq!(node.log.lines().len(), 2, "friends leave no line");
}

#[tokio::test]
async fn no_secret_is_told_so() {
    let node = Node::plain().await;
    // It speaks the protocol up to the proof, and has none.
    let any = secret("whatever-it-cannot-prove");
    let dial = Handshake::dial(&any, false, &hello("noise", "a"), [3; 32]);
    let (mut handshake, mut stream, mut writes) = (dial.unwrap(), node.connect().await, 0);
    let refusal = loop {
        match handshake.step() {
            Step::Write(_) if writes == 2 => {
                stream.write_all(&[3, 0, 0, 0, 0]).await.unwrap();
                writes += 1;
            }
            Step::Write(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                writes += 1;
            }
            Step::Read(length) => {
                let mut bytes = vec![0; length];
                stream.read_exact(&mut bytes).await.unwrap();
                if let Err(refusal) = handshake.receive(&bytes) {
                    break refusal;
                }
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal, Refusal::Told(Told::NoSecret));
    node.refused(0, "it has no secret: give it this cluster's MSPASS_SECRET_FILE").await;
    node.welcomes(&Guard::new(secret(SECRET), None)).await;
}

/// Bytes that a stranger sends at once, and what the log then says.
const STRANGERS: [(&[u8], &str); 7] = [
    (b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n", "is not this protocol"),
    (&[0; 4096], "is not this protocol"),
    (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "is not this protocol"),
    (&[b'M', b'S', b'P', b'A', MAJOR + 8, 4, 0, 0], "it speaks protocol 9.4 and this program 1.0"),
    (
        &[b'M', b'S', b'P', b'A', MAJOR, 0, 0, 0, 1, 255, 255, 255, 255],
        "announced 4294967295 bytes",
    ),
    (&[b'M', b'S', b'P', b'A', MAJOR, 0, 0, 0, 9, 1, 0, 0, 0, 0], "is not this protocol"),
    (b"MSP", "it did not prove itself within"),
];

#[tokio::test]
async fn strangers_get_one_line_each() {
    let node = Node::plain().await;
    let good = Guard::new(secret(SECRET), None);
    let before = peak_memory();
    for (at, (bytes, expected)) in STRANGERS.iter().enumerate() {
        let mut stream = node.connect().await;
        stream.write_all(bytes).await.unwrap();
        node.welcomes(&good).await;
        node.refused(at, expected).await;
    }
    let grown = peak_memory() - before;
    assert!(grown < 2 << 30, "4 GiB were announced and {grown} bytes taken");
}

/// The most address space that this process has had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn one_that_goes_away_leaves_one_line() {
    let node = Node::plain().await;
    drop(node.connect().await);
    node.refused(0, "it went away before it had proved itself").await;
}

#[tokio::test]
async fn one_that_trickles_is_cut_off_in_time() {
    let node = Node::plain().await;
    let mut stream = node.connect().await;
    let started = tokio::time::Instant::now();
    let hello = [b'M', b'S', b'P', b'A', MAJOR, 0, 0, 0, 1, 200, 0, 0, 0];
    let mut sent = 0;
    // A byte whenever it might be given up: time counts, not silence.
    while stream.write_all(&[hello.get(sent).copied().unwrap_or(7)]).await.is_ok() {
        sent += 1;
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert!(started.elapsed() < LATE, "never cut off");
    }
    assert!(sent > 2, "it was cut off at once");
    node.refused(0, "it did not prove itself within").await;
    node.welcomes(&Guard::new(secret(SECRET), None)).await;
}

#[tokio::test]
async fn a_crowd_that_says_nothing_keeps_nobody_out() {
    const CROWD: usize = UNAUTHENTICATED_MAX + 44;
    let time = Duration::from_secs(3);
    let node = Node::start(Guard::new(secret(SECRET), None).within(time)).await;
    let good = Guard::new(secret(SECRET), None);
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(node.connect().await);
    }
    for _ in 0..10 {
        node.welcomes(&good).await;
        assert!(node.guard.strangers() <= UNAUTHENTICATED_MAX);
    }
    let lines = wait_for(&node.log, CROWD).await;
    let saying = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!(lines.len(), CROWD, "one line each and none for friends");
    assert!(saying("too many others") >= 44, "the oldest gave way");
    assert_eq!(saying("too many others") + saying("did not prove itself within 3 s"), CROWD);
    assert_eq!(node.guard.strangers(), 0);
}

/// A certificate for this host from an authority of its own, in a folder.
fn certificates(folder: &Path) -> Certificates {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority =
        rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap());
    let authority = authority.unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = ["127.0.0.1".to_owned(), "mspass.test".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    Certificates {
        certificate: write("node.pem", certificate.pem()),
        key: write("node.key", key.serialize_pem()),
        authority: write("authority.pem", authority.pem()),
        name: None,
    }
}

#[tokio::test]
async fn tls_is_for_both_or_for_neither() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path());
    let guard = |files: &Certificates| {
        Guard::new(secret(SECRET), Some(Tls::from_files(files).unwrap()))
            .within(Duration::from_secs(5))
    };
    let node = Node::start(guard(&files)).await;
    let (peer, wire) = node.enter(&guard(&files), &hello("noise", "a")).await.unwrap();
    assert!(peer.tls && matches!(wire, Wire::Secure(_)));
    node.welcomes(&guard(&files)).await;
    let named = Certificates { name: Some("mspass.test".to_owned()), ..files.clone() };
    node.welcomes(&guard(&named)).await;

    let plain = Guard::new(secret(SECRET), None);
    let refusal = node.enter(&plain, &hello("noise", "a")).await.unwrap_err();
    assert_eq!(refusal, Refusal::TlsUnknown);
    node.refused(0, "this node wants TLS and it has none").await;

    // TLS does not stand in for the secret.
    let wrong = Guard::new(secret("some-other-secret-of-others"), Tls::from_files(&files).ok());
    let refusal = node.enter(&wrong, &hello("noise", "a")).await.unwrap_err();
    assert_eq!(refusal, Refusal::Told(Told::WrongSecret));
    node.refused(1, "it knows another secret than this node").await;

    // Nor does an authority of one's own, or another name.
    let elsewhere = tempfile::tempdir().unwrap();
    let theirs = guard(&certificates(elsewhere.path()));
    let refusal = node.enter(&theirs, &hello("noise", "a")).await.unwrap_err();
    assert!(
        matches!(&refusal, Refusal::TlsFailed(why) if why.contains("invalid peer certificate"))
    );
    node.refused(2, "TLS failed: ").await;
    let misnamed = Certificates { name: Some("other.test".to_owned()), ..files.clone() };
    let refusal = node.enter(&guard(&misnamed), &hello("noise", "a")).await.unwrap_err();
    assert!(matches!(refusal, Refusal::TlsFailed(_)), "{refusal}");
    node.refused(3, "TLS failed: ").await;
    node.welcomes(&guard(&files)).await;

    let bare = Node::plain().await;
    let refusal = bare.enter(&guard(&files), &hello("noise", "a")).await.unwrap_err();
    assert_eq!(refusal, Refusal::TlsMissing);
    bare.refused(0, "it wants TLS and this node has none").await;
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path());
    let refused = |files: Certificates| Tls::from_files(&files).unwrap_err().to_string();
    let missing = folder.path().join("missing.pem");
    let sentence = refused(Certificates { key: missing, ..files.clone() });
    assert!(sentence.starts_with("cannot use the TLS private key /"), "{sentence}");
    let sentence = refused(Certificates { certificate: files.key.clone(), ..files.clone() });
    assert!(sentence.contains("node.key: it holds no certificate in PEM form"), "{sentence}");
    let other = tempfile::tempdir().unwrap();
    let key = certificates(other.path()).key;
    let sentence = refused(Certificates { key, ..files });
    assert!(sentence.starts_with("cannot use the TLS certificate and key "), "{sentence}");
}
