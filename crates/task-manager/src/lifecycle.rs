//! The lifecycle of a group as pure functions of events and time: no clock, no lock, no runtime,
//! no user code. Imports nothing but `task-core` and the standard library.
//!
//! [`machine`] decides what happens next, [`plan`] holds the deadline of each part.

pub(crate) mod machine;
pub(crate) mod plan;

pub(crate) use self::{
    machine::{Action, Kind, Machine, Trigger},
    plan::{Budgets, Limit, Tick},
};
