//! A slice of the kill campaign on the desktop job: killed and interrupted at random moments and
//! started again, its end result equals that of an undisturbed run, document for document.
//!
//! `MSPASS_CAMPAIGN_COUNT` kills (default 12) from `MSPASS_CAMPAIGN_SEED` (default 1).

#[path = "../benches/campaign/desktop_kill.rs"]
mod desktop_kill;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn a_killed_job_ends_like_an_undisturbed_one() {
    let seed = number("MSPASS_CAMPAIGN_SEED", 1);
    let kills = number("MSPASS_CAMPAIGN_COUNT", 12) as usize;
    println!("desktop kill campaign: {kills} kills, seed {seed}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path().join("campaign");
    let settings = desktop_kill::Settings { seed, kills, archive: None, folder };
    let outcome = desktop_kill::run(&settings, &mut |line| println!("{line}"));
    let outcome = outcome.expect("the campaign can be carried out");
    assert!(outcome.kills >= kills, "{} of {kills} kills", outcome.kills);
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
}
