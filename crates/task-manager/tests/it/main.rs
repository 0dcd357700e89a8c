//! The contract of the manager on a paused clock, a test per sentence.
#![allow(clippy::unwrap_used)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod abort_one;
mod admitted;
mod beside;
mod budgets;
mod callers;
mod children;
mod cleanup;
mod cleanup_sets;
mod depth;
mod drain;
mod ends;
mod escalation;
mod goldens;
mod hold;
mod limits;
mod log;
mod nested_escalation;
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
mod setup;
mod shutdown;
mod start_order;
mod steps;
mod support;
mod survived;
mod text;
mod user_code;
mod view;
mod waiting;
mod wall_clock;
mod watch;
