//! The job of the example `desktop` over processes: one program is every part of a cluster.
//!
//! ```text
//! cargo run --release --example cluster -- --archive DIR --workdir DIR --workers 3
//! ```
//! starts a scheduler, a db and three worker processes on this machine, runs the job on them and
//! ends them. Kill any of them while it works: it is started again, and the result is the same. On
//! another machine that sees the same folders, the same program adds to the cluster:
//!
//! ```text
//! cluster --role worker --workdir DIR --workers 8
//! ```

mod prepare;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use mspass::DesktopOptions;
use mspass::cluster::cluster::{self, ClusterProgram, Workflows};
use mspass::cluster::options::ClusterOptions;
use mspass::cluster::process;
use prepare::Prepare;

/// Name of the workflow, by which every node of the cluster knows it.
const NAME: &str = "prepare";

/// Prepares an archive of raw miniSEED over the processes of a cluster: index, cut at UTC hours,
/// detrend, taper, band-pass, resample, save, report.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    desktop: DesktopOptions,

    #[command(flatten)]
    cluster: ClusterOptions,

    #[command(flatten)]
    prepare: Prepare,

    #[arg(long, hide = true)]
    worker_child: Option<String>,
}

fn main() -> ExitCode {
    // First of all: a process of the cluster is bound to the one that started it.
    let arguments = match process::arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("cluster: {error}");
            return ExitCode::FAILURE;
        }
    };
    let options = Options::parse_from([OsString::from("cluster")].into_iter().chain(arguments));
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/sds");
    let program = ClusterProgram {
        desktop: options.desktop,
        cluster: options.cluster,
        worker_child: options.worker_child,
        workflow: NAME.to_owned(),
        parameters: serde_json::to_string(&options.prepare).unwrap_or_default(),
    };
    let workflows = Workflows::new().with(NAME, |prepare: &Prepare, pieces| prepare.build(pieces));
    cluster::run(&program, &sample, workflows)
}
