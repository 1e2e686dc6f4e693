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
    let severe =
        lines().find_map(|line| entry(line).filter(|(severity, _)| "EF".contains(severity)));
    severe
        .map(|(_, text)| text)
        .or_else(|| lines().next().map(|line| entry(line).map_or(line.trim().into(), |e| e.1)))
}

/// Severity and text of a log entry, which is a JSON object; none for lines of another kind.
fn entry(line: &str) -> Option<(String, String)> {
    let entry: serde_json::Value = serde_json::from_str(line).ok()?;
    let severity = entry.get("s")?.as_str()?.to_owned();
    let message = entry.get("msg")?.as_str()?;
    let error = entry.get("attr").and_then(|attr| {
        let error = attr.get("error").or_else(|| attr.get("message"))?;
        error.as_str().or_else(|| error.get("errmsg")?.as_str()).map(str::to_owned)
    });
    let text = match error {
        Some(error) => format!("{message}: {error}"),
        None => message.to_owned(),
    };
    Some((severity, text))
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn the_last_error_counts_more_than_the_last_line() {
        let log = concat!(
            r#"{"s":"E","msg":"Failed to bind","attr":{"error":{"errmsg":"Address in use"}}}"#,
            "\n",
            r#"{"s":"I","msg":"Shutting down","attr":{"exitCode":48}}"#,
            "\n\n",
        );
        assert_eq!(words(log).unwrap(), "Failed to bind: Address in use");
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
