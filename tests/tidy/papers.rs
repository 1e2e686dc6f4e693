//! README, CHANGELOG, the check script, and what no file may say.

use crate::{Finding, PROJECT, Tree, finds, hold};

/// What a newcomer types, in the README exactly so.
const COMMANDS: [&str; 2] =
    ["cargo run --release --example desktop", "cargo test --workspace --release"];

const CHANGES: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// Hosts of package registries, in halves so that this file does not name them.
const REGISTRIES: [(&str, &str); 6] = [
    ("crates", ".io"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("npmjs", ".org"),
    ("proxy.golang", ".org"),
    ("--index", "-url"),
];

fn missing_commands(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for command in COMMANDS {
        if !tree.text("README.md").lines().any(|line| line.trim() == command) {
            let what = format!("does not show `{command}` on a line of its own");
            findings.push(Finding::new("README.md", 0, what));
        }
    }
    if !tree.text(".ci/run").lines().any(|line| line.trim_end().ends_with(COMMANDS[1])) {
        findings.push(Finding::new(".ci/run", 0, format!("does not run `{}`", COMMANDS[1])));
    }
    findings
}

/// Keep a Changelog: `## [Unreleased]` first, then releases from the newest to the oldest.
fn changelog_faults(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fault = |line: usize, what: &str| {
        findings.push(Finding::new("CHANGELOG.md", line, what));
    };
    if text.lines().next() != Some("# Changelog") {
        fault(1, "does not begin with `# Changelog`");
    }
    let mut releases: Vec<Vec<u64>> = Vec::new();
    let mut sections = 0;
    let mut open: Option<usize> = None; // a heading that has no entry yet
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if line.starts_with("- ") {
            open = None;
        }
        if let Some(heading) = open.take_if(|_| line.starts_with('#')) {
            fault(heading, "a heading without an entry");
        }
        if let Some(title) = line.strip_prefix("## ") {
            sections += 1;
            match release(title) {
                Some(version) if releases.last().is_none_or(|last| version < *last) => {
                    releases.push(version);
                }
                Some(_) => fault(number, "releases go from the newest to the oldest"),
                None if title == "[Unreleased]" && sections == 1 => {}
                None => fault(number, "neither `[Unreleased]`, once, nor `[x.y.z] - yyyy-mm-dd`"),
            }
        } else if let Some(kind) = line.strip_prefix("### ") {
            open = Some(number);
            if !CHANGES.contains(&kind) {
                fault(number, "not one of Added, Changed, Deprecated, Removed, Fixed, Security");
            }
        }
    }
    if let Some(heading) = open {
        fault(heading, "a heading without an entry");
    }
    if sections == 0 {
        fault(0, "names no release");
    }
    findings
}

/// The version in `[x.y.z] - yyyy-mm-dd`.
fn release(title: &str) -> Option<Vec<u64>> {
    let numbers = |text: &str, mark: char| -> Option<Vec<u64>> {
        text.split(mark).map(|part| part.parse().ok()).collect()
    };
    let (version, date) = title.strip_prefix('[')?.split_once("] - ")?;
    let date_holds = date.len() == 10 && numbers(date, '-')?.len() == 3;
    numbers(version, '.').filter(|parts| parts.len() == 3 && date_holds)
}

fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let everywhere = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    let shipped = ["tmp"].map(|folder| format!("/{folder}/"));
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.is_fixture()) {
        for (number, line) in file.lines() {
            let more = if file.is_test() { [].iter() } else { shipped.iter() };
            for path in everywhere.iter().chain(more).filter(|path| starts_path(line, path)) {
                findings.push(Finding::new(&file.path, number, format!("names {path}")));
            }
        }
    }
    findings
}

/// Whether `path` stands in the line as the start of an absolute path.
fn starts_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/~}*$)<>".contains(c))
    })
}

fn registries(tree: &Tree) -> Vec<Finding> {
    let hosts = REGISTRIES.map(|(name, end)| format!("{name}{end}"));
    let mut findings = Vec::new();
    let own = |path: &str| path != "Cargo.lock";
    for file in tree.files.iter().filter(|file| own(&file.path) && !file.is_fixture()) {
        for (number, line) in file.lines() {
            for host in hosts.iter().filter(|host| line.contains(*host)) {
                findings.push(Finding::new(&file.path, number, format!("names {host}")));
            }
        }
    }
    findings
}

/// Links of Markdown files to files that are not there.
fn dead_links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.extension() == "md" && !file.is_fixture()) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in file.lines() {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
                let outside = link.is_empty() || link.contains(':') || link.starts_with("../");
                let target = format!("{folder}/{link}");
                let target = target.trim_matches('/');
                let below = format!("{target}/");
                let there = |f: &crate::File| f.path == target || f.path.starts_with(&below);
                if !outside && !tree.files.iter().any(there) {
                    let what = format!("links to {link}, which is not there");
                    findings.push(Finding::new(&file.path, number, what));
                }
            }
        }
    }
    findings
}

#[test]
fn two_commands_are_promised_and_checked() {
    hold("The README's commands are the ones that are checked.", missing_commands(&PROJECT));
}

#[test]
fn a_missing_command_is_found() {
    let run = "```sh\ncargo run --release --example desktop\n```\n";
    let test = "cargo test --workspace --release\n";
    let whole = |readme: String, ci: &str| {
        Tree::sample(&[("README.md", readme), (".ci/run", format!("stage test {ci}"))])
    };
    finds(missing_commands(&whole(format!("{run}{test}"), test)), 0);
    finds(missing_commands(&whole(format!("Type {run}"), "cargo test\n")), 2);
    finds(missing_commands(&Tree::sample::<&str>(&[])), 3);
}

#[cfg(unix)]
#[test]
fn the_check_can_be_started() {
    use std::os::unix::fs::PermissionsExt;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    let mode = script.metadata().expect(".ci/run is there").permissions().mode();
    assert_eq!(mode & 0o111, 0o111, ".ci/run is executable");
}

#[test]
fn the_changelog_keeps_its_form() {
    hold("CHANGELOG.md keeps a changelog.", changelog_faults(PROJECT.text("CHANGELOG.md")));
}

#[test]
fn a_bad_changelog_is_found() {
    let head = "# Changelog\n\nText.\n\n## [Unreleased]\n\n### Added\n\n- A.\n";
    let older = "## [0.2.0] - 2026-12-01\n### Fixed\n- B.\n## [0.1.0] - 2026-11-01\n";
    finds(changelog_faults(&format!("{head}{older}")), 0);
    finds(changelog_faults(""), 2);
    finds(changelog_faults(&format!("{head}### Improved\n### Fixed\n")), 3);
    finds(changelog_faults(&format!("{head}## [Unreleased]\n## 0.1.0\n## [0.1] - 2026\n")), 3);
    finds(changelog_faults(&format!("{head}## [0.1.0] - 2026-11-01\n{older}")), 2);
}

#[test]
fn no_file_names_this_machine() {
    hold("Nothing depends on one machine's folders.", machine_paths(&PROJECT));
}

#[test]
fn a_machine_path_is_found() {
    let text = "a \"_work_a\" b\n(_root_x)\n_tmp_y\nfoo_work_ $HOME_tmp_z https:__x.org_home_\n";
    let text = text.replace('_', "/");
    finds(machine_paths(&Tree::sample(&[("a.md", &text), ("tests/a.rs", &text)])), 5);
}

#[test]
fn no_file_names_a_registry() {
    hold("Packages come from wherever the tools are told.", registries(&PROJECT));
}

#[test]
fn a_registry_is_found() {
    let text = format!("https://static.crates{0}/a\nfiles.pythonhosted{1}\npip", ".io", ".org");
    finds(registries(&Tree::sample(&[("a.sh", &text), ("Cargo.lock", &text)])), 2);
}

#[test]
fn links_lead_somewhere() {
    hold("Links between documents hold.", dead_links(&PROJECT));
}

#[test]
fn a_dead_link_is_found() {
    let text = "[a](b.md) [c](docs/d.svg#x) [e](https://f.org) [g](#h) [i](docs) [j](k.md)";
    let tree = Tree::sample(&[("README.md", text), ("b.md", ""), ("docs/d.svg", "")]);
    finds(dead_links(&tree), 1);
}
