//! Workflows by name: what crosses the wire is a name and parameters, and every node builds the
//! same from them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mspass_actors::foreman::lease::JobSpec;
use mspass_actors::workflow::stage::Stage;
use mspass_actors::workflow::{ArchivePieces, Workflow};
use serde::de::DeserializeOwned;

use crate::desktop::{Draw, own_build};
use crate::error::{Error, Result};

type Build =
    Arc<dyn Fn(&str, ArchivePieces) -> std::result::Result<Workflow, String> + Send + Sync>;

/// The workflows that a program knows.
#[derive(Clone, Default)]
pub struct Workflows {
    known: BTreeMap<String, Build>,
    drawn: BTreeMap<String, Draw>,
}

impl fmt::Debug for Workflows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.known.keys()).finish()
    }
}

impl Workflows {
    /// No workflow yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a workflow: `build` makes it from its parameters, the same on every node.
    #[must_use]
    pub fn with<P, F>(mut self, name: &str, build: F) -> Self
    where
        P: DeserializeOwned,
        F: Fn(&P, ArchivePieces) -> mspass_actors::Result<Workflow> + Send + Sync + 'static,
    {
        let build = move |parameters: &str, pieces| {
            let parameters: P = serde_json::from_str(parameters)
                .map_err(|error| format!("its parameters cannot be read: {error}"))?;
            build(&parameters, pieces).map_err(|error| error.to_string())
        };
        self.known.insert(name.to_owned(), Arc::new(build));
        self
    }

    /// Has `draw` make a picture, as SVG text, of what a finished job of the workflow `name` saved.
    #[must_use]
    pub fn draw(mut self, name: &str, draw: Draw) -> Self {
        self.drawn.insert(name.to_owned(), draw);
        self
    }

    /// What draws the picture of the workflow `name`, if there is one.
    pub(crate) fn draws(&self, name: &str) -> Option<Draw> {
        self.drawn.get(name).copied()
    }

    /// The stage of a job.
    ///
    /// # Errors
    /// [`Error::Option`] when the workflow is not known here, or its parameters can never work.
    pub fn stage(&self, spec: &JobSpec) -> Result<Stage> {
        let JobSpec { job, workflow, parameters, archive, .. } = spec;
        let Some(build) = self.known.get(workflow) else {
            let known: Vec<_> = self.known.keys().map(String::as_str).collect();
            return Err(Error::Option(format!(
                "there is no workflow '{workflow}' in this program; it knows: {}",
                known.join(", ")
            )));
        };
        let built = build(parameters, ArchivePieces::hours(archive));
        let built = built.map_err(|e| Error::Option(format!("workflow '{workflow}': {e}")))?;
        Ok(Stage::new(built, job).of_build(own_build()))
    }
}

#[cfg(test)]
mod tests {
    use mspass_core::process::Resample;

    use super::*;

    fn spec(workflow: &str, parameters: &str) -> JobSpec {
        let (workflow, parameters) = (workflow.to_owned(), parameters.to_owned());
        JobSpec { job: "test".into(), workflow, parameters, ..JobSpec::default() }
    }

    #[test]
    fn a_workflow_is_built_from_its_name_and_parameters() {
        let workflows = Workflows::new().with("slow", |hertz: &f64, pieces| {
            Workflow::read(pieces).map(Resample::to_hz(*hertz)).save(<_>::default())
        });
        let stage = workflows.stage(&spec("slow", "20.0")).unwrap();
        assert_eq!(stage.workflow().steps().len(), 1);
        let told = |spec| workflows.stage(&spec).unwrap_err().to_string();
        assert!(told(spec("fast", "20.0")).contains("it knows: slow"));
        assert!(told(spec("slow", "\"x\"")).contains("parameters"));
        assert!(told(spec("slow", "-1.0")).contains("slow"));
    }
}
