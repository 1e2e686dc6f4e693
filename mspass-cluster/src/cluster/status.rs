//! The frontend's HTTP over a member of the cluster.

use std::sync::Arc;

use super::driver::cluster_status;
use super::node::Member;
use crate::error::Result;
use crate::frontend::http::{HttpServer, StatusSource, TokenCheck};
use crate::options::Settings;

/// Serves `/health` and `/status` on loopback, and says where when it is not where it was asked.
pub(super) fn serve(settings: &Settings, member: &Member) -> Result<HttpServer> {
    let (node, owned, waiter) = (member.node.clone(), settings.clone(), member.runtime.waiter());
    let source: StatusSource = Arc::new(move || {
        let (node, settings, waiter) = (node.clone(), owned.clone(), waiter.clone());
        Box::pin(async move {
            // Asked on the thread that the node lives on.
            let (answer, answered) = tokio::sync::oneshot::channel();
            waiter.spawn(async move {
                let _ = answer.send(cluster_status(node, settings).await);
            });
            let status = answered.await.unwrap_or_else(|_| Err("this process ends".to_owned()))?;
            serde_json::to_string_pretty(&status).map_err(|error| error.to_string())
        })
    });
    let token = member.secret.token();
    let check: TokenCheck = Arc::new(move |offered| {
        std::str::from_utf8(offered).is_ok_and(|offered| token.admits(offered))
    });
    let server = HttpServer::start(settings.frontend_port, source, check)?;
    if server.address().port() != settings.frontend_port {
        eprintln!("port {} is taken: http://{}/status", settings.frontend_port, server.address());
    }
    Ok(server)
}
