//! The numbers and names of signals on Unix, and which of them may be captured.

use std::{borrow::Cow, ops::RangeInclusive};

pub(super) use libc::{
    SIGHUP as HUP, SIGINT as INT, SIGQUIT as QUIT, SIGTERM as TERM, SIGUSR1 as USR1,
    SIGUSR2 as USR2,
};
use signal_hook::{consts::FORBIDDEN, low_level::signal_name};

use super::Signal;
use crate::values::ErrorKind;

const IS_LINUX: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Refuses the numbers that must never reach signal-hook. On a forbidden one it panics while it
/// holds a lock that it unwraps when it is dropped, which aborts the process; by the others it
/// indexes an array.
pub(super) fn check(signal: Signal) -> Result<(), ErrorKind> {
    let number = signal.number();
    match number {
        libc::SIGBUS => Err(ErrorKind::Forbidden(signal)),
        _ if FORBIDDEN.contains(&number) => Err(ErrorKind::Forbidden(signal)),
        _ if signal_name(number).is_some() || real_time().contains(&number) => Ok(()),
        // Linux has a few standard signals that signal-hook has no name for.
        1..=31 if IS_LINUX => Ok(()),
        32.. if number < *real_time().start() => Err(ErrorKind::Forbidden(signal)),
        _ => Err(ErrorKind::Unknown(signal)),
    }
}

pub(super) fn name(number: i32) -> Cow<'static, str> {
    match signal_name(number) {
        Some(name) => name.into(),
        None if !real_time().contains(&number) => format!("signal {number}").into(),
        None if number == *real_time().start() => "SIGRTMIN".into(),
        None => format!("SIGRTMIN+{}", number - real_time().start()).into(),
    }
}

/// Returns the real-time signals that programs may use. The C library reserves the first few, and
/// knows at run time how many.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn real_time() -> RangeInclusive<i32> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

/// Returns an empty range: real-time signals are supported on Linux only.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn real_time() -> RangeInclusive<i32> {
    RangeInclusive::new(1, 0)
}
