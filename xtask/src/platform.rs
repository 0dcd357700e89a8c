//! Platforms other than this machine's: type checks for them, and suites that are run under what
//! stands in for them.
//!
//! The standard library is built from its source, so that no toolchain is downloaded for a target.

mod check;
mod emulator;
mod machine;
mod record;
mod suite;
mod target;
mod toolchain;
mod wine;

pub(crate) use check::{Scope, check};
pub(crate) use machine::{install, write_script};
pub(crate) use record::{Record, Verdict};
pub(crate) use suite::{left_out, test};
pub(crate) use target::{TARGETS, Target};
pub(crate) use toolchain::Toolchain;
