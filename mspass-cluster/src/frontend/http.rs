//! The frontend's HTTP, on a thread of its own: `/health`, which anybody may ask and which says
//! only that the process lives, and `/status`, for those who bring the token.
//!
//! What comes in is bounded before it is looked at: connections, bytes of headers, time.

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use mspass_actors::runtime::spawn_thread;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::error::{Error, Result};

/// Connections at the same time; the rest wait to be accepted.
pub const CONNECTIONS_MAX: usize = 64;
/// Bytes of a request's line and headers.
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// Headers of a request.
pub const HEADERS_MAX: usize = 64;
/// A request's headers must come within this time.
pub const HEADER_TIME_MAX: Duration = Duration::from_secs(5);
/// A connection is closed after this time, whatever it is doing.
pub const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);
/// Ports tried, beginning with the one asked for.
pub const PORTS_TRIED_MAX: u16 = 100;

/// Gives the status as JSON text, or why there is none.
pub type StatusSource =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;
/// Whether the value of an `Authorization` header admits, in constant time.
pub type TokenCheck = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What the pages need.
#[derive(Clone)]
struct Pages {
    status: StatusSource,
    token: TokenCheck,
}

/// A server of HTTP; it ends when this is dropped.
pub struct HttpServer {
    address: SocketAddr,
    _ends: oneshot::Sender<()>,
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl HttpServer {
    /// Listens on loopback, at `port` or at the next that is free.
    ///
    /// # Errors
    /// Where none of [`PORTS_TRIED_MAX`] ports is free.
    pub fn start(port: u16, status: StatusSource, token: TokenCheck) -> Result<Self> {
        let listener = listen(port)?;
        let failed = |error| Error::Cluster(format!("cannot answer HTTP: {error}"));
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let (ends, ended) = oneshot::channel::<()>();
        let pages = Pages { status, token };
        let thread = spawn_thread("http", move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                let router = router(pages);
                tokio::select! {
                    () = accept(&listener, &router) => (),
                    _ = ended => (),
                }
            });
        })?;
        drop(thread);
        Ok(Self { address, _ends: ends })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listen(port: u16) -> Result<std::net::TcpListener> {
    for port in port..=port.saturating_add(PORTS_TRIED_MAX - 1) {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        match listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener)) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => {
                return Err(Error::Option(format!(
                    "--frontend-port {port}: cannot listen there: {error}; name another"
                )));
            }
        }
    }
    Err(Error::Option(format!(
        "--frontend-port {port}: this port and the {} after it are in use; name another",
        PORTS_TRIED_MAX - 1
    )))
}

/// Accepts as many connections at a time as allowed, for ever.
async fn accept(listener: &TcpListener, router: &Router) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, router.clone()));
                }
                // Out of files: those that end give some back.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => (),
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    drop(tokio::time::timeout(CONNECTION_TIME_MAX, connection).await);
}

/// What a client is answered that sends these bytes and no more, on a connection of its own: for
/// tests and fuzzing.
pub fn answer_bytes(bytes: &[u8], status: StatusSource, token: TokenCheck) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let (mut client, server) = tokio::io::duplex(HEADER_BYTES_MAX);
    let (mut answer, router) = (Vec::new(), router(Pages { status, token }));
    runtime.block_on(async {
        let (mut reader, mut writer) = tokio::io::split(&mut client);
        let say = async {
            drop(writer.write_all(bytes).await);
            drop(writer.shutdown().await);
        };
        let hear = async { drop(reader.read_to_end(&mut answer).await) };
        tokio::join!(serve(server, router), say, hear);
    });
    answer
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/status", get(status))
        .with_state(pages)
}

async fn status(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    let admitted = |value: &HeaderValue| (pages.token)(value.as_bytes());
    if !headers.get(header::AUTHORIZATION).is_some_and(admitted) {
        let told = [(header::WWW_AUTHENTICATE, "Bearer")];
        let how =
            "bring the token: Authorization: Bearer TOKEN (`mspass status --token` says it)\n";
        return (StatusCode::UNAUTHORIZED, told, how).into_response();
    }
    match (pages.status)().await {
        Ok(json) => {
            let kind =
                [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (kind, Body::from(json)).into_response()
        }
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn server() -> HttpServer {
        let status: StatusSource = Arc::new(|| Box::pin(async { Ok("{\"workers\":3}".into()) }));
        HttpServer::start(8787, status, Arc::new(|value| value == b"Bearer right")).unwrap()
    }

    fn ask(server: &HttpServer, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(server: &HttpServer, path: &str, headers: &str) -> String {
        ask(
            server,
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"),
        )
    }

    #[test]
    fn health_says_ok_to_everybody_and_nothing_else() {
        let server = server();
        let answer = get(&server, "/health", "");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    }

    #[test]
    fn status_is_for_those_who_bring_the_token() {
        let server = server();
        for wrong in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic right\r\n"] {
            let answer = get(&server, "/status", wrong);
            assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("workers"), "{answer}");
        }
        let answer = get(&server, "/status", "Authorization: Bearer right\r\n");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("workers"), "{answer}");
        let answer = get(&server, "/else", "Authorization: Bearer right\r\n");
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let (first, second) = (server(), server());
        assert_ne!(first.address(), second.address());
        assert!(get(&second, "/health", "").contains("200"));
    }

    #[test]
    fn too_much_of_a_request_is_refused() {
        let server = server();
        let long = format!("X-Long: {}\r\n", "a".repeat(2 * HEADER_BYTES_MAX));
        assert!(get(&server, "/health", &long).starts_with("HTTP/1.1 431"));
        let many = "X-A: a\r\n".repeat(HEADERS_MAX + 1);
        assert!(get(&server, "/health", &many).starts_with("HTTP/1.1 431"));
        assert!(!ask(&server, "\u{0}\u{1}garbage\r\n\r\n").contains("200"));
    }

    #[test]
    fn slow_and_many_clients_do_not_keep_others_out() {
        let server = server();
        let slow: Vec<TcpStream> = (0..CONNECTIONS_MAX + 8)
            .map(|_| {
                let mut stream = TcpStream::connect(server.address()).unwrap();
                stream.write_all(b"GET /health HTTP/1.1\r\n").unwrap();
                stream
            })
            .collect();
        // Once their time is over.
        let answer = get(&server, "/health", "");
        assert!(answer.ends_with("ok\n"), "{answer}");
        drop(slow);
    }
}
