//! The chore that has to pass before a change lands, cheapest section first.

mod docs;
mod examples;
mod flagship;
mod kafka;
mod lint;
mod manifests;
mod promises;
mod test;

use crate::churn;
use crate::command::Run;
use crate::model::{LOOM, SHUTTLE};
use crate::section::{Ending, Section};
use crate::tidy;

/// A new section is one line here.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        name: "manifests",
        about: "Fetches what Cargo.lock names; fails if the lock file is stale or a manifest\n\
                makes Cargo warn, as for a key that nothing uses.",
        run: manifests::run,
    },
    Section {
        name: "format",
        about: "rustfmt, checked.",
        run: |workspace| {
            Run::cargo(workspace).arguments(["fmt", "--all", "--check"]).run()?;
            Ok(Ending::Passed)
        },
    },
    tidy::SECTION,
    Section {
        name: "promises",
        about: "What the crates promise not to depend on, read from `cargo tree`.",
        run: promises::run,
    },
    Section {
        name: "lint",
        about: "clippy, warnings denied: every package with its default features, none, all, and\n\
                each alone; the library as its users build it, then all targets.",
        run: lint::run,
    },
    Section {
        name: "test",
        about: "Every test and doctest with all features; then, with every other selection of its\n\
                features, the unit tests and the suite `it` of each published crate.",
        run: test::run,
    },
    Section {
        name: "models",
        about: "The model checkers, bounded: loom over the waiting primitive, shuttle over the whole\n\
                manager. `cargo xtask deep loom shuttle` looks further.",
        run: |workspace| {
            LOOM.bounded(workspace)?;
            SHUTTLE.bounded(workspace)?;
            Ok(Ending::Passed)
        },
    },
    Section {
        name: "docs",
        about: "rustdoc of the published crates with all features, warnings denied.",
        run: docs::run,
    },
    Section {
        name: "examples",
        about: "Builds the examples, runs each, and checks how it ends (see CONTRIBUTING.md).",
        run: examples::run,
    },
    Section {
        name: "kafka",
        about: "clippy, tests and docs of task-kafka; then a check of it with `tls`, for which the\n\
                headers of OpenSSL have to be there.",
        run: kafka::run,
    },
    Section {
        name: "flagship",
        about: "clippy and tests of the pipeline; then it is started for real on its embedded\n\
                defaults, probed, scraped and stopped with SIGTERM, and its counts must add up.",
        run: flagship::run,
    },
    Section {
        name: "churn",
        about: "The short selection of `cargo xtask churn`: the flagship is ended in every way and\n\
                deprived of what it relies on, and nothing may be lost. Two minutes.",
        run: churn::quick,
    },
];
