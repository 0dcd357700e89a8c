//! Plain values: signals, what they lead to, settings with a few choices, and the error.

mod after_end;
mod error;
mod ignored_signals;
mod log_level;
mod on_action_error;
mod opaque;
mod reaction;
mod received;
mod signal;
mod signal_map;

pub use after_end::AfterEnd;
pub(crate) use error::ErrorKind;
pub use error::SignalError;
pub use ignored_signals::IgnoredSignals;
pub use log_level::LogLevel;
pub use on_action_error::OnActionError;
pub(crate) use opaque::Opaque;
pub use reaction::Reaction;
pub use received::Received;
pub use signal::Signal;
pub(crate) use signal_map::{SignalMap, SignalSet};
