//! What differs between systems, with the same names and signatures on each.
//!
//! A platform module offers [`Claim`], which takes signals from their default action and gives them
//! back; [`Inbox`], which a thread can block on, and its [`Closer`]; [`Listener`], with which an
//! async task waits on an inbox; [`send_again`]; [`write_if_room`]; and three ways to end the
//! process.

#[cfg(not(windows))]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub(crate) use unix::{
    Claim, Closer, ExitMeanwhile, Inbox, Listener, act_by_default, exit_now, send_again,
    write_if_room,
};
#[cfg(windows)]
pub(crate) use windows::{
    Claim, Closer, ExitMeanwhile, Inbox, Listener, act_by_default, exit_now, send_again,
    write_if_room,
};
