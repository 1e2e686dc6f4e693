//! Telling what a job will do and cost, before it runs.

use std::path::Path;

use mspass_actors::job::{ExplainOptions, explain};
use mspass_actors::workflow::stage::Stage;
use mspass_io::archive::index;
use mspass_io::store::Database;

use super::{DesktopOptions, OpenDatabase, archive_of, index_options, make_workdir};
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
    if let Some(root) = archive {
        index(database, &index_options(options, root, workdir), &mut |_| ())?;
    }
    let (threads, folder) = (options.threads(), workdir.join("work"));
    let plan = explain(database, stage, &ExplainOptions { threads, folder })?;
    if !options.quiet {
        print!("{}", render_plan(&plan));
    }
    if options.json {
        println!("{}", serde_json::json!(plan));
    }
    Ok(())
}
