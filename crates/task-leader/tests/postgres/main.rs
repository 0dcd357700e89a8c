//! `RowLock` against a PostgreSQL server of the suite's own, in real time. Without PostgreSQL's
//! programs, as of Debian's `postgresql`, each test says that it is skipped.
#![cfg(all(feature = "postgres", unix))]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod faults;
mod freezes;
#[path = "../../../../examples/pipeline/churn/src/program.rs"]
mod program;
mod register;
mod rig;
#[path = "../../../../examples/pipeline/churn/src/database/postgres.rs"]
mod server;
