//! What comes to the roles of a cluster: requests to the frontend, and messages to the scheduler.

use std::sync::Arc;

use mspass_actors::job::Expected;
use mspass_actors::mailbox::Message;
use mspass_cluster::cluster::{
    AskCluster, AskProgress, ClusterStatus, DrainJob, JobRequest, NodeStatus, Progress, Submit,
};
use mspass_cluster::frontend::http::{HEADER_BYTES_MAX, answer_bytes};

use crate::entries::{Entry, Examples, body, reply};

/// The name, what takes the bytes, and examples.
pub const ENTRIES: [(&str, Entry, Examples); 2] =
    [("http", http, http_examples), ("cluster_messages", cluster_messages, cluster_examples)];

/// What only a client with the token sees.
const STATUS: &str = "the state of everything";
/// What such a client says.
const ADMITTED: &[u8] = b"Bearer 0123456789abcdef";

/// A client of the frontend: it is answered, and sees the status only with the token.
pub fn http(bytes: &[u8]) {
    let status = Arc::new(|| -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
        Box::pin(async { Ok(STATUS.to_owned()) })
    });
    let answer = answer_bytes(bytes, status, Arc::new(|value: &[u8]| value == ADMITTED));
    let shown = answer.windows(STATUS.len()).any(|window| window == STATUS.as_bytes());
    let admitted = bytes.windows(ADMITTED.len()).any(|window| window == ADMITTED);
    assert!(admitted || !shown, "the status is shown to a stranger");
    // Each request is answered with a few lines, and has more than a few bytes.
    assert!(answer.len() <= 64 * bytes.len() + HEADER_BYTES_MAX, "{} bytes", answer.len());
}

fn http_examples() -> Vec<Vec<u8>> {
    let admitted = String::from_utf8_lossy(ADMITTED);
    let request = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes()
    };
    vec![
        request("GET /health", ""),
        request("GET /status", &format!("Authorization: {admitted}\r\n")),
        request("GET /status", "Authorization: Bearer 0123456789abcdee\r\n"),
        request("POST /status", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
        request("POST /health", "Content-Length: 18446744073709551615\r\n"),
        request("GET /else", "Connection: close\r\nExpect: 100-continue\r\n"),
        [request("HEAD /health", ""), request("OPTIONS *", "")].concat(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
    ]
}

/// Messages between drivers and the scheduler.
pub fn cluster_messages(bytes: &[u8]) {
    body::<Submit>(bytes);
    reply::<Submit>(bytes);
    body::<AskProgress>(bytes);
    reply::<AskProgress>(bytes);
    body::<DrainJob>(bytes);
    body::<AskCluster>(bytes);
    reply::<AskCluster>(bytes);
}

fn cluster_examples() -> Vec<Vec<u8>> {
    let request = JobRequest {
        job: "noise".to_owned(),
        workflow: "prepare".to_owned(),
        parameters: "{\"taper\":0.05}".to_owned(),
        archive: Some("/data/sds".into()),
        archive_name: "sds".to_owned(),
        fresh: true,
    };
    let running = Progress::Running {
        status: Box::default(),
        expected: Expected { bytes: 1 << 40, data: 0 },
    };
    let node = NodeStatus {
        node: "db-1".to_owned(),
        roles: vec!["db".to_owned()],
        state: "up".to_owned(),
    };
    let status = ClusterStatus {
        nodes: vec![node],
        mailboxes: vec![("scheduler".to_owned(), Submit::TYPE.to_owned(), 3)],
        job: Some(("noise".to_owned(), running.clone())),
    };
    let refused: <Submit as Message>::Reply = Ok(());
    let written = [
        rmp_serde::to_vec_named(&Submit(request)),
        rmp_serde::to_vec_named(&running),
        rmp_serde::to_vec_named(&Progress::Indexing { files: 7, done: 3 }),
        rmp_serde::to_vec_named(&status),
        rmp_serde::to_vec_named(&refused),
        rmp_serde::to_vec_named(&DrainJob { job: "noise".to_owned() }),
    ];
    written.into_iter().map(|written| written.expect("it can be written")).collect()
}
