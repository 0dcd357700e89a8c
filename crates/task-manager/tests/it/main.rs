//! The contract of the manager, as tests. See `README.md` here for which test shows which sentence.
#![allow(clippy::unwrap_used)]

mod callers;
mod cleanup;
mod ends;
mod foreign;
mod nesting;
mod readiness;
mod report;
mod schedules;
mod shutdown;
mod support;
mod table;
mod waiting;
