//! A slice of the kill campaign on the embedded store.
//!
//! `MSPASS_CAMPAIGN_COUNT` kills (default 25) from `MSPASS_CAMPAIGN_SEED` (default 1).

#[path = "campaign/store_kill.rs"]
mod campaign;

use std::process::Command;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn acknowledged_writes_survive_kills() {
    campaign::write_if_asked();
    let count = number("MSPASS_CAMPAIGN_COUNT", 25) as usize;
    let seed = number("MSPASS_CAMPAIGN_SEED", 1);
    println!("store kill campaign: {count} kills, seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    let program = || {
        let mut command = Command::new(&this);
        command.args(["--exact", "acknowledged_writes_survive_kills", "--nocapture"]);
        command
    };
    let summary = campaign::campaign(&folder.path().join("db"), count, seed, program).unwrap();
    println!("{summary:?}");
    assert_eq!(summary.kills, count);
    assert!(summary.acknowledged > 0);
}
