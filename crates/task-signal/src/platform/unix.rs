//! Unix, on signal-hook, whose handlers other libraries share.

mod claim;
mod default_action;
mod disposition;
mod inbox;

pub(crate) use claim::{Claim, act_by_default};
pub(crate) use default_action::exit_now;
pub(crate) use inbox::{Closer, Inbox, Listener};
