//! What differs between systems, behind one set of names.
//!
//! Each platform module offers: the numbers and names of signals and the check of a number; [`Claim`], which takes
//! signals from their default action and gives it back; [`Inbox`], which a thread blocks on; [`Pulse`], which an async
//! task waits on; and the two ways to end the process. Both modules keep the same signatures. The Windows one is type
//! checked, and has not been run.

#[cfg(not(windows))]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub(crate) use unix::{
    Claim, Closer, HUP, INT, Inbox, Pulse, QUIT, TERM, USR1, USR2, act_by_default, check, exit_now,
    name,
};
#[cfg(windows)]
pub(crate) use windows::{
    Claim, Closer, HUP, INT, Inbox, Pulse, QUIT, TERM, USR1, USR2, act_by_default, check, exit_now,
    name,
};
