//! The threads that serve signals without a runtime.
//!
//! - The *reader* reads signals, counts them, and ends the process at the last step of a ladder. It
//!   runs nothing that may block.
//! - The *logger* writes the log, runs the callback and dumps the task table, one after the other.
//!   It may block in any of them; later events then wait in its queue, and nothing else does.
//! - The *offload thread* delivers steps to the group, since a manager logs on the thread of the
//!   request. The reader waits briefly for it. If it blocks, the next step gets a new thread; there
//!   are at most as many as ladders have steps.
//!
//! The constructor starts them before it captures signals, so a refusal of the system is an error
//! there, and loses no signal. What ends the process needs no other: if the offload thread is
//! blocked and the system has none left, the reader takes the step, the handlers of signals exit
//! meanwhile, and the line about an exit is written if standard error takes it at once.

mod ladder;
mod logger;
mod offload;
mod reader;
mod recipient;

pub(crate) use ladder::Ladder;
pub(crate) use logger::{Callback, Logger};
pub(crate) use offload::Offload;
pub(crate) use reader::{Reader, Shared, Source};
pub(crate) use recipient::Recipient;
