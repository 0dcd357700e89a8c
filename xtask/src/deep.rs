//! The slow verification: lanes that take long or need tools that not every machine has.
//!
//! No lane lets rustup download a toolchain or a component behind one's back: they run on the
//! toolchain that is there.

mod abort;
mod coverage;
mod first_process;
mod http;
mod mutants;
mod package;
mod public_api;
mod sanitizer;
mod soak;
mod tool;
mod valgrind;

use std::time::Duration;

use crate::model::{LOOM, SHUTTLE, TURMOIL};
use crate::section::{Ending, Section};

/// What a lane that needs more than a few minutes may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// The test in which the compiler itself leaks: what was to be returned, when a drop on the way out panics (rust-lang
/// 47949).
pub(crate) const LEAKS_BY_ITSELF: &str = "a_panic_in_a_drop_on_the_way_out";

/// A new lane is one line here.
pub(crate) const LANES: &[Section] = &[
    Section {
        name: "loom",
        about: "Every test target named `loom`, built with `--cfg task_loom`: each interleaving with\n\
                up to five preemptions (LOOM_MAX_PREEMPTIONS). Minutes.",
        run: |workspace| LOOM.deep(workspace).map(|()| Ending::Passed),
    },
    Section {
        name: "shuttle",
        about: "Every test target named `shuttle`, built with `--cfg task_shuttle`: the whole manager\n\
                under 50,000 random schedules of each kind (SHUTTLE_SCHEDULES). A minute.",
        run: |workspace| SHUTTLE.deep(workspace).map(|()| Ending::Passed),
    },
    Section {
        name: "public-api",
        about: "The foreign crates that each public API names, against the list in its manifest.",
        run: public_api::run,
    },
    Section {
        name: "package",
        about: "Builds every published crate from the tarball that crates.io would get.",
        run: package::run,
    },
    Section {
        name: "mutants",
        about: "cargo-mutants over the published crates: which changes of the code no test sees.\n\
                Hours. Installs cargo-mutants below target/. Results in target/mutants.out.",
        run: mutants::run,
    },
    Section {
        name: "coverage",
        about: "Line coverage of the published crates by their tests, as a table and as HTML in\n\
                target/llvm-cov. Installs cargo-llvm-cov below target/; needs rustup's\n\
                llvm-tools, or Debian's package llvm-N, where `rustc -vV` says N.",
        run: coverage::run,
    },
    Section {
        name: "valgrind",
        about: "The tests of task-core and task-manager under valgrind, and a million ephemeral\n\
                tasks: memory that nothing points to at the end. Needs valgrind.",
        run: valgrind::run,
    },
    Section {
        name: "address",
        about: "The tests of the published crates with AddressSanitizer, its leak check included.",
        run: sanitizer::run,
    },
    Section {
        name: "soak",
        about: "A million ephemeral tasks, a million failures: resident memory stays flat. Minutes.",
        run: soak::run,
    },
    Section {
        name: "first-process",
        about: "Signals as the first process of a pid namespace. Needs the right to make one.",
        run: first_process::run,
    },
    Section {
        name: "abort",
        about: "Built with `panic = \"abort\"`, a panic ends the process and nothing is cleaned up.",
        run: abort::run,
    },
    Section {
        name: "turmoil",
        about: "Every test target named `turmoil`, built with `--cfg task_turmoil`: the HTTP server with slow\n\
                and partitioned clients, in virtual time.",
        run: |workspace| TURMOIL.deep(workspace).map(|()| Ending::Passed),
    },
    Section {
        name: "http-fuzz",
        about: "The HTTP server under random requests and headers, ten thousand of each kind.",
        run: http::fuzz::run,
    },
    Section {
        name: "browser",
        about: "The page of /tasks in Chromium, at work and in a shutdown: wide and narrow, light and dark.\n\
                Leaves screenshots in target/browser. Needs chromium (Debian).",
        run: http::browser::run,
    },
    Section {
        name: "prometheus",
        about: "A real Prometheus scrapes an example and the flagship through their whole lives, and is\n\
                asked what it saw. Needs prometheus (Debian), and what building the flagship needs.",
        run: http::prometheus::run,
    },
    Section {
        name: "http-slow",
        about: "Hundreds of slow clients, and a probe that is answered meanwhile. Needs slowhttptest\n\
                (Debian).",
        run: http::load::slow,
    },
    Section {
        name: "http-many",
        about: "Thousands of requests at once, and a probe that is answered meanwhile. Needs h2load\n\
                (Debian: nghttp2-client).",
        run: http::load::many,
    },
];
