//! Processes that die with their parent, are restarted, held and ended. This program plays every
//! part: without arguments it runs the checks, with one it is a child.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mspass_actors::worker::slate::Slate;
use mspass_actors::workflow::partition::TaskKey;
use mspass_cluster::process::{
    ChildSpec, Event, Exit, KeptWorker, MemoryLimit, RestartLimits, Supervisor, arguments,
    keep_worker, last_exit, own_program,
};
use mspass_io::store::mongo::{MongodOptions, MongodServer};

const LONG: Duration = Duration::from_secs(20);

fn main() {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(3);
        }
    };
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    match words[..] {
        ["sleep"] => wait_for_ever(),
        ["stubborn"] => stubborn(),
        ["end", code] => std::process::exit(code.parse().unwrap()),
        ["eat", mib] => eat(mib.parse().unwrap()),
        ["family", pids, role] => family(pids.as_ref(), role),
        ["work", folder] => work(folder.as_ref()),
        ["toil", folder] => toil(folder.as_ref()),
        ["keep-toiling", folder] => keep_toiling(folder.as_ref()),
        ["keep", folder, limit] => keep(folder.as_ref(), limit.parse().unwrap()),
        _ => checks(&words),
    }
}

fn checks(words: &[&str]) {
    let wanted = words.iter().find(|word| !word.starts_with('-'));
    let all: [(&str, fn()); 12] = [
        ("a_killed_child_is_started_again_and_noted", a_killed_child_is_started_again_and_noted),
        ("a_child_that_fails_at_once_is_given_up", a_child_that_fails_at_once_is_given_up),
        ("work_done_and_bad_input_end_it", work_done_and_bad_input_end_it),
        ("who_does_not_end_when_asked_is_killed", who_does_not_end_when_asked_is_killed),
        ("children_die_with_a_killed_parent", children_die_with_a_killed_parent),
        ("a_stranger_dies_with_its_killed_parent", a_stranger_dies_with_its_killed_parent),
        ("a_mongod_ends_with_the_shell_around_it", a_mongod_ends_with_the_shell_around_it),
        ("a_child_of_nobody_does_not_start", a_child_of_nobody_does_not_start),
        ("who_eats_too_much_is_killed", who_eats_too_much_is_killed),
        ("a_datum_that_takes_too_long_ends_its_worker", a_datum_that_takes_too_long),
        ("a_worker_that_dies_over_its_data_stays", a_worker_that_dies_over_its_data_stays),
        ("a_worker_drains_and_then_is_killed", a_worker_drains_and_then_is_killed),
    ];
    for (name, check) in all {
        if wanted.is_none_or(|wanted| name.contains(wanted)) {
            println!("test {name}");
            check();
        }
    }
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::sleep(LONG);
    }
}

/// Does not end when asked to: an ignored signal stays ignored across exec.
fn stubborn() {
    use std::os::unix::process::CommandExt;
    let script = "trap '' TERM; while :; do sleep 1; done";
    panic!("{}", Command::new("sh").args(["-c", script]).exec());
}

fn eat(mib: usize) -> ! {
    let eaten: Vec<Vec<u8>> = (0..mib).map(|_| vec![1; 1 << 20]).collect();
    println!("{}", eaten.len());
    wait_for_ever()
}

/// A parent with a child, on its own or another program.
fn family(pids: &Path, role: &str) -> ! {
    let supervisor = Supervisor::start(Some(pids.to_owned())).unwrap();
    supervisor.add(spec("child", &[role])).unwrap();
    wait_for_ever()
}

fn spec(name: &str, words: &[&str]) -> ChildSpec {
    let arguments = words.iter().map(OsString::from).collect();
    ChildSpec { name: name.into(), role: "worker".into(), arguments, ..ChildSpec::default() }
}

/// A worker that is stuck in its first life and idle in the next.
fn work(folder: &Path) -> ! {
    let (slate, before) = Slate::open(&folder.join("slate"), 2).unwrap();
    if before.is_empty() {
        slate.pen(1).begin("noise", TaskKey(7), false);
        slate.pen(1).datum(3, || "IU.ANMO.00.BHZ".into());
        slate.pen(0).begin("noise", TaskKey(8), false);
        slate.pen(0).end();
    } else {
        let text = format!("{before:?}\n{}\n", last_exit().unwrap());
        fs::write(folder.join("suspects.new"), text).unwrap();
        fs::rename(folder.join("suspects.new"), folder.join("suspects")).unwrap();
    }
    wait_for_ever()
}

/// A worker whose data end it, five times.
fn toil(folder: &Path) -> ! {
    let (slate, before) = Slate::open(&folder.join("slate"), 1).unwrap();
    let lives = folder.join("lives");
    let text = fs::read_to_string(&lives).unwrap_or_default();
    let how = last_exit().unwrap_or_default();
    fs::write(&lives, format!("{text}{} {how}\n", before.len())).unwrap();
    if text.lines().count() == 5 {
        std::process::exit(0);
    }
    slate.pen(0).begin("noise", TaskKey(7), true);
    std::process::abort();
}

/// Its parent, which gives a child up after two restarts.
fn keep_toiling(folder: &Path) {
    let pause_max = Duration::from_millis(1);
    let restart = RestartLimits { restarts_max: 2, pause_max, ..RestartLimits::default() };
    let child = ChildSpec { restart, ..spec("w", &["toil", folder.to_str().unwrap()]) };
    let code = keep_worker(KeptWorker {
        children: vec![(child, folder.join("slate"))],
        datum_timeout: LONG,
        grace: LONG,
        pids: None,
    });
    std::process::exit(code.unwrap().into());
}

fn keep(folder: &Path, limit: u64) {
    let path = folder.to_str().unwrap();
    let child = if limit == 0 { spec("w", &["stubborn"]) } else { spec("w", &["work", path]) };
    let code = keep_worker(KeptWorker {
        children: vec![(child, folder.join("slate"))],
        datum_timeout: Duration::from_secs(limit.max(1)),
        grace: Duration::from_secs(600),
        pids: Some(folder.join("pids")),
    });
    std::process::exit(code.unwrap().into());
}

/// Waits until something holds.
fn until<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = holds() {
            return value;
        }
        assert!(began.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Pids in a file, in order.
fn pids(path: &Path) -> Vec<u32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let pid = |line: &str| line.strip_prefix("worker ").unwrap().parse().unwrap();
    text.lines().map(pid).collect()
}

/// Whether a process runs; one that is dead and not reaped does not.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn kill(signal: &str, pid: u32) {
    let killed = Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}

fn ended(supervisor: &Supervisor) -> (Exit, Option<Duration>) {
    until("it did not end", || {
        supervisor.events().into_iter().find_map(|event| match event {
            Event::Ended { exit, restart_in, .. } => Some((exit, restart_in)),
            _ => None,
        })
    })
}

fn a_killed_child_is_started_again_and_noted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let supervisor = Supervisor::start(Some(file.clone())).unwrap();
    let first = supervisor.add(spec("a", &["sleep"])).unwrap();
    assert!(supervisor.add(spec("a", &["sleep"])).is_err(), "a name is given once");
    kill("-9", first);
    assert_eq!(ended(&supervisor).0, Exit::Signal(9));
    let second = until("no restart", || pids(&file).get(1).copied());
    assert_ne!(first, second);
    assert!(runs(second));
    let status = until("no status", || supervisor.children().pop().filter(|c| c.restarts == 1));
    assert_eq!(status.pid, Some(second));
    assert_eq!(status.last_exit, Some(Exit::Signal(9)));
    supervisor.stop(&["a".into()], LONG);
    assert!(!runs(second));
    until("its end is not noted", || {
        let child = supervisor.children().pop()?;
        (child.last_exit == Some(Exit::Signal(15)) && !child.alive).then_some(())
    });
    assert_eq!(pids(&file), [first, second], "who was asked to end is not started again");
}

fn a_child_that_fails_at_once_is_given_up() {
    let supervisor = Supervisor::start(None).unwrap();
    let pause_max = Duration::from_millis(1);
    let restart = RestartLimits { restarts_max: 3, pause_max, ..RestartLimits::default() };
    supervisor.add(ChildSpec { restart, ..spec("a", &["end", "1"]) }).unwrap();
    until("it is never given up", || (!supervisor.children()[0].alive).then_some(()));
    let status = supervisor.children().remove(0);
    assert_eq!((status.restarts, status.last_exit), (3, Some(Exit::Code(1))));
}

fn work_done_and_bad_input_end_it() {
    for code in [0, 2] {
        let supervisor = Supervisor::start(None).unwrap();
        supervisor.add(spec("a", &["end", &code.to_string()])).unwrap();
        assert_eq!(ended(&supervisor), (Exit::Code(code), None));
    }
}

fn who_does_not_end_when_asked_is_killed() {
    let supervisor = Supervisor::start(None).unwrap();
    let pid = supervisor.add(spec("a", &["stubborn"])).unwrap();
    until("no shell", || {
        fs::read(format!("/proc/{pid}/cmdline")).ok()?.starts_with(b"sh").then_some(())
    });
    std::thread::sleep(Duration::from_millis(100));
    supervisor.stop(&["a".into(), "nobody".into()], Duration::from_millis(200));
    assert!(!runs(pid));
    let (exit, restart) = ended(&supervisor);
    assert_eq!(exit.to_string(), "killed: it did not end when asked");
    assert_eq!(restart, None);
}

/// This program as a process of its own.
fn start(words: &[&str]) -> Child {
    Command::new(own_program()).args(words).stdout(Stdio::null()).spawn().unwrap()
}

fn children_die_with_a_killed_parent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let mut parent = start(&["family", file.to_str().unwrap(), "sleep"]);
    let child = until("no child", || pids(&file).first().copied());
    assert!(runs(child));
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("it outlives its parent", || (!runs(child)).then_some(()));
}

fn a_stranger_dies_with_its_killed_parent() {
    // A shell starts another program through us, as the one around mongod does, and says its pid.
    let script = r#""$0" --exec-child-of=$$ sleep 600 & echo $!; wait"#;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(own_program()).stdout(Stdio::piped());
    let mut parent = shell.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let stranger: u32 = line.trim().parse().unwrap();
    until("it does not become the program", || {
        let name = fs::read_to_string(format!("/proc/{stranger}/comm")).ok()?;
        (name.trim() == "sleep").then_some(())
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("it outlives its parent", || (!runs(stranger)).then_some(()));
}

fn a_mongod_ends_with_the_shell_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = MongodOptions::default().bound_by(own_program());
    let server = MongodServer::start(folder.path(), &options).unwrap();
    let mongod = fs::read_to_string(server.folder().join("pid")).unwrap().trim().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{mongod}/stat")).unwrap();
    let (name, rest) = stat.rsplit_once(") ").unwrap();
    assert!(name.ends_with("(mongod"), "{name}");
    let shell: u32 = rest.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{shell}/comm")).unwrap(), "sh\n");
    kill("-9", shell);
    until("it outlives the shell", || (!runs(mongod)).then_some(()));
    drop(server);
}

fn a_child_of_nobody_does_not_start() {
    for flag in ["--child-of=1", "--exec-child-of=1"] {
        let output = Command::new(own_program()).args([flag, "sleep", "600"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(errors, "cannot bind to its parent: the parent is gone already\n");
    }
}

fn who_eats_too_much_is_killed() {
    let supervisor = Supervisor::start(None).unwrap();
    let memory = Some(MemoryLimit { bytes: 64 << 20 });
    let restart = RestartLimits::never();
    let hungry = ChildSpec { memory, restart, ..spec("hungry", &["eat", "96"]) };
    let modest = ChildSpec { memory, restart, ..spec("modest", &["eat", "16"]) };
    supervisor.add(modest).unwrap();
    supervisor.add(hungry).unwrap();
    let (exit, _) = ended(&supervisor);
    // The kernel's group, or we.
    let text = exit.to_string();
    assert!(text == "signal 9" || text.contains("its limit is 64 MiB"), "{text}");
    let children = supervisor.children();
    println!("     held by {:?}", children[1].memory);
    assert_eq!(children[0].name, "hungry");
    assert!(!children[0].alive && children[1].alive);
}

fn a_datum_that_takes_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut keeper = start(&["keep", path.to_str().unwrap(), "1"]);
    let suspects: PathBuf = path.join("suspects");
    let text = until("nobody knows the suspects", || fs::read_to_string(&suspects).ok());
    let task = "task 00000000000000000000000000000007";
    let datum = r#"ordinal: 3, datum: "IU.ANMO.00.BHZ", alone: false"#;
    let suspect = format!(r#"Suspect {{ job: "noise", task: {task}, {datum} }}"#);
    let exit = format!(
        "killed: compute thread 1 has worked for 1 s on IU.ANMO.00.BHZ (job 'noise', {task}), its \
         limit is 1 s (--datum-timeout)"
    );
    assert_eq!(text, format!("[{suspect}]\n{exit}\n"));
    let known = pids(&path.join("pids"));
    assert_eq!(known.len(), 2, "{known:?}");
    // And the parent is killed: its child goes with it.
    keeper.kill().unwrap();
    keeper.wait().unwrap();
    until("it outlives its parent", || (!runs(known[1])).then_some(()));
}

fn a_worker_that_dies_over_its_data_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut keeper = start(&["keep-toiling", path.to_str().unwrap()]);
    assert_eq!(keeper.wait().unwrap().code(), Some(0));
    let lives = fs::read_to_string(path.join("lives")).unwrap();
    assert_eq!(lives, format!("0 \n{}", "1 signal 6\n".repeat(5)));
}

fn a_worker_drains_and_then_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = start(&["keep", folder.path().to_str().unwrap(), "0"]);
    let child = until("no child", || pids(&folder.path().join("pids")).first().copied());
    until("no shell", || {
        fs::read(format!("/proc/{child}/cmdline")).ok()?.starts_with(b"sh").then_some(())
    });
    std::thread::sleep(Duration::from_millis(100));
    kill("-TERM", keeper.id());
    std::thread::sleep(Duration::from_millis(600));
    assert!(runs(child), "it may drain");
    kill("-TERM", keeper.id());
    assert_eq!(keeper.wait().unwrap().code(), Some(1));
    assert!(!runs(child));
}
