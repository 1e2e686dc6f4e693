//! The db-proxy reached to its bounds, and a database that outlives its proxy.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use bytes::Bytes;
use mspass_actors::db_proxy::messages::{
    Action, Answer, Packed, PackedFind, Save, StoreCall, StoreFault,
};
use mspass_actors::db_proxy::{
    CALL_THREADS, CALLS_MAX, CURSORS_MAX, DbProxy, PAGE_DOCUMENTS_MAX, ProxyStore,
    SAVE_ROUND_BYTES_MAX, StoreMailboxes,
};
use mspass_actors::mailbox::{Address, MailError};
use mspass_actors::runtime::Runtime;
use mspass_io::store::{
    Aggregate, Blob, BlobStore, Cursor, Database, DocumentStore, EmbeddedOptions, EmbeddedStore,
    Find, MemoryStore,
};

const LATE: Duration = Duration::from_secs(30);

/// A store whose counts and blobs wait at a gate, and that notes how many do.
#[derive(Debug, Default)]
struct Gated {
    store: MemoryStore,
    shut: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    /// Bytes of each round of blobs.
    rounds: Mutex<Vec<usize>>,
}

impl Gated {
    fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let shut = self.shut.lock().unwrap();
        drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    fn shut(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }
}

type Result<T> = mspass_io::Result<T>;

impl DocumentStore for Gated {
    fn find(&self, collection: &str, find: &Find) -> Result<Cursor> {
        self.store.find(collection, find)
    }
    fn insert(&self, collection: &str, documents: &[Document]) -> Result<Vec<Bson>> {
        self.store.insert(collection, documents)
    }
    fn upsert(&self, collection: &str, documents: &[Document]) -> Result<()> {
        self.store.upsert(collection, documents)
    }
    fn update(&self, collection: &str, filter: &Document, update: &Document) -> Result<u64> {
        self.store.update(collection, filter, update)
    }
    fn delete(&self, collection: &str, filter: &Document) -> Result<u64> {
        DocumentStore::delete(&self.store, collection, filter)
    }
    fn count(&self, collection: &str, filter: &Document) -> Result<u64> {
        self.pass();
        self.store.count(collection, filter)
    }
    fn distinct(&self, collection: &str, path: &str, filter: &Document) -> Result<Vec<Bson>> {
        self.store.distinct(collection, path, filter)
    }
    fn group(
        &self,
        collection: &str,
        filter: &Document,
        keys: &[&str],
        aggregates: &[(&str, Aggregate, &str)],
    ) -> Result<Vec<Document>> {
        self.store.group(collection, filter, keys, aggregates)
    }
    fn create_index(&self, collection: &str, keys: &Document) -> Result<()> {
        self.store.create_index(collection, keys)
    }
    fn collections(&self) -> Result<Vec<String>> {
        self.store.collections()
    }
}

impl BlobStore for Gated {
    fn put(&self, blobs: &[Blob]) -> Result<()> {
        self.pass();
        self.rounds.lock().unwrap().push(blobs.iter().map(|blob| blob.bytes.len()).sum());
        self.store.put(blobs)
    }
    fn read(&self, id: ObjectId) -> Result<Bytes> {
        self.store.read(id)
    }
    fn delete(&self, ids: &[ObjectId]) -> Result<u64> {
        BlobStore::delete(&self.store, ids)
    }
    fn ids(&self) -> Result<Vec<ObjectId>> {
        self.store.ids()
    }
}

/// A proxy over a gated store.
struct Desk {
    runtime: Runtime,
    proxy: Address<DbProxy>,
    store: Arc<Gated>,
}

impl Desk {
    fn new() -> Self {
        let store = Arc::new(Gated::default());
        let database = Database { documents: store.clone(), blobs: store.clone() };
        let runtime = Runtime::start("test").unwrap();
        let proxy = DbProxy::start(&runtime, database).unwrap();
        Self { runtime, proxy, store }
    }

    fn call(&self, action: Action) -> std::result::Result<Answer, StoreFault> {
        let calls = self.proxy.mailbox::<StoreCall>();
        let call = StoreCall { collection: "wf".into(), action };
        self.runtime.waiter().wait(async move { calls.ask(call, LATE).await }).unwrap().unwrap()
    }

    fn fill(&self, documents: usize) {
        let documents: Vec<Document> = (0..documents as i64).map(|n| doc! { "_id": n }).collect();
        self.store.store.insert("wf", &documents).unwrap();
    }

    fn find(&self) -> std::result::Result<Answer, StoreFault> {
        self.call(Action::Find(PackedFind::from(&Find::default().sort(doc! { "_id": 1 }))))
    }
}

fn cursor_of(answer: &Answer) -> u64 {
    let Answer::Page { cursor, .. } = answer else { panic!("{answer:?}") };
    cursor.unwrap()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what}");
}

#[test]
fn cursors_are_bounded_and_closed_ones_make_room() {
    let desk = Desk::new();
    desk.fill(PAGE_DOCUMENTS_MAX + 1);
    let cursors: Vec<u64> = (0..CURSORS_MAX).map(|_| cursor_of(&desk.find().unwrap())).collect();
    assert_eq!(desk.find(), Err(StoreFault::TooManyCursors(CURSORS_MAX)));
    desk.call(Action::Close { cursor: cursors[7] }).unwrap();
    cursor_of(&desk.find().unwrap());
    // Read to its end, a cursor makes room as well.
    desk.call(Action::Next { cursor: cursors[8], page: 1 }).unwrap();
    cursor_of(&desk.find().unwrap());
}

#[test]
fn a_page_is_given_once_and_late_messages_do_no_harm() {
    let desk = Desk::new();
    desk.fill(3 * PAGE_DOCUMENTS_MAX);
    let cursor = cursor_of(&desk.find().unwrap());
    let second = desk.call(Action::Next { cursor, page: 1 }).unwrap();
    let Answer::Page { documents, .. } = &second else { panic!("{second:?}") };
    assert_eq!(documents[0], Packed(doc! { "_id": PAGE_DOCUMENTS_MAX as i64 }));
    assert_eq!(desk.call(Action::Next { cursor, page: 1 }), Err(StoreFault::NoCursor));
    assert_eq!(desk.call(Action::Next { cursor, page: 9 }), Err(StoreFault::NoCursor));
    assert_eq!(cursor_of(&desk.call(Action::Next { cursor, page: 2 }).unwrap()), cursor);
    desk.call(Action::Close { cursor }).unwrap();
    desk.call(Action::Close { cursor }).unwrap();
    assert_eq!(desk.call(Action::Next { cursor, page: 3 }), Err(StoreFault::NoCursor));
}

#[test]
fn calls_in_work_and_waiting_are_bounded() {
    let desk = Desk::new();
    desk.store.shut(true);
    let calls = desk.proxy.mailbox::<StoreCall>();
    let count = || StoreCall { collection: "wf".into(), action: Action::Count(Packed::default()) };
    for _ in 0..CALLS_MAX {
        calls.try_tell(count()).unwrap();
    }
    assert!(calls.try_tell(count()).is_err(), "a full mailbox refuses");
    until("threads", || desk.store.waiting.load(Ordering::SeqCst) == CALL_THREADS);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(desk.store.waiting.load(Ordering::SeqCst), CALL_THREADS);
    desk.store.shut(false);
    until("room comes back", || calls.depth(CALLS_MAX) == 0);
    assert_eq!(desk.call(Action::Count(Packed::default())), Ok(Answer::Count(0)));
}

#[test]
fn a_round_of_saving_is_bounded() {
    let desk = Desk::new();
    desk.store.shut(true);
    let saves = desk.proxy.mailbox::<Save>();
    let size = SAVE_ROUND_BYTES_MAX / 4;
    for number in 0..20u8 {
        let blobs = vec![(ObjectId::from_bytes([number; 12]), Bytes::from(vec![number; size]))];
        saves.try_tell(Save { blobs, documents: Vec::new() }).unwrap();
        if number == 0 {
            until("the first round", || desk.store.waiting.load(Ordering::SeqCst) == 1);
        }
    }
    desk.store.shut(false);
    until("all are saved", || saves.depth(CALLS_MAX) == 0);
    let rounds = desk.store.rounds.lock().unwrap().clone();
    assert_eq!(rounds.iter().sum::<usize>(), 20 * size);
    assert_eq!(rounds.iter().max(), Some(&SAVE_ROUND_BYTES_MAX), "full and no fuller: {rounds:?}");
    assert_eq!(desk.store.ids().unwrap().len(), 20);
}

#[test]
fn saves_done_twice_are_done_once() {
    let desk = Desk::new();
    let id = ObjectId::from_bytes([7; 12]);
    let document = doc! { "_id": id, "npts": 3 };
    let save = Save {
        blobs: vec![(id, Bytes::from_static(b"abc"))],
        documents: vec![("wf".into(), vec![Packed(document.clone())])],
    };
    let store = ProxyStore::new(desk.runtime.waiter(), &desk.proxy);
    for _ in 0..2 {
        let (store, save) = (store.clone(), save.clone());
        desk.runtime.waiter().wait(async move { store.save(save).await }).unwrap().unwrap();
    }
    let database = store.database();
    let found: Vec<_> = database.documents.find("wf", &Find::default()).unwrap().collect();
    assert_eq!(found.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [document]);
    assert_eq!(database.blobs.ids().unwrap(), [id]);
}

/// A process that holds an embedded store; dropping it is its death.
struct DbProcess {
    _runtime: Runtime,
    proxy: Address<DbProxy>,
}

impl DbProcess {
    fn start(folder: &std::path::Path) -> Self {
        // The threads of the one before may need a moment to let go of the store.
        for _ in 0..1000 {
            match EmbeddedStore::open(folder, &EmbeddedOptions::default()) {
                Ok(store) => {
                    let store = Arc::new(store);
                    let database = Database { documents: store.clone(), blobs: store };
                    let runtime = Runtime::start("db").unwrap();
                    let proxy = DbProxy::start(&runtime, database).unwrap();
                    return Self { _runtime: runtime, proxy };
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        panic!("the store stays locked");
    }

    fn mailboxes(&self) -> StoreMailboxes {
        StoreMailboxes::of(&self.proxy)
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_proxy_dies_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::start("client").unwrap();
    let (finder, store) = ProxyStore::following(runtime.waiter());
    let database = store.database();
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let (database, done) = (database.clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut written = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    let number = written.len() as i64;
                    let document = doc! { "writer": writer, "number": number };
                    written.extend(database.documents.insert("wf", &[document]).unwrap());
                    let filter = doc! { "writer": writer, "number": number };
                    let update = doc! { "$set": { "seen": true } };
                    database.documents.update("wf", &filter, &update).unwrap();
                }
                written
            })
        })
        .collect();
    for life in 0..6 {
        let process = DbProcess::start(folder.path());
        finder.found(Some(process.mailboxes()));
        std::thread::sleep(Duration::from_millis(150));
        if life % 2 == 0 {
            finder.found(None);
        }
        drop(process);
    }
    let process = DbProcess::start(folder.path());
    finder.found(Some(process.mailboxes()));
    done.store(true, Ordering::SeqCst);
    let mut total = 0;
    for (writer, thread) in writers.into_iter().enumerate() {
        let written = thread.join().unwrap();
        assert!(!written.is_empty());
        total += written.len() as u64;
        let filter = doc! { "writer": writer as i32, "_id": { "$in": &written } };
        assert_eq!(database.documents.count("wf", &filter).unwrap(), written.len() as u64);
    }
    assert_eq!(database.documents.count("wf", &doc! {}).unwrap(), total, "and nothing is doubled");
}

#[test]
fn explain_tells_what_the_store_behind_the_proxy_does() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::start("client").unwrap();
    let (finder, store) = ProxyStore::following(runtime.waiter());
    let process = DbProcess::start(folder.path());
    finder.found(Some(process.mailboxes()));
    let documents = &store.database().documents;
    let all: Vec<Document> = (0..100_i64).map(|n| doc! { "_id": n, "n": n % 10 }).collect();
    documents.insert("wf", &all).unwrap();
    let find = Find::filter(doc! { "n": 3 });
    let scan = documents.explain("wf", &find).unwrap();
    assert_eq!((scan.index, scan.documents_examined, scan.returned), (None, 100, 10));
    documents.create_index("wf", &doc! { "n": 1 }).unwrap();
    let indexed = documents.explain("wf", &find).unwrap();
    assert_eq!((indexed.index.as_deref(), indexed.documents_examined), (Some("n_1"), 10));
    let bad = Find::filter(doc! { "n": { "$nonsense": 1 } });
    let error = documents.explain("wf", &bad).unwrap_err();
    assert!(matches!(error, mspass_io::Error::Query { .. }), "{error}");
    // A store that cannot tell says so, in its own words.
    let desk = Desk::new();
    let store = ProxyStore::new(desk.runtime.waiter(), &desk.proxy).database();
    let error = store.documents.explain("wf", &find).unwrap_err();
    assert!(matches!(error, mspass_io::Error::Refused(_)), "{error:?}");
    assert!(error.to_string().contains("ask the store behind it"), "{error}");
}

#[test]
fn a_query_by_id_outlives_its_cursor_and_another_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::start("client").unwrap();
    let (finder, store) = ProxyStore::following(runtime.waiter());
    let documents = &store.database().documents;
    let mut process = DbProcess::start(folder.path());
    finder.found(Some(process.mailboxes()));
    let all: Vec<Document> =
        (0..3 * PAGE_DOCUMENTS_MAX as i64).map(|n| doc! { "_id": n, "n": n % 7 }).collect();
    documents.upsert("wf", &all).unwrap();

    for way in [1, -1] {
        let find = Find::filter(doc! { "n": { "$lt": 6 } }).sort(doc! { "_id": way });
        let find = find.limit(2500);
        let mut cursor = documents.find("wf", &find).unwrap();
        let mut found = vec![cursor.next().unwrap().unwrap()];
        drop(process);
        process = DbProcess::start(folder.path());
        finder.found(Some(process.mailboxes()));
        found.extend(cursor.map(Result::unwrap));
        let mut expected: Vec<_> =
            all.iter().filter(|d| d.get_i64("n").unwrap() < 6).cloned().collect();
        if way < 0 {
            expected.reverse();
        }
        expected.truncate(2500);
        assert_eq!(found, expected);
    }

    let find = Find::default().sort(doc! { "n": 1, "_id": 1 });
    let cursor = documents.find("wf", &find).unwrap();
    drop(process);
    let process = DbProcess::start(folder.path());
    finder.found(Some(process.mailboxes()));
    let found: Vec<_> = cursor.collect();
    assert_eq!(found.len(), PAGE_DOCUMENTS_MAX + 1, "one page, and then the reason");
    let error = found.last().unwrap().as_ref().unwrap_err();
    assert!(matches!(error, mspass_io::Error::Store { .. }), "{error}");
    drop(process);
}

#[test]
fn without_a_proxy_and_a_finder_a_call_ends() {
    let runtime = Runtime::start("client").unwrap();
    let (finder, store) = ProxyStore::following(runtime.waiter());
    drop(finder);
    let error = store.database().documents.count("wf", &doc! {}).unwrap_err();
    assert!(error.to_string().contains("gone"), "{error}");
    let gone = MailError::Gone("mspass.store.call").to_string();
    assert!(error.to_string().contains(&gone), "{error}");
}
