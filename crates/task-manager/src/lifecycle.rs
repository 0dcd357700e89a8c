//! The lifecycle of a group as pure functions of events and time.

pub(crate) mod machine;
pub(crate) mod plan;

pub(crate) use self::{
    machine::{Action, Kind, Machine, Trigger},
    plan::{Budgets, Tick},
};
