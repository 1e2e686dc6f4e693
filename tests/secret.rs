//! The secret of a cluster stays where it was put: no process list, log, file, page or `Debug`
//! text of a running one shows it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mspass::actors::node::NodeOptions;
use mspass::actors::security::{Guard, Origin, Secret};
use program::{built, until};

/// One for each test: they look at each other's processes.
const SECRETS: [&str; 2] =
    ["open-sesame-5f1d6c0b9a8e7f2d4c3b", "abracadabra-90e1d2c3b4a5968778695a"];

/// What nobody may see, as it is and as digits.
struct Hidden(Vec<String>);

impl Hidden {
    fn of(texts: &[&str]) -> Self {
        let hex = |text: &&str| text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let plain = texts.iter().map(|text| (*text).to_owned());
        Self(plain.chain(texts.iter().map(hex)).collect())
    }

    #[track_caller]
    fn is_not_in(&self, place: &str, bytes: &[u8]) {
        for text in &self.0 {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "{place} shows it");
        }
    }
}

/// A process of the cluster, which tells everything it can in files.
struct Part(Child);

impl Part {
    fn start(given: &Given<'_>, role: &str, more: &[&str]) -> Self {
        let output = |kind| File::create(given.told.join(format!("{role}.{kind}"))).unwrap();
        let mut command = given.command(&built("examples/cluster"));
        command.args(["--role", role, "--threads", "1"]).args(more);
        command.arg("--workdir").arg(given.workdir).env("MSPASS_LOG", "trace");
        Self(command.stdout(output("out")).stderr(output("err")).spawn().unwrap())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How the secret was given, and where things are.
struct Given<'a> {
    secret: &'a str,
    variable: (&'a str, &'a str),
    workdir: &'a Path,
    told: &'a Path,
}

impl Given<'_> {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_remove("MSPASS_SECRET").env_remove("MSPASS_SECRET_FILE");
        command.env(self.variable.0, self.variable.1).stdin(Stdio::null());
        command
    }

    fn mspass(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = self.command(&built("mspass"));
        let output = command.args(arguments).arg("--workdir").arg(self.workdir).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        [output.stdout, output.stderr].concat()
    }

    /// The token, as a person asks for it where a cluster was started.
    fn token(&self) -> String {
        std::fs::create_dir_all(self.workdir.join("cluster")).unwrap();
        String::from_utf8(self.mspass(&["status", "--token"])).unwrap().trim().to_owned()
    }
}

fn get(port: u16, authorization: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|e| e.to_string())?;
    let request =
        format!("GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    Ok(answer)
}

/// Every file under a folder, with what is in it.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            // One that is gone meanwhile shows nothing.
            found.extend(std::fs::read(&path).ok().map(|bytes| (path, bytes)));
        }
    }
    found
}

/// This process's descendants.
fn descendants() -> Vec<u32> {
    let mut found = vec![std::process::id()];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
            let of = fields.split(' ').nth(1).and_then(|of| of.parse::<u32>().ok());
            if of == Some(parent) && !found.contains(&pid) {
                found.push(pid);
            }
        }
        at += 1;
    }
    found.split_off(1)
}

/// Runs a job over processes whose secret is `given`, and looks everywhere.
fn nothing_shows_it(given: &Given<'_>, in_environment: bool) {
    let token = given.token();
    let hidden = Hidden::of(&[given.secret, &token]);
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let port_text = port.to_string();
    let _scheduler = Part::start(given, "scheduler", &[]);
    let _db = Part::start(given, "db", &[]);
    let more = ["--json", "--job", "secrets", "--frontend-port", &port_text];
    let mut driver = Part::start(given, "frontend", &more);

    // Without a worker the job waits: there is all the time to look at it.
    let good = format!("Authorization: Bearer {token}\r\n");
    let page = until(|| match get(port, &good)? {
        page if page.contains("\"secrets\"") && page.contains("Running") => Ok(page),
        page => Err(page),
    });
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    hidden.is_not_in("/status", page.as_bytes());
    for wrong in [String::new(), format!("Authorization: Bearer {}\r\n", given.secret)] {
        let page = get(port, &wrong).unwrap();
        assert!(page.starts_with("HTTP/1.1 401") && !page.contains("secrets"), "{page}");
        hidden.is_not_in("the refusal", page.as_bytes());
    }
    let _worker = Part::start(given, "worker", &[]);
    let ended = until(|| {
        for pid in descendants() {
            let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}"));
            hidden.is_not_in("a process list", &read("cmdline").unwrap_or_default());
            if !in_environment {
                hidden.is_not_in("an environment", &read("environ").unwrap_or_default());
            }
        }
        driver.0.try_wait().unwrap().ok_or_else(|| "the job runs on".to_owned())
    });
    assert!(ended.success(), "{ended}");
    for arguments in [&["status"][..], &["status", "--json"]] {
        hidden.is_not_in("mspass status", &given.mspass(arguments));
    }
    let mut lines = 0;
    for (path, bytes) in files(given.told).into_iter().chain(files(given.workdir)) {
        hidden.is_not_in(&path.display().to_string(), &bytes);
        lines += bytes.iter().filter(|byte| **byte == b'\n').count();
    }
    assert!(lines > 20, "everything was to be told, and {lines} lines were");
}

#[test]
fn a_secret_of_a_file_is_shown_nowhere() {
    let given = SECRETS[0];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("given");
    std::fs::write(&file, given).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let (workdir, told) = (folder.path().join("work"), folder.path().join("told"));
    std::fs::create_dir(&told).unwrap();
    let variable = ("MSPASS_SECRET_FILE", file.to_str().unwrap());
    let place = Given { secret: given, variable, workdir: &workdir, told: &told };
    nothing_shows_it(&place, false);

    let secret = Secret::from_file(&file, Origin::File).unwrap();
    let token = secret.token();
    let hidden = Hidden::of(&[given, token.reveal()]);
    let options = NodeOptions::new("noise", "a", secret.clone());
    let shown = format!("{secret:?} {token:?} {options:#?} {:?}", Guard::new(secret.clone(), None));
    hidden.is_not_in("Debug", shown.as_bytes());
}

#[test]
fn a_secret_of_a_variable_is_shown_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (workdir, told) = (folder.path().join("work"), folder.path().join("told"));
    std::fs::create_dir(&told).unwrap();
    let (secret, variable) = (SECRETS[1], ("MSPASS_SECRET", SECRETS[1]));
    nothing_shows_it(&Given { secret, variable, workdir: &workdir, told: &told }, true);
}
