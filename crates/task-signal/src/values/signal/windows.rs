//! The signals that console events stand for on Windows, by their numbers on Linux.

use std::borrow::Cow;

use super::Signal;
use crate::values::ErrorKind;

pub(super) const HUP: i32 = 1;
pub(super) const INT: i32 = 2;
pub(super) const QUIT: i32 = 3;
pub(super) const USR1: i32 = 10;
pub(super) const USR2: i32 = 12;
pub(super) const TERM: i32 = 15;

/// Accepts `SIGINT`, `SIGTERM` and, so that the default set is the same on every platform,
/// `SIGQUIT`, which never arrives.
pub(super) fn check(signal: Signal) -> Result<(), ErrorKind> {
    match signal.number() {
        INT | QUIT | TERM => Ok(()),
        _ => Err(ErrorKind::Unknown(signal)),
    }
}

pub(super) fn name(number: i32) -> Cow<'static, str> {
    match number {
        HUP => "SIGHUP".into(),
        INT => "SIGINT".into(),
        QUIT => "SIGQUIT".into(),
        USR1 => "SIGUSR1".into(),
        USR2 => "SIGUSR2".into(),
        TERM => "SIGTERM".into(),
        _ => format!("signal {number}").into(),
    }
}
