//! The contract of the manager, as tests. See `README.md` here for which test shows which sentence.
#![allow(clippy::unwrap_used)]

mod callers;
mod cleanup;
mod depth;
mod drain;
mod ends;
mod escalation;
mod foreign;
mod hold;
mod limits;
mod log;
mod nested_failures;
mod nesting;
mod outer_drain;
#[cfg(feature = "token")]
mod parent;
mod readiness;
mod refusals;
mod report;
mod runtimes;
mod schedules;
#[cfg(feature = "serde")]
mod serialize;
mod shutdown;
mod steps;
mod support;
mod table;
mod view;
mod waiting;
