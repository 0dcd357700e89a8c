//! Checks the dependencies that a crate promises its users not to have.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

/// A promise about the normal and build dependencies of some packages built together.
struct Promise {
    text: &'static str,
    packages: &'static [&'static str],
    arguments: &'static [&'static str],
    keeps: Keeps,
}

enum Keeps {
    /// Only these, and the packages themselves.
    Only(&'static [&'static str]),
    /// No crate whose name begins with one of these.
    Without(&'static [&'static str]),
}

const CORE: &[&str] = &["anyhow"];

/// `CORE`, and what tokio-util depends on for its cancellation token.
const CORE_WITH_TOKEN: &[&str] =
    &["anyhow", "bytes", "futures-core", "futures-sink", "pin-project-lite", "tokio", "tokio-util"];

/// `CORE`, and Tokio for its timer.
const CORE_WITH_TIME: &[&str] = &["anyhow", "pin-project-lite", "tokio"];

const HEAVY: &[&str] =
    &["hyper", "http", "prometheus", "rdkafka", "serde", "sqlx", "clap", "reqwest"];

const PROMISES: &[Promise] = &[
    Promise {
        text: "task-core needs the error type of a task and nothing else",
        packages: &["task-core"],
        arguments: &["--no-default-features"],
        keeps: Keeps::Only(CORE),
    },
    Promise {
        text: "task-core with `token` adds tokio-util's",
        packages: &["task-core"],
        arguments: &["--features", "token"],
        keeps: Keeps::Only(CORE_WITH_TOKEN),
    },
    Promise {
        text: "task-core with `time` adds Tokio",
        packages: &["task-core"],
        arguments: &["--features", "time"],
        keeps: Keeps::Only(CORE_WITH_TIME),
    },
    Promise {
        text: "a service of task-manager and task-signal compiles no HTTP, no Kafka and no serde",
        packages: &["task-manager", "task-signal"],
        arguments: &[],
        keeps: Keeps::Without(HEAVY),
    },
    Promise {
        text: "the entry point adds none of these",
        packages: &["task-service"],
        arguments: &[],
        keeps: Keeps::Without(HEAVY),
    },
    Promise {
        text: "a service compiles no procedural macro of ours",
        packages: &["task-service"],
        arguments: &[],
        keeps: Keeps::Without(&["proc-macro2", "quote", "syn", "thiserror"]),
    },
    Promise {
        text: "task-serve serves what axum and tonic make, and compiles neither",
        packages: &["task-serve"],
        arguments: &["--all-features"],
        keeps: Keeps::Without(&["axum", "tonic", "tower-http"]),
    },
    Promise {
        text: "task-tonic compiles no server and no client",
        packages: &["task-tonic"],
        arguments: &[],
        keeps: Keeps::Without(&["axum", "h2", "hyper", "task-serve"]),
    },
];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let mut broken = Vec::new();
    for promise in PROMISES {
        let found = tree(workspace, promise)?;
        let extra = promise.breaches(&found);
        println!("{}: {} crates", promise.text, found.len());
        if !extra.is_empty() {
            broken.push(format!("{}, but it depends on {}", promise.text, extra.join(", ")));
        }
    }
    if !broken.is_empty() {
        bail!("{}", broken.join("; "));
    }
    Ok(Ending::Passed)
}

impl Promise {
    /// Returns the crates among those found that break the promise.
    fn breaches(&self, found: &BTreeSet<String>) -> Vec<String> {
        let breach = |name: &&String| match self.keeps {
            Keeps::Only(allowed) => {
                !allowed.contains(&name.as_str()) && !self.packages.contains(&name.as_str())
            }
            Keeps::Without(refused) => refused.iter().any(|refused| name.starts_with(refused)),
        };
        found.iter().filter(breach).cloned().collect()
    }
}

fn tree(workspace: &Workspace, promise: &Promise) -> Result<BTreeSet<String>> {
    let packages = promise.packages.iter().flat_map(|package| ["-p", package]);
    let (tree, _) = Run::cargo(workspace)
        .arguments(["tree", "--locked", "--edges", "normal,build", "--prefix", "none"])
        .arguments(["--format", "{p}"])
        .arguments(packages)
        .arguments(promise.arguments)
        .read()?;
    Ok(tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Keeps, Promise};

    fn breaches(keeps: Keeps, found: &[&str]) -> Vec<String> {
        let promise = Promise { text: "", packages: &["own"], arguments: &[], keeps };
        promise.breaches(&found.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())
    }

    #[test]
    fn only_finds_every_other_crate() {
        assert_eq!(breaches(Keeps::Only(&["a"]), &["own", "a", "b"]), ["b"]);
        assert!(breaches(Keeps::Only(&["a"]), &["own", "a"]).is_empty());
    }

    #[test]
    fn without_finds_each_crate_with_the_prefix() {
        assert_eq!(
            breaches(Keeps::Without(&["hyper"]), &["own", "hyper-util", "a"]),
            ["hyper-util"]
        );
        assert!(breaches(Keeps::Without(&["hyper"]), &["own", "a"]).is_empty());
    }
}
