//! Telling what a job will do and cost, before it runs.

use std::path::Path;

use mspass_actors::job::{ExplainOptions, explain, foresee};
use mspass_actors::workflow::stage::Stage;
use mspass_io::archive::{IndexOptions, ScanOptions, index};
use mspass_io::store::Database;

use super::{DesktopOptions, OpenDatabase, archive_of, make_workdir, program};
use crate::error::Result;
use crate::frontend::plan::render_plan;

/// Prints the plan of a job. Nothing is run but a sample, and nothing is written but the index of
/// the archive.
pub(crate) fn explain_one(options: &DesktopOptions, sample: &Path, stage: &Stage) -> Result<u8> {
    let workdir = make_workdir(&options.workdir)?;
    let archive = archive_of(options, sample, stage.workflow())?;
    let (database, open) = match crate::cluster::running_database(&workdir) {
        Some(database) => (database, None),
        None => {
            let open = OpenDatabase::open(&options.db, &workdir)?;
            (open.database.clone(), Some(open))
        }
    };
    let explained = tell(options, &database, archive.as_deref(), &workdir, stage);
    drop(database);
    open.map_or(Ok(()), OpenDatabase::close)?;
    explained.map(|()| 0)
}

fn tell(
    options: &DesktopOptions,
    database: &Database,
    archive: Option<&Path>,
    workdir: &Path,
    stage: &Stage,
) -> Result<()> {
    let threads = options.threads();
    if let Some(root) = archive {
        let index_options = IndexOptions {
            root: root.to_owned(),
            name: options.archive_name.clone(),
            exclude: Some(workdir.to_owned()),
            threads,
            scan: ScanOptions::default(),
        };
        index(database, &index_options, &mut |_| ())?;
    }
    let folder = workdir.join("work");
    let plan = explain(database, stage, &ExplainOptions { threads, folder })?;
    if !options.quiet {
        print!("{}", render_plan(&plan));
    }
    if options.json {
        println!("{}", serde_json::json!(plan));
    }
    Ok(())
}

/// Tells on standard error what some of a job's data will die of.
pub(super) fn remark(database: &Database, stage: &Stage) -> Result<()> {
    for remark in foresee(database, stage)? {
        eprintln!("{}: {remark}", program());
    }
    Ok(())
}
