//! What drivers and the scheduler say to each other.

use std::path::PathBuf;

use mspass_actors::foreman::JobStatus;
use mspass_actors::job::Expected;
use mspass_actors::mailbox::Message;
use serde::{Deserialize, Serialize};

/// A job to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRequest {
    /// Name of the job.
    pub job: String,
    /// Name of its workflow.
    pub workflow: String,
    /// Its parameters, as JSON text.
    pub parameters: String,
    /// Folder of the archive, the same on every node, where the workflow reads one.
    pub archive: Option<PathBuf>,
    /// Name of the archive in the index.
    pub archive_name: String,
    /// Delete what the earlier job of this name wrote.
    pub fresh: bool,
}

/// Asks the scheduler to begin a job or to go on with it; one that runs already is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit(pub JobRequest);

/// Asks how far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskProgress {
    /// Its name.
    pub job: String,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Progress {
    /// This scheduler knows nothing of it: it was started anew, say.
    Unknown,
    /// Its archive is being indexed.
    Indexing {
        /// Files seen so far.
        files: u64,
        /// Of these, done with.
        done: u64,
    },
    /// Its foreman works.
    Running {
        /// Where it stands.
        status: Box<JobStatus>,
        /// What it reads.
        expected: Expected,
    },
    /// It cannot be run.
    Refused(Refusal),
}

/// Why a job cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The exit code that follows: 2 where a person can mend the input.
    pub code: u8,
    /// One sentence.
    pub sentence: String,
}

/// Asks that nothing more of a job be leased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainJob {
    /// Its name.
    pub job: String,
}

/// Asks for the state of the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskCluster;

/// A node that the scheduler is linked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub node: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// What is thought of it: up, suspect or down.
    pub state: String,
}

/// The state of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Nodes that the scheduler is linked to.
    pub nodes: Vec<NodeStatus>,
    /// The scheduler's mailboxes: actor, type of message, messages waiting or in work.
    pub mailboxes: Vec<(String, String, u64)>,
    /// Its present job, by name.
    pub job: Option<(String, Progress)>,
}

macro_rules! message {
    ($type:ty, $name:literal, $reply:ty) => {
        impl Message for $type {
            const TYPE: &'static str = $name;
            type Reply = $reply;
        }
    };
}
message!(Submit, "mspass.scheduler.submit", Result<(), Refusal>);
message!(AskProgress, "mspass.scheduler.progress", Progress);
message!(DrainJob, "mspass.scheduler.drain", ());
message!(AskCluster, "mspass.scheduler.cluster", ClusterStatus);
