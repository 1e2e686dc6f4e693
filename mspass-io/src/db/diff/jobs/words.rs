//! A comparison of two runs in words.

use std::fmt;

use bson::Document;
use mspass_core::UtcTime;

use super::{Count, DatumDifference, DatumName, JobsDiff};

impl fmt::Display for JobsDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs: [a, b], data, equal, differing, only, blobs, .. } = self;
        if self.is_equal() {
            write!(f, "equal: {equal} data of jobs '{a}' and '{b}', the samples of {blobs}")?;
        } else {
            write!(
                f,
                "different: {} data of job '{a}' and {} of job '{b}': {equal} equal, {differing} \
                 differ, {} only in '{a}', {} only in '{b}'",
                data[0], data[1], only[0], only[1]
            )?;
        }
        if let Some(steps) = &self.steps {
            write!(f, "\n  steps: {steps}")?;
        }
        if let Some(first) = &self.first {
            write!(f, "\n  first: {first}")?;
        }
        for (job, datum) in self.jobs.iter().zip(&self.first_only) {
            if let Some(datum) = datum {
                write!(f, "\n  only in '{job}': {datum}")?;
            }
        }
        for Count { what, counts: [left, right] } in &self.counts {
            write!(f, "\n  {what}: {left} and {right}")?;
        }
        Ok(())
    }
}

impl fmt::Display for DatumName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.collection, self.id)
    }
}

impl fmt::Display for DatumDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [left, right] = &self.data;
        write!(f, "{}, {left} and {right}: {}", self.label, self.kind)
    }
}

/// Channel and start of a waveform.
pub(super) fn label(document: Option<&Document>) -> String {
    let Some(document) = document else { return "a datum whose document is gone".into() };
    let text = |key| document.get_str(key).unwrap_or_default();
    let id = ["net", "sta", "loc", "chan"].map(text).join(".");
    match document.get_f64("starttime") {
        Ok(seconds) => format!("{id} {}", UtcTime::from_seconds(seconds)),
        Err(_) => id,
    }
}
