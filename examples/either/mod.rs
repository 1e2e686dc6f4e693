//! A program that runs its workflow in one process, or is any part of a cluster.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use mspass::actors::Result;
use mspass::cluster::cluster::{self, ClusterProgram, Workflows};
use mspass::cluster::options::ClusterOptions;
use mspass::cluster::process;
use mspass::desktop::{self, Draw};
use mspass::{ArchivePieces, DesktopOptions, Workflow};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What tells one example from another.
pub(crate) struct Example<P> {
    /// Of the program, its workflow and its job.
    pub(crate) name: &'static str,
    /// The workdir where none is named.
    pub(crate) workdir: &'static str,
    /// What `--help` says first.
    pub(crate) about: &'static str,
    /// Folder of the sample, in `examples/data`; empty where no archive is read.
    pub(crate) sample: &'static str,
    /// Makes the workflow of its parameters.
    pub(crate) build: fn(&P, ArchivePieces) -> Result<Workflow>,
    /// Draws what the job saved, where its report has no picture that says enough.
    pub(crate) draw: Option<Draw>,
}

#[derive(Debug, Parser)]
#[command(version)]
struct Options<P: Args> {
    #[command(flatten)]
    own: P,

    /// Run over the processes of a cluster: a scheduler, a db and WORKERS worker processes
    #[arg(long)]
    processes: bool,

    #[command(flatten)]
    desktop: DesktopOptions,

    #[command(flatten)]
    cluster: ClusterOptions,

    #[arg(long, hide = true)]
    worker_child: Option<String>,
}

impl<P: Args + Serialize + DeserializeOwned + 'static> Example<P> {
    /// Runs the program as its arguments say; its exit code is the job's.
    pub(crate) fn run(self) -> ExitCode {
        // First of all: a process of a cluster is bound to the one that started it.
        let arguments = match process::arguments() {
            Ok(arguments) => arguments,
            Err(error) => {
                eprintln!("{}: {error}", self.name);
                return ExitCode::FAILURE;
            }
        };
        let options = self.parse(arguments);
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(self.sample);
        let is_part = !options.cluster.role.is_empty() || options.worker_child.is_some();
        if !options.processes && !is_part {
            let build = |pieces| (self.build)(&options.own, pieces);
            return match self.draw {
                Some(draw) => desktop::run_and_draw(&options.desktop, &sample, draw, build),
                None => desktop::run(&options.desktop, &sample, build),
            };
        }
        let program = ClusterProgram {
            desktop: options.desktop,
            cluster: options.cluster,
            worker_child: options.worker_child,
            workflow: self.name.to_owned(),
            parameters: serde_json::to_string(&options.own).unwrap_or_default(),
        };
        let mut workflows = Workflows::new().with(self.name, self.build);
        if let Some(draw) = self.draw {
            workflows = workflows.draw(self.name, draw);
        }
        cluster::run(&program, &sample, workflows)
    }

    /// The options, with a job and a workdir of this example's own where none are named.
    fn parse(&self, arguments: Vec<OsString>) -> Options<P> {
        let (name, workdir) = (self.name, self.workdir);
        let command = Options::<P>::command().name(name).about(self.about);
        let command = command
            .mut_arg("job", |argument| argument.default_value(name))
            .mut_arg("workdir", |argument| argument.default_value(workdir));
        // What it would be told in vain.
        let hide = |argument: clap::Arg| argument.hide(self.sample.is_empty());
        let command = command.mut_arg("archive", hide).mut_arg("archive_name", hide);
        let matches = command.get_matches_from([OsString::from(name)].into_iter().chain(arguments));
        Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}
