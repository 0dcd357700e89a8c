//! What a service calls: the manager, its builder, and its handles.

mod manager;

mod builder;
mod handle;
mod nested;
mod setup;
mod start_after;
mod task_handle;

pub use self::{
    builder::{BuildError, ManagerBuilder, SetTimes},
    handle::ManagerHandle,
    manager::Manager,
    nested::Nested,
    setup::Setup,
    start_after::{StartAfter, start_after},
    task_handle::TaskHandle,
};
