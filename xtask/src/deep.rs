//! Slow verification: lanes that take long or need additional tools.
//!
//! Lanes use the installed toolchain. They prevent rustup from downloading another toolchain or
//! component.

mod abort;
mod coverage;
mod first_process;
mod http;
mod licences;
mod mutants;
mod oldest;
mod package;
mod platforms;
mod public_api;
mod sanitizer;
mod semver;
mod soak;
mod thread;
mod tool;
mod valgrind;
mod versions;

use std::time::Duration;

use crate::churn;
use crate::kubernetes;
use crate::model::{LOOM, SHUTTLE, TURMOIL};
use crate::rollout;
use crate::section::{Ending, Section};
use crate::systemd;

/// The limit of a lane that takes more than a few minutes.
pub(crate) const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// The test in which compiled code leaks a return value because a drop before the return panics
/// (rust-lang/rust 47949).
pub(crate) const COMPILER_LEAK: &str = "a_panic_in_a_drop_on_the_way_out";

/// A new lane is one entry here.
pub(crate) const LANES: &[Section] = &[
    Section {
        name: "loom",
        about: "Every test target named `loom`, built with `--cfg task_loom`: each interleaving with\n\
                up to five preemptions (LOOM_MAX_PREEMPTIONS). Minutes.",
        run: |workspace| LOOM.deep(workspace).map(|()| Ending::Passed),
    },
    Section {
        name: "shuttle",
        about: "Every test target named `shuttle`, built with `--cfg task_shuttle`: the whole manager,\n\
                and a restarting task, under 50,000 random schedules of each kind (SHUTTLE_SCHEDULES). A minute.",
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
        name: "semver",
        about: "cargo-semver-checks: breaking changes of the public APIs since the commit in\n\
                TASK_BASELINE, by default the last tag. Installs the tool below target/.",
        run: semver::run,
    },
    Section {
        name: "versions",
        about: "Builds and tests the published crates with every direct dependency at the lowest\n\
                version that its manifest allows.",
        run: versions::run,
    },
    Section {
        name: "oldest",
        about: "Type checks by the oldest compiler that the crates claim, in the form of Debian's\n\
                1.85 with let chains turned on, which is unpacked below target/.",
        run: oldest::run,
    },
    Section {
        name: "licences",
        about: "cargo-deny by deny.toml: licences, sources and yanked versions of all dependencies;\n\
                advisories, where their database can be fetched. Installs the tool below target/.",
        run: licences::run,
    },
    Section {
        name: "mutants",
        about: "cargo-mutants over the published crates: changes of the code that no test detects.\n\
                Hours. Installs cargo-mutants below target/. Results in target/mutants.out.",
        run: mutants::run,
    },
    Section {
        name: "coverage",
        about: "Line coverage of the published crates by their tests, as a table and as HTML in\n\
                target/llvm-cov. Installs cargo-llvm-cov below target/; needs rustup's\n\
                llvm-tools, or Debian's package llvm-N, where N is the LLVM version of `rustc -vV`.",
        run: coverage::run,
    },
    Section {
        name: "valgrind",
        about: "The tests of task-core and task-manager under valgrind, and a million ephemeral\n\
                tasks: memory that is unreachable at the end. Needs valgrind.",
        run: valgrind::run,
    },
    Section {
        name: "address",
        about: "The tests of the published crates with AddressSanitizer, its leak check included.",
        run: sanitizer::run,
    },
    Section {
        name: "thread",
        about: "The suites of task-core and task-manager under ThreadSanitizer, the standard library\n\
                included. Needs its source: rustup's rust-src, or Debian's, installed as root.",
        run: thread::run,
    },
    Section {
        name: "platforms",
        about: "Every published crate checked for macOS, Windows, FreeBSD and other Linux targets, and\n\
                the suites run under Wine, on musl and under qemu-user; prints one table. Installs\n\
                what it needs: Debian's packages as root, and Zig below target/. An hour; a target\n\
                named in TASK_PLATFORM alone takes less.",
        run: platforms::run,
    },
    Section {
        name: "soak",
        about: "A million ephemeral tasks, failures and restarts: resident memory stays flat. Minutes.",
        run: soak::run,
    },
    Section {
        name: "first-process",
        about: "Signals as the first process of a pid namespace. Needs the permission to create one.",
        run: first_process::run,
    },
    Section {
        name: "systemd",
        about: "All scenarios of `cargo xtask systemd`, on this machine's systemd and on that of Debian 13,\n\
                which is fetched below target/ by debootstrap. As root, on Debian. Minutes.",
        run: systemd::deep,
    },
    Section {
        name: "kubernetes",
        about: "All scenarios of `cargo xtask kubernetes`: both flagships on a node in namespaces, whose\n\
                programs are built of Go's modules below target/. As root, on Debian, with Go. Ten\n\
                minutes, and ten more once for the build.",
        run: kubernetes::deep,
    },
    Section {
        name: "abort",
        about: "Built with `panic = \"abort\"`, a panic ends the process and nothing is cleaned up.",
        run: abort::run,
    },
    Section {
        name: "turmoil",
        about: "Every test target named `turmoil`, built with `--cfg task_turmoil`: the HTTP server with\n\
                slow and partitioned clients, in virtual time.",
        run: |workspace| TURMOIL.deep(workspace).map(|()| Ending::Passed),
    },
    Section {
        name: "http-fuzz",
        about: "The HTTP server under random requests and headers, ten thousand of each kind.",
        run: http::fuzz::run,
    },
    Section {
        name: "browser",
        about: "The page of /tasks in Chromium, running, in a shutdown and gone: wide and narrow, light\n\
                and dark. Leaves screenshots in target/browser. Needs chromium (Debian).",
        run: http::browser::run,
    },
    Section {
        name: "prometheus",
        about: "A real Prometheus scrapes an example and the flagship from start to end, and its samples\n\
                are checked. Needs prometheus (Debian), and what building the flagship needs.",
        run: http::prometheus::run,
    },
    Section {
        name: "churn",
        about: "All of `cargo xtask churn` on Apache Kafka, one node and, in transactions, three: 100 rounds\n\
                of each scenario (CHURN_ROUNDS). A day. Needs Java 17 and Maven, installed as root.",
        run: churn::deep,
    },
    Section {
        name: "rollout",
        about: "All of `cargo xtask rollout`: servers stopped and replaced under load, also behind\n\
                HAProxy, beside plain axum, hyper and tonic. Installs Debian's haproxy as root.",
        run: rollout::deep,
    },
    Section {
        name: "http-slow",
        about: "Hundreds of slow clients, while a probe has to be answered. Needs slowhttptest\n\
                (Debian).",
        run: http::load::slow,
    },
    Section {
        name: "http-many",
        about: "Thousands of concurrent requests, while a probe has to be answered. Needs h2load\n\
                (Debian: nghttp2-client).",
        run: http::load::many,
    },
];
