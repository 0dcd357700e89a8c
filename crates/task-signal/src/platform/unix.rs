//! Unix, on signal-hook, whose handlers other libraries share.

mod claim;
mod default_action;
mod disposition;
mod exit_meanwhile;
mod inbox;
mod last_line;
mod unblocked;

pub(crate) use claim::{Claim, act_by_default};
pub(crate) use default_action::{exit_now, send_again};
pub(crate) use exit_meanwhile::ExitMeanwhile;
pub(crate) use inbox::{Closer, Inbox, Listener};
pub(crate) use last_line::write_if_room;
