//! The two kinds of tasks and their builders.

mod action;
mod task;
mod task_builder;
mod trigger;
mod trigger_builder;

pub use task::SignalTask;
pub use task_builder::SignalTaskBuilder;
pub use trigger::SignalTrigger;
pub use trigger_builder::SignalTriggerBuilder;
