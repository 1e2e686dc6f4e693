//! A foreman and a worker as the actors they are: what becomes of tasks that break their worker, of
//! who waits for one task, and of a worker short of memory.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use mspass_actors::db_proxy::{DbProxy, ProxyStore};
use mspass_actors::foreman::journal::Journal;
use mspass_actors::foreman::lease::JobSpec;
use mspass_actors::foreman::{ForemanActor, JobStatus, Outcome};
use mspass_actors::job::Driver;
use mspass_actors::mailbox::Address;
use mspass_actors::runtime::Runtime;
use mspass_actors::worker::slate::{Death, Slate};
use mspass_actors::worker::{AwaitExhaustion, Runner, ToForeman, WorkerActor, WorkerOptions};
use mspass_actors::workflow::partition::Partition;
use mspass_actors::workflow::stage::{Bench, StageFault, TaskOutput};
use mspass_actors::workflow::tally::Tally;
use mspass_io::store::{Database, MemoryStore};

const PATIENCE: Duration = Duration::from_secs(60);
/// The task that breaks whoever does it, and the one for which the disk is full.
const FRAGILE: u8 = 7;
const LARGE: u8 = 8;

fn partition(number: u8) -> Partition {
    Partition::whole(ObjectId::from_bytes([number; 12]), 1, 1)
}

/// One datum a task.
#[derive(Debug, Default)]
struct Work {
    mended: AtomicBool,
}

impl Runner for Work {
    fn job(&self) -> &'static str {
        "test"
    }

    fn run(&self, part: &Partition, _: &mut Bench) -> Result<TaskOutput, StageFault> {
        let mended = self.mended.load(Ordering::Relaxed);
        match part.origin.bytes()[0] {
            FRAGILE if !mended => panic!("it is fragile"),
            LARGE if !mended => Err(StageFault::Refused("the disk is full".into())),
            _ => {
                let tally = Tally { entered: 1, live: 1, ..Tally::default() };
                Ok(TaskOutput { tally, ..TaskOutput::default() })
            }
        }
    }
}

struct Job {
    driver: Driver,
    foreman: Address<ForemanActor>,
    store: ProxyStore,
    work: Arc<Work>,
    runtime: Runtime,
}

impl Job {
    fn start(journal: Journal) -> Self {
        let runtime = Runtime::start("job").unwrap();
        let spec = JobSpec { job: "test".into(), epoch: 1, ..JobSpec::default() };
        let foreman = ForemanActor::start(&runtime, &spec, journal);
        let driver = Driver::new(runtime.waiter(), &foreman);
        let database = Database::of(Arc::new(MemoryStore::new()));
        let proxy = DbProxy::start(&runtime, database).unwrap();
        let store = ProxyStore::new(runtime.waiter(), &proxy);
        Self { driver, foreman, store, work: Arc::default(), runtime }
    }

    fn worker(&self, name: &str, budget: Option<u64>) -> Address<WorkerActor> {
        let name = name.to_owned();
        let options = WorkerOptions {
            name,
            threads: 1,
            memory_bytes_max: 1 << 20,
            group_bytes_max: 1 << 20,
            folder: std::env::temp_dir(),
            budget,
        };
        let slate = (Slate::in_memory(1), Death::default());
        let foreman = ToForeman::of(&self.foreman);
        WorkerActor::start(&self.runtime, &options, &self.work, &self.store, &foreman, slate)
            .unwrap()
    }

    fn until(&self, wanted: impl Fn(&JobStatus) -> bool) -> JobStatus {
        let began = Instant::now();
        loop {
            let status = self.driver.status().unwrap();
            if wanted(&status) {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "{status:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn journal(folder: &Path) -> Journal {
    Journal::open(&folder.join("test.journal"), "test", "run").unwrap().0
}

#[test]
fn a_task_that_panics_is_set_aside_and_done_when_queued_anew() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::start(journal(folder.path()));
    let _workers = [job.worker("first", None), job.worker("second", None)];
    assert!(
        job.driver.offer((0..20).filter(|n| *n != LARGE).map(partition).collect(), true).unwrap()
    );
    let status = job.until(|status| status.finished);
    let Tally { entered, live, aborted, .. } = status.totals;
    assert_eq!((entered, live, aborted, status.set_aside), (19, 18, 1, 1));
    assert!(status.totals.balances());
    let letters = job.driver.dead_letters().unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.key, letter.attempts), (partition(FRAGILE).key(), 3));
    assert!(letter.reason().contains("it is fragile"), "{letter:?}");
    let workers: Vec<_> = letter.charges.iter().map(|charge| charge.worker.as_str()).collect();
    assert!(workers[..2] == ["first", "second"] || workers[..2] == ["second", "first"]);

    job.work.mended.store(true, Ordering::Relaxed);
    assert_eq!(job.driver.requeue(vec![partition(0).key()]).unwrap(), 0);
    assert_eq!(job.driver.requeue(vec![letter.key]).unwrap(), 1);
    let status = job.until(|status| status.finished);
    let Tally { entered, live, aborted, .. } = status.totals;
    assert_eq!((entered, live, aborted, status.set_aside), (19, 19, 0, 0));
    drop(job);
    let path = folder.path().join("test.journal");
    let (_, replay) = Journal::open(&path, "test", "run").unwrap();
    assert_eq!((replay.done.len(), replay.set_aside.len()), (19, 0));
}

#[test]
fn whoever_waits_for_one_task_gets_an_answer() {
    let job = Job::start(Journal::nowhere());
    let _worker = job.worker("worker", None);
    let done = job.driver.run(partition(1)).unwrap();
    assert!(matches!(done, Outcome::Done(tally) if tally.live == 1));
    let aside = job.driver.run(partition(FRAGILE)).unwrap();
    assert!(matches!(&aside, Outcome::SetAside(why) if why.contains("fragile")), "{aside:?}");
    // The fifth time the job ends, and with it all waiting.
    let failed = job.driver.run(partition(LARGE)).unwrap();
    assert!(matches!(&failed, Outcome::Refused(why) if why.contains("disk is full")), "{failed:?}");
    let status = job.until(|status| status.failure.is_some());
    assert!(status.mendable && !status.finished);
    assert!(matches!(job.driver.run(partition(2)).unwrap(), Outcome::Refused(_)));
    assert!(!job.driver.offer(vec![partition(3)], false).unwrap(), "no more is wanted");

    let job = Job::start(Journal::nowhere());
    job.driver.drain().unwrap();
    assert!(matches!(job.driver.run(partition(1)).unwrap(), Outcome::Refused(_)));
}

#[test]
fn a_worker_short_of_memory_leaves_its_work_to_others_and_asks_to_be_started_anew() {
    let job = Job::start(Journal::nowhere());
    let short = job.worker("short", Some(1)).mailbox();
    let exhausted = async move { short.ask(AwaitExhaustion, PATIENCE).await };
    assert_eq!(job.runtime.waiter().wait(exhausted), Some(Ok(())));
    assert!(job.driver.offer((0..5).map(partition).collect(), true).unwrap());
    let _other = job.worker("other", None);
    let status = job.until(|status| status.finished);
    assert_eq!((status.totals.live, status.workers), (5, 2));
}
