//! The two processes: the server with its actor, and this one's link to it.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mspass_actors::mailbox::{Mailbox, Message, start};
use mspass_actors::node::{Node, NodeOptions, Peer};
use mspass_actors::runtime::Runtime;
use mspass_actors::security::{Origin, Secret};

use crate::messages::{Begin, Burden, Desk, Load, Note, Parcel, Question};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Messages that the actor takes of each kind.
const CAPACITY: usize = 1024;
/// The actor's name.
const DESK: &str = "desk";

fn node(runtime: &Runtime, name: &str, secret: &Path, listens: bool) -> Result<Node> {
    let secret = Secret::from_file(secret, Origin::File)?;
    let mut options = NodeOptions::new("bench", name, secret);
    if listens {
        options.bind = Some("127.0.0.1:0".parse()?);
    }
    Ok(Node::start(runtime, options)?)
}

/// The server's life: it says where it listens, and ends with its input.
pub(crate) fn serve(secret: &Path) -> Result<()> {
    let runtime = Runtime::start("server")?;
    let node = node(&runtime, "server", secret, true)?;
    let desk = start(&runtime, DESK, CAPACITY, |_| Desk::new());
    node.register(DESK, desk.mailbox::<Question>());
    node.register(DESK, desk.mailbox::<Begin>());
    node.register(DESK, desk.mailbox::<Note>());
    node.register(DESK, desk.mailbox::<Parcel>());
    node.register(DESK, desk.mailbox::<Burden>());
    node.register(DESK, desk.mailbox::<Load>());
    println!("{}", node.addresses().first().ok_or("the server has no address")?);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A server process; it ends when this is dropped.
#[derive(Debug)]
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(secret: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--server").arg(secret).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = Self { child: command.spawn()?, address: String::new() };
        let out = server.child.stdout.take().ok_or("the server has no output")?;
        BufReader::new(out).read_line(&mut server.address)?;
        server.address = server.address.trim().to_owned();
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A link from this process to a server of its own, over TCP, each proved to the other.
#[derive(Debug)]
pub(crate) struct Link {
    peer: Peer,
    _node: Node,
    pub(crate) runtime: Runtime,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Link {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("secret");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(b"known to both ends of this benchmark")?;
        drop(file);
        let server = Server::start(&path)?;
        let runtime = Runtime::start("client")?;
        let node = node(&runtime, "client", &path, false)?;
        let (dialer, address) = (node.clone(), server.address.clone());
        let peer = runtime.waiter().wait(async move { dialer.dial(&[address]).await });
        let peer = peer.ok_or("the client's runtime ended")??;
        Ok(Self { peer, _node: node, runtime, server, _folder: folder })
    }

    /// The actor's mailbox for messages of type `M`.
    pub(crate) fn mailbox<M: Message>(&self) -> Result<Mailbox<M>> {
        let peer = self.peer.clone();
        Ok(self.wait(async move { peer.lookup::<M>(DESK).await })??)
    }

    /// Runs a future on the thread of the control lane, where light actors live, and waits.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        Ok(self.runtime.waiter().wait(future).ok_or("the client's runtime ended")?)
    }

    /// The server's process.
    pub(crate) fn server(&self) -> u32 {
        self.server.child.id()
    }
}
