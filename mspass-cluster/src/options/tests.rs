use super::*;

fn around() -> Surroundings {
    Surroundings { workdir: "w".into(), ..Surroundings::default() }
}

fn said(set: impl FnOnce(&mut ClusterOptions)) -> ClusterOptions {
    let mut options = ClusterOptions::default();
    set(&mut options);
    options
}

fn settings(set: impl FnOnce(&mut ClusterOptions)) -> Settings {
    Settings::of(&said(set), &around()).unwrap()
}

fn refused(set: impl FnOnce(&mut ClusterOptions), words: &[&str]) {
    let error = Settings::of(&said(set), &around()).unwrap_err();
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert!(!text.contains('\n'), "{text}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn nothing_said_means_loopback_and_folders_in_the_workdir() {
    let all = settings(|_| {});
    assert!(all.roles.is_empty());
    assert_eq!(all.bind.to_string(), "127.0.0.1:0");
    assert_eq!(all.store, Store::Embedded("w/db".into()));
    assert_eq!((all.log_dir, all.worker_dir), ("w/logs".into(), "w/work".into()));
    assert_eq!((all.workers, all.frontend_port), (1, 8787));
    assert_eq!(all.patience.as_secs(), 300);
    assert_eq!(all.datum_timeout.as_secs(), 600);
}

#[test]
fn roles_are_listed_repeated_or_all() {
    let roles = |text: &[&str]| {
        settings(|options| options.role = text.iter().map(|t| (*t).to_owned()).collect()).roles
    };
    assert_eq!(roles(&["worker,db", "worker"]), [Role::Db, Role::Worker]);
    assert_eq!(roles(&["all"]), Role::ALL);
    assert_eq!(roles(&[""]), []);
    refused(|options| options.role = vec!["master".into()], &["master", "scheduler, worker"]);
}

#[test]
fn addresses_take_hosts_ports_and_schemes() {
    let scheduler = |text: &str| settings(|o| o.scheduler_address = Some(text.into())).scheduler;
    let address = |host: &str, port| Some(Address { host: host.into(), port });
    assert_eq!(scheduler("node1"), address("node1", 8786));
    assert_eq!(scheduler("tcp://node1:900/"), address("node1", 900));
    assert_eq!(scheduler("[::1]:900"), address("::1", 900));
    assert_eq!(scheduler("::1"), address("::1", 8786));
    assert_eq!(scheduler(" "), None);
    let ported = settings(|o| {
        o.scheduler_address = Some("node1".into());
        o.scheduler_port = Some("9".into());
    });
    assert_eq!(ported.scheduler, address("node1", 9));
    for bad in ["node1:", "node1:0", "node1:99999", "a b", "[::1", ":::", "x:y:z", "-\u{e9}"] {
        refused(|o| o.scheduler_address = Some(bad.into()), &["MSPASS_SCHEDULER_ADDRESS"]);
    }
}

#[test]
fn a_scheduler_elsewhere_means_to_listen_beyond_loopback() {
    let bind = |role: &str, address: &str| {
        let settings = settings(|o| {
            o.role = vec![role.into()];
            o.scheduler_address = Some(address.into());
        });
        settings.bind.to_string()
    };
    assert_eq!(bind("scheduler", "node1:900"), "0.0.0.0:900");
    assert_eq!(bind("worker", "node1:900"), "0.0.0.0:0");
    assert_eq!(bind("scheduler", "localhost:900"), "127.0.0.1:900");
    assert_eq!(bind("worker", "127.0.0.1:900"), "127.0.0.1:0");
    let told = settings(|o| o.bind = Some("10.0.0.1:7".into()));
    assert_eq!(told.bind.to_string(), "10.0.0.1:7");
    refused(|o| o.bind = Some("eth0".into()), &["--bind", "eth0"]);
}

#[test]
fn one_database_is_named_once() {
    let uri = "mongodb://node2:27017/quakes";
    let named = settings(|o| o.db_address = Some(uri.into()));
    assert_eq!(named.store, Store::Named(uri.parse().unwrap()));
    let host = settings(|o| o.db_address = Some("node2".into()));
    assert_eq!(host.db_address.map(|a| a.to_string()), Some("node2:27017".into()));
    assert_eq!(host.store, Store::Embedded("w/db".into()));
    let options = said(|o| o.db_address = Some(uri.into()));
    let both = Surroundings { db: Some("mongod".into()), ..around() };
    let text = Settings::of(&options, &both).unwrap_err().to_string();
    assert!(text.contains("two databases"), "{text}");
    let odd = Surroundings { db: Some("oracle".into()), ..around() };
    let text = Settings::of(&ClusterOptions::default(), &odd).unwrap_err().to_string();
    assert!(text.contains("oracle") && text.contains("mongodb://"), "{text}");
    // A password in an address that is no good is not repeated.
    let bad = said(|o| o.db_address = Some("mongodb://me:hush@node2".into()));
    let text = Settings::of(&bad, &around()).unwrap_err().to_string();
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn worker_arguments_of_mspass_are_understood_and_flags_win() {
    let both = settings(|o| o.worker_arg = Some("--nworkers=4 --nthreads 2".into()));
    assert_eq!((both.workers, both.threads), (4, Some(2)));
    let flags = said(|o| {
        o.worker_arg = Some("--nworkers=4 --nthreads 2".into());
        o.threads = Some("3".into());
    });
    let flags = Settings::of(&flags, &Surroundings { workers: 5, ..around() }).unwrap();
    assert_eq!((flags.workers, flags.threads), (5, Some(3)));
    refused(|o| o.worker_arg = Some("--lifetime 3".into()), &["--lifetime"]);
    refused(|o| o.worker_arg = Some("--nthreads".into()), &["--nthreads"]);
    refused(|o| o.threads = Some("0".into()), &["--threads"]);
    refused(|o| o.threads = Some("many".into()), &["many"]);
    let many = Surroundings { workers: 100_000, ..around() };
    assert!(Settings::of(&ClusterOptions::default(), &many).is_err());
}

#[test]
fn amounts_are_checked() {
    let limit = |text: &str| memory_limit(&Some(text.into())).unwrap();
    assert_eq!(limit("4G"), Some(4 << 30));
    assert_eq!(limit("512MiB"), Some(512 << 20));
    assert_eq!(limit("1000"), Some(1000));
    assert_eq!(limit("0"), None);
    for text in ["lots", "99999999999999G"] {
        let around = Surroundings { memory_limit: Some(text.into()), ..around() };
        let refused = Settings::of(&ClusterOptions::default(), &around).unwrap_err().to_string();
        assert!(refused.contains(text) && refused.contains("--memory-limit"), "{refused}");
    }
    refused(|o| o.sleep_time = Some("-1".into()), &["MSPASS_SLEEP_TIME"]);
    refused(|o| o.datum_timeout = Some("nan".into()), &["--datum-timeout"]);
    refused(|o| o.frontend_port = Some("0".into()), &["--frontend-port"]);
    refused(|o| o.cluster = Some("a/b".into()), &["--cluster"]);
}
