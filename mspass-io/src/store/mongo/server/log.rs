//! What a server's log says about its end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Name of the log of the current run.
pub(super) const NAME: &str = "mongod.log";

/// Name of the log of the run before.
pub(super) const OLD_NAME: &str = "mongod.log.old";

/// Bytes at the end of a log that are looked at.
const TAIL_BYTES: u64 = 64 << 10;

/// Characters shown of an entry.
const CHARACTERS_MAX: usize = 300;

/// The last error in a log, or else its last line.
pub(super) fn last_words(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
    words(&String::from_utf8_lossy(&tail))
}

fn words(log: &str) -> Option<String> {
    let lines = || log.lines().rev().filter(|line| !line.trim().is_empty());
    let severe = || lines().filter_map(entry).filter(|entry| entry.severe);
    let entry = severe().find(|entry| entry.error.is_some()).or_else(|| severe().next());
    let entry = entry.or_else(|| lines().next().and_then(entry_or_text));
    entry.map(|entry| entry.sentence())
}

/// What counts of a log entry.
struct Entry {
    severe: bool,
    message: String,
    error: Option<String>,
}

impl Entry {
    /// Message and error in one line of bounded length.
    fn sentence(&self) -> String {
        let mut text = self.message.clone();
        if let Some(error) = &self.error {
            text = format!("{text}: {error}");
        }
        let line: Vec<&str> = text.split_whitespace().collect();
        line.join(" ").chars().take(CHARACTERS_MAX).collect()
    }
}

/// A log entry, which is a JSON object; none for lines of another kind.
fn entry(line: &str) -> Option<Entry> {
    let entry: serde_json::Value = serde_json::from_str(line).ok()?;
    let severity = entry.get("s")?.as_str()?;
    let error = entry.get("attr").and_then(|attr| {
        let error = attr.get("error").or_else(|| attr.get("message"))?;
        error.as_str().or_else(|| error.get("errmsg")?.as_str()).map(str::to_owned)
    });
    let message = entry.get("msg")?.as_str()?.to_owned();
    Some(Entry { severe: severity == "E" || severity == "F", message, error })
}

fn entry_or_text(line: &str) -> Option<Entry> {
    let text = || Entry { severe: false, message: line.to_owned(), error: None };
    Some(entry(line).unwrap_or_else(text))
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn the_last_error_counts_more_than_the_last_line() {
        let log = concat!(
            r#"{"s":"E","msg":"Failed to bind","attr":{"error":{"errmsg":"Address in use"}}}"#,
            "\n",
            r#"{"s":"F","msg":"\n\n***aborting after fassert() failure\n\n"}"#,
            "\n",
            r#"{"s":"I","msg":"Shutting down","attr":{"exitCode":48}}"#,
            "\n\n",
        );
        assert_eq!(words(log).unwrap(), "Failed to bind: Address in use");
    }

    #[test]
    fn an_entry_is_one_line() {
        let log = r#"{"s":"F","msg":"\n\n***aborting after\n fassert()\n\n"}"#;
        assert_eq!(words(log).unwrap(), "***aborting after fassert()");
    }

    #[test]
    fn without_errors_the_last_line_counts() {
        assert_eq!(words("{\"s\":\"I\",\"msg\":\"Now exiting\"}\n").unwrap(), "Now exiting");
        assert_eq!(
            words("a\nmongod: libcrypto.so missing\n").unwrap(),
            "mongod: libcrypto.so missing"
        );
        assert_eq!(words("\n"), None);
    }
}
