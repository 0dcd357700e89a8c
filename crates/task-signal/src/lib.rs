//! task-signal

mod signal;

mod choices;
mod error;
mod ladder;
mod received;

mod builder;
mod task;

mod action;
mod trigger;
mod trigger_builder;

mod courier;
mod dump;
mod lease;
mod log;
mod platform;
mod teller;
mod watcher;

pub use builder::SignalTaskBuilder;
pub use choices::{AfterEnd, IgnoredSignals, LogLevel, OnError};
pub use error::SignalError;
pub use ladder::Reaction;
pub use received::Received;
pub use signal::Signal;
pub use task::SignalTask;
pub use trigger::SignalTrigger;
pub use trigger_builder::SignalTriggerBuilder;
