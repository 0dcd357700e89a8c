//! Runs a task in one of N replicas: it leads for as long as it holds a lease, has a *term* to
//! fence its writes with, and has ended before the lease can be another replica's.
//!
//! ```
//! use task_core::Context;
//! use task_leader::{MemoryLock, Term, leading};
//! # async fn purge_once(_: u64) -> anyhow::Result<()> { Ok(()) }
//!
//! let lock = MemoryLock::new(); // in a service: a lock that all replicas reach
//! let purge = leading("purge", lock, async |term: Term, ctx: Context| {
//!     while !ctx.is_cancelled() {
//!         purge_once(term.number()).await?;
//!     }
//!     Ok(())
//! });
//! // manager.run(purge)?;
//! # drop(purge);
//! ```
//!
//! # What is promised
//!
//! At most one term is *valid* at a time. That is not to say that one process runs: a process can
//! be stopped for longer than its lease at any instruction, by the system or by a debugger, and
//! what it sends when it goes on is late. So three things go together:
//!
//! 1. The inner task is asked to end at the [deadline](Times::deadline), well before the end of the
//!    lease, which is counted from the instant before the request for it was sent.
//! 2. If something of the term is still alive just before that end, the process is ended, by a
//!    thread that needs no worker of the runtime.
//! 3. The [number of the term](Term::number) fences what was sent before: the database, or whatever
//!    is written to, refuses a term that is lower than the highest it has seen.
//!
//! The first two make an overlap rare, the third makes it harmless. Fence what matters.
//!
//! No two clocks are compared, only how fast they run: a follower takes over when it has seen the
//! same lease, unrenewed, for as long as it is valid, by its own clock. So wall clocks may be wrong
//! by any amount. On Linux the time in which the machine sleeps counts. A virtual machine that is
//! paused may stop every clock.
//!
//! # Hand-over
//!
//! | the leader | another replica leads |
//! |---|---|
//! | stops in order, or steps down | at once where the backend notifies of changes, else within a retry |
//! | is killed, or its machine is gone | within the lease and a retry |
//! | cannot reach the lock | within the lease and a retry, counted from its last renewal |
//! | is stopped for longer than its lease | the same; its process ends when it goes on |
//!
//! # Backends
//!
//! A backend is a [`Register`] with compare-and-swap: read, and write if unchanged.
//!
//! | type | feature | where |
//! |---|---|---|
//! | [`MemoryLock`] | | one process, for tests; with faults |
#![cfg_attr(all(feature = "file", unix), doc = "| [`FileLock`] | `file` | one machine, Unix |")]
#![cfg_attr(feature = "postgres", doc = "| [`RowLock`] | `postgres` | replicas with a database |")]
//!
//! # Limitations
//!
//! - A spawned task or a thread without a [`Hold`](task_core::Hold) is not part of a term.
//! - A sole replica that was killed waits for a lease at its next start: its identity is another.
//! - Under `panic = "abort"`, and after `SIGKILL`, nothing is released.
//! - A follower reads the lock once per retry, and the leader writes it as often.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

// The task, and its handle.
mod handle;
mod leading;

// One term after the other.
mod keep;
mod lead;

// What the terms of a task share.
mod on_loss;
mod shared;
mod term;

mod run;
mod stats;

// Who leads, as a pure function.
#[cfg(test)]
mod model;

mod machine;

// What a backend is, and those that there are.
mod register;

// Small values.
mod clock;
mod error;
mod sync;
mod times;

pub use error::{LeaderError, RegisterError, TermOver};
pub use handle::LeadHandle;
pub use leading::{Leading, leading, leading_task};
pub use on_loss::OnLoss;
#[cfg(all(feature = "file", unix))]
pub use register::FileLock;
#[cfg(feature = "postgres")]
pub use register::RowLock;
pub use register::{MemoryFault, MemoryLock, Record, Register, Version, Written};
pub use term::Term;
pub use times::Times;
