//! The chore that has to pass before a change lands, cheapest section first.

mod change;
mod docs;
mod examples;
mod flagship;
mod kafka;
mod lint;
mod manifests;
mod platforms;
mod promises;
mod test;

use anyhow::{Context as _, Result, bail, ensure};

use crate::churn;
use crate::command::Run;
use crate::flagship::FLAGSHIP;
use crate::model::{LOOM, SHUTTLE};
use crate::rollout;
use crate::section::{Ending, Section};
use crate::systemd;
use crate::tidy;
use crate::workspace::{Package, Workspace};
use change::{Change, Reads};

pub(crate) const NAME: &str = "ci";
/// The option that leaves nothing out.
pub(crate) const ALL: &str = "--all";
/// What `cargo xtask help ci` prints below the sections.
pub(crate) const CHOICE: &str = "\
Without a section named, those run that the change can affect: the files that differ, in the work
tree or by commits, from the last commit in common with origin/main as it was fetched last; without
an origin/main, only the work tree counts, against HEAD. Code affects the sections of its package
and of all that depend on it, a README only documentation; Cargo.lock, xtask and whatever belongs
to no package affect every section. Everything runs with --all, with CI set in the environment,
outside of a git repository, and if no file differs, as in a clean clone.";

/// A section, and what its verdict depends on.
struct Part {
    section: Section,
    reads: Reads,
}

/// A new section is one entry here.
const PARTS: &[Part] = &[
    Part {
        section: Section {
            name: "manifests",
            about: "Fetches what Cargo.lock names; fails if the lock file is stale or a manifest\n\
                    makes Cargo warn, as for a key that nothing uses.",
            run: manifests::run,
        },
        reads: Reads::Everything,
    },
    Part {
        section: Section {
            name: "format",
            about: "rustfmt, checked.",
            run: |workspace| {
                Run::cargo(workspace).arguments(["fmt", "--all", "--check"]).run()?;
                Ok(Ending::Passed)
            },
        },
        reads: Reads::Everything,
    },
    Part { section: tidy::SECTION, reads: Reads::Everything },
    Part {
        section: Section {
            name: "promises",
            about: "What the crates promise not to depend on, read from `cargo tree`.",
            run: promises::run,
        },
        reads: Reads::Everything,
    },
    Part {
        section: Section {
            name: "lint",
            about: "clippy, warnings denied: every package with its default features, none, all,\n\
                    and each alone; the library as its users build it, then all targets.",
            run: lint::run,
        },
        reads: Reads::Code(|package| !package.compiles_c),
    },
    Part {
        section: Section {
            name: "platforms",
            about: "Type checks for macOS and Windows, warnings denied, of the crates and features\n\
                    that compile no C. Builds the standard library from source: skipped without\n\
                    rustup's rust-src or Debian's cargo-web, rustc-web and rust-web-src, which\n\
                    `.ci/run` installs. Two minutes.",
            run: platforms::run,
        },
        reads: Reads::Code(|package| package.published && !package.compiles_c),
    },
    Part {
        section: Section {
            name: "test",
            about: "Every test with all features; then, with every other selection of features,\n\
                    the unit tests and the suite `it` of each published crate.",
            run: test::run,
        },
        reads: Reads::Code(|package| !package.compiles_c),
    },
    Part {
        section: Section {
            name: "doctests",
            about: "The examples in the documentation and in the READMEs, with all features.",
            run: test::doctests,
        },
        reads: Reads::Documentation(|package| !package.compiles_c),
    },
    Part {
        section: Section {
            name: "models",
            about: "The model checkers, bounded: loom over the waiting primitive, shuttle over the\n\
                    whole manager. `cargo xtask deep loom shuttle` explores more schedules.",
            run: |workspace| {
                LOOM.bounded(workspace)?;
                SHUTTLE.bounded(workspace)?;
                Ok(Ending::Passed)
            },
        },
        reads: Reads::Code(|package| LOOM.checks(package) || SHUTTLE.checks(package)),
    },
    Part {
        section: Section {
            name: "docs",
            about: "rustdoc of the published crates with all features, warnings denied.",
            run: docs::run,
        },
        reads: Reads::Documentation(|package| package.published && !package.compiles_c),
    },
    Part {
        section: Section {
            name: "examples",
            about: "Builds the examples, runs each, and checks how it ends (see CONTRIBUTING.md).",
            run: examples::run,
        },
        reads: Reads::Code(|package| package.name == examples::PACKAGE),
    },
    Part {
        section: Section {
            name: "systemd",
            about: "The quick form of `cargo xtask systemd`, under a minute: a systemd in namespaces, and\n\
                    what task-systemd promises. Skipped where none can be booted.",
            run: systemd::quick,
        },
        reads: Reads::Code(|package| package.name == systemd::PACKAGE),
    },
    Part {
        section: Section {
            name: "kafka",
            about: "clippy and tests of task-kafka; then a check of it with `tls`, for which the\n\
                    headers of OpenSSL have to be installed.",
            run: kafka::run,
        },
        reads: Reads::Code(kafka::is_checked),
    },
    Part {
        section: Section {
            name: "kafka-docs",
            about: "Doctests and rustdoc of task-kafka.",
            run: kafka::docs,
        },
        reads: Reads::Documentation(|package| package.name == kafka::PACKAGE),
    },
    Part {
        section: Section {
            name: "flagship",
            about: "clippy and tests of the pipeline; then it is started for real on its embedded\n\
                    defaults, probed, scraped and stopped with SIGTERM, and its counts must add up.",
            run: flagship::run,
        },
        reads: Reads::Code(|package| package.name == FLAGSHIP),
    },
    Part {
        section: Section {
            name: "churn",
            about: "The short selection of `cargo xtask churn`: the flagship is killed and\n\
                    loses its brokers and its database, and no message may be lost. Two minutes.",
            run: churn::quick,
        },
        reads: Reads::Code(is_churned),
    },
    Part {
        section: Section {
            name: "apache",
            about: "The same selection on Apache Kafka, one node, in a minute and a half. Skipped without\n\
                    Java 17 and Maven (Debian: openjdk-17-jre-headless, maven).",
            run: churn::quick_on_apache,
        },
        reads: Reads::Code(is_churned),
    },
    Part {
        section: Section {
            name: "rollout",
            about: "The short selection of `cargo xtask rollout`: servers are stopped under load, and\n\
                    with a drain no client may lose a request. A minute and a half.",
            run: rollout::quick,
        },
        reads: Reads::Code(|package| package.name == rollout::PACKAGE),
    },
];

/// Whether churn runs this package.
fn is_churned(package: &Package) -> bool {
    [FLAGSHIP, churn::PACKAGE].contains(&package.name.as_str())
}

/// All sections, in order.
pub(crate) fn sections() -> Vec<&'static Section> {
    PARTS.iter().map(|part| &part.section).collect()
}

/// The sections that the change can affect. Prints those that it leaves out and why.
pub(crate) fn affected(workspace: &Workspace) -> Result<Vec<&'static Section>> {
    match change(workspace) {
        Ok(change) => {
            let chosen = chosen(workspace, &change)?;
            println!("{}", summary(&change, &chosen));
            Ok(chosen)
        }
        Err(reason) => {
            println!("{NAME}: everything runs: {reason:#}");
            Ok(sections())
        }
    }
}

/// The change to choose by.
///
/// # Errors
///
/// Everything has to run; the error says why.
fn change(workspace: &Workspace) -> Result<Change> {
    if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) {
        bail!("CI is set");
    }
    let change = Change::read(workspace).context("git finds nothing to compare with")?;
    ensure!(!change.files.is_empty(), "no file differs from {}", change.since);
    Ok(change)
}

fn chosen(workspace: &Workspace, change: &Change) -> Result<Vec<&'static Section>> {
    let mut chosen = Vec::new();
    for part in PARTS {
        if change.affects(workspace, part.reads)? {
            chosen.push(&part.section);
        }
    }
    Ok(chosen)
}

fn summary(change: &Change, chosen: &[&Section]) -> String {
    let is_left_out = |section: &&Section| chosen.iter().all(|chosen| chosen.name != section.name);
    let left_out: Vec<&str> =
        sections().into_iter().filter(is_left_out).map(|section| section.name).collect();
    let files = match change.files.as_slice() {
        [file] => format!("{file}, the only file that differs from {}", change.since),
        files => format!("the {} files that differ from {}", files.len(), change.since),
    };
    if left_out.is_empty() {
        return format!("{NAME}: everything runs: affected by {files}");
    }
    format!("{NAME}: left out, not affected by {files}: {} ({ALL} runs them)", left_out.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Change, chosen, sections, summary};
    use crate::workspace::Workspace;

    fn change(files: &[&str]) -> Change {
        Change { since: "HEAD", files: files.iter().map(|&file| file.to_owned()).collect() }
    }

    fn names(files: &[&str]) -> Vec<&'static str> {
        let workspace = Workspace::load().unwrap();
        let chosen = chosen(&workspace, &change(files)).unwrap();
        chosen.iter().map(|section| section.name).collect()
    }

    const ALWAYS: [&str; 4] = ["manifests", "format", "tidy", "promises"];

    #[test]
    fn texts_build_nothing_but_documentation() {
        let documentation = [&ALWAYS[..], &["doctests", "docs"]].concat();
        assert_eq!(names(&["README.md", "CONTRIBUTING.md"]), documentation);
        assert_eq!(names(&["crates/task-http/README.md", "CHANGELOG.md"]), documentation);
        assert_eq!(
            names(&["crates/task-kafka/README.md"]),
            [&ALWAYS[..], &["kafka-docs"]].concat()
        );
        assert_eq!(names(&["benches/cost-per-task.svg"]), [&ALWAYS[..], &["doctests"]].concat());
    }

    #[test]
    fn the_core_and_the_lock_file_affect_every_section() {
        let all: Vec<&str> = sections().iter().map(|section| section.name).collect();
        assert_eq!(names(&["crates/task-core/src/lib.rs"]), all);
        assert_eq!(names(&["Cargo.lock"]), all);
        assert_eq!(names(&["xtask/src/ci.rs"]), all);
    }

    #[test]
    fn the_flagship_affects_what_runs_it() {
        assert_eq!(
            names(&["examples/pipeline/src/main.rs"]),
            [&ALWAYS[..], &["flagship", "churn", "apache"]].concat()
        );
        assert_eq!(
            names(&["examples/pipeline/churn/src/main.rs"]),
            [&ALWAYS[..], &["churn", "apache"]].concat()
        );
    }

    #[test]
    fn the_summary_names_what_is_left_out_and_why() {
        let all = sections();
        let (first, rest) = all.split_first().unwrap();
        assert_eq!(
            summary(&change(&["README.md"]), rest),
            "ci: left out, not affected by README.md, the only file that differs from HEAD: \
             manifests (--all runs them)"
        );
        assert_eq!(
            summary(&change(&["a", "b"]), &[&[*first], rest].concat()),
            "ci: everything runs: affected by the 2 files that differ from HEAD"
        );
    }
}
