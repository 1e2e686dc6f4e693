//! No-op tasks through a foreman and two worker processes, over authenticated TCP on loopback.
//!
//! ```sh
//! cargo bench --bench tasks                       # throughput, with and without journal; latency
//! cargo bench --bench tasks -- --tasks 10000000   # so many in one job, with the foreman's memory
//! cargo bench --bench tasks -- --lost             # how soon a lost worker's tasks are leased anew
//! ```

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use mspass_actors::db_proxy::{DbProxy, ProxyStore};
use mspass_actors::foreman::journal::Journal;
use mspass_actors::foreman::lease::JobSpec;
use mspass_actors::foreman::{ForemanActor, Outcome};
use mspass_actors::job::Driver;
use mspass_actors::node::{Node, NodeOptions};
use mspass_actors::runtime::Runtime;
use mspass_actors::security::Secret;
use mspass_actors::worker::slate::{Death, Slate};
use mspass_actors::worker::{Runner, ToForeman, WorkerActor, WorkerOptions};
use mspass_actors::workflow::partition::Partition;
use mspass_actors::workflow::stage::{Bench, StageFault, TaskOutput};
use mspass_io::store::{Database, MemoryStore};

const WORKERS: usize = 2;
const ROUNDS: usize = 5;
const TASKS: u64 = 200_000;
const OFFER: u64 = 4096;
const CALLS: u64 = 2_000;
/// Tells a process that it is a worker: folder of the secret, address of the foreman, its name.
const WORKER: &str = "MSPASS_BENCH_WORKER";

/// Does nothing.
#[derive(Debug)]
struct NoOp;

impl Runner for NoOp {
    fn job(&self) -> &'static str {
        "no-op"
    }

    fn run(&self, _: &Partition, _: &mut Bench) -> Result<TaskOutput, StageFault> {
        Ok(TaskOutput::default())
    }
}

fn partition(number: u64) -> Partition {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Partition::whole(ObjectId::from_bytes(id), 1, 0)
}

fn node(runtime: &Runtime, folder: &Path, name: &str, listens: bool) -> Node {
    let secret = Secret::from_variables(|_| None, folder).unwrap();
    let mut options = NodeOptions::new("bench", name, secret);
    options.bind = listens.then(|| "127.0.0.1:0".parse().unwrap());
    Node::start(runtime, options).unwrap()
}

/// What a worker process does, until it is killed.
fn work(told: &str) {
    let mut words = told.split('\n');
    let mut word = || words.next().unwrap().to_owned();
    let (folder, address, name) = (word(), word(), word());
    let runtime = Runtime::start("worker").unwrap();
    let node = node(&runtime, Path::new(&folder), &name, false);
    let proxy = DbProxy::start(&runtime, Database::of(Arc::new(MemoryStore::new()))).unwrap();
    let store = ProxyStore::new(runtime.waiter(), &proxy);
    let (runtime, peer) = {
        let node = node.clone();
        let dialed = runtime.waiter().wait(async move { node.dial(&[address]).await });
        (runtime, dialed.unwrap().unwrap())
    };
    let scheduler = peer.clone();
    let foreman =
        runtime.waiter().wait(async move { ToForeman::lookup(&scheduler, "foreman").await });
    let options = WorkerOptions {
        name,
        threads: 1,
        memory_bytes_max: 128 << 20,
        group_bytes_max: 128 << 20,
        folder: std::env::temp_dir(),
        budget: None,
    };
    let slate = (Slate::in_memory(1), Death::default());
    let foreman = foreman.unwrap().unwrap();
    let _worker =
        WorkerActor::start(&runtime, &options, &Arc::new(NoOp), &store, &foreman, slate).unwrap();
    runtime.waiter().wait(async move { peer.down().await });
}

/// Processes that end with this value.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

struct Cluster {
    driver: Driver,
    workers: Workers,
    _node: Node,
    _runtime: Runtime,
}

fn cluster(folder: &Path, journaled: bool) -> Cluster {
    let runtime = Runtime::start("foreman").unwrap();
    let node = node(&runtime, folder, "scheduler", true);
    let journal = if journaled {
        let path = folder.join("tasks.journal");
        let _ = std::fs::remove_file(&path);
        Journal::open(&path, "no-op", "run").unwrap().0
    } else {
        Journal::nowhere()
    };
    let spec = JobSpec { job: "no-op".into(), epoch: 1, ..JobSpec::default() };
    let foreman = ForemanActor::start(&runtime, &spec, journal);
    ToForeman::register(&foreman, &node, "foreman");
    let driver = Driver::new(runtime.waiter(), &foreman);
    let address = node.addresses().remove(0);
    let start = |number| {
        let told = format!("{}\n{address}\nworker-{number}", folder.display());
        Command::new(std::env::current_exe().unwrap()).env(WORKER, told).spawn().unwrap()
    };
    let workers = Workers((0..WORKERS).map(start).collect());
    while driver.status().unwrap().workers < WORKERS {
        std::thread::sleep(Duration::from_millis(10));
    }
    Cluster { driver, workers, _node: node, _runtime: runtime }
}

impl Cluster {
    /// Does tasks from .. to and waits for them; the last of the job if that is said.
    fn run(&self, from: u64, to: u64, last: bool) -> Duration {
        let began = Instant::now();
        let mut next = from;
        while next < to {
            let end = (next + OFFER).min(to);
            let tasks = (next..end).map(partition).collect();
            assert!(self.driver.offer(tasks, last && end == to).unwrap());
            next = end;
        }
        loop {
            let status = self.driver.status().unwrap();
            assert_eq!(status.failure, None);
            if status.finished || !last && status.tasks_waiting == 0 {
                return began.elapsed();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Times of single tasks, from submission to result.
    fn latencies(&self, from: u64) -> Vec<Duration> {
        let call = |number| {
            let began = Instant::now();
            let outcome = self.driver.run(partition(number)).unwrap();
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
            began.elapsed()
        };
        let mut times: Vec<_> = (from..from + CALLS).map(call).collect();
        times.sort_unstable();
        times
    }
}

/// How soon the foreman leases anew what a worker held that is killed, and one that falls silent.
fn lose_workers(folder: &Path) {
    for (signal, what, goal) in [("-KILL", "killed", 1), ("-STOP", "stopped", 16)] {
        let cluster = cluster(folder, false);
        let victim = cluster.workers.0[0].id().to_string();
        let began = Instant::now();
        let sent = Command::new("kill").args([signal, &victim]).status().unwrap();
        assert!(sent.success());
        while cluster.driver.status().unwrap().workers == WORKERS {
            std::thread::sleep(Duration::from_millis(5));
        }
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "a worker is {what}: its tasks are leased anew after {seconds:.2} s (goal {goal})"
        );
    }
}

fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    if let Ok(told) = std::env::var(WORKER) {
        return work(&told);
    }
    let arguments: Vec<String> = std::env::args().collect();
    let asked = arguments.windows(2).find(|pair| pair[0] == "--tasks");
    let asked: Option<u64> = asked.map(|pair| pair[1].parse().expect("--tasks takes a number"));
    let folder = tempfile::tempdir().unwrap();
    Secret::from_variables(|_| None, folder.path()).unwrap();
    if arguments.iter().any(|argument| argument == "--lost") {
        return lose_workers(folder.path());
    }
    if let Some(tasks) = asked {
        let cluster = cluster(folder.path(), true);
        let took = cluster.run(0, tasks, true);
        let rate = tasks as f64 / took.as_secs_f64();
        let memory = memory_mib();
        println!("{tasks} tasks in one job, journaled: {rate:.0}/s, foreman peak {memory:.0} MiB");
        drop(cluster);
        let began = Instant::now();
        let journal = folder.path().join("tasks.journal");
        let bytes = journal.metadata().unwrap().len() >> 20;
        let (_, replay) = Journal::open(&journal, "no-op", "run").unwrap();
        assert_eq!(replay.done.len() as u64, tasks);
        let (seconds, memory) = (began.elapsed().as_secs_f64(), memory_mib());
        println!("its journal of {bytes} MiB read again in {seconds:.1} s, peak {memory:.0} MiB");
        return;
    }
    let (mut plain, mut journaled, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        for (with_journal, rates) in [(false, &mut plain), (true, &mut journaled)] {
            let cluster = cluster(folder.path(), with_journal);
            cluster.run(0, TASKS / 10, false);
            let took = cluster.run(TASKS, 2 * TASKS, false);
            rates.push(TASKS as f64 / took.as_secs_f64());
            if !with_journal {
                let times = cluster.latencies(3 * TASKS);
                let at = |permille: usize| times[times.len() * permille / 1000].as_secs_f64() * 1e6;
                calls.push((at(500), at(990)));
            }
        }
        let (rate, with, call) = (plain[round - 1], journaled[round - 1], calls[round - 1]);
        println!(
            "round {round}: {rate:.0} tasks/s, {with:.0}/s journaled; submit to result p50 {:.0}, \
             p99 {:.0} us",
            call.0, call.1
        );
    }
    let calls = median(calls.into_iter().map(|(p50, _)| p50).collect());
    println!(
        "median: {:.0} tasks/s (goal 50000), {:.0}/s journaled (goal 35000), submit to result p50 \
         {calls:.0} us (goal 250)",
        median(plain),
        median(journaled)
    );
}
