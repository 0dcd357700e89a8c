//! The threads that serve signals without a runtime.
//!
//! - The *reader* reads signals, counts them, and ends the process at the last step of a ladder. It
//!   runs nothing that may block.
//! - The *logger* writes the log, runs the callback and dumps the task table, one after the other.
//!   It may block in any of them; later events then wait in its queue, and nothing else does.
//! - Each step that the group is to take gets a throw-away thread, since a manager logs on the
//!   thread of the request. There are at most as many of them as ladders have steps.
//!
//! Reader and logger are started by the constructor, so a refusal of the system is an error there.

mod ladder;
mod logger;
mod offload;
mod reader;
mod recipient;

pub(crate) use ladder::Ladder;
pub(crate) use logger::{Callback, Logger};
pub(crate) use reader::{Reader, Shared};
pub(crate) use recipient::Recipient;
