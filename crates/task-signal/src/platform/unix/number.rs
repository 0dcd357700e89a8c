//! Which numbers are signals, their names, and which must be left alone.

use std::borrow::Cow;

use signal_hook::{consts::FORBIDDEN, low_level::signal_name};

use crate::{Signal, error::ErrorKind};

pub(crate) const HUP: i32 = libc::SIGHUP;
pub(crate) const INT: i32 = libc::SIGINT;
pub(crate) const QUIT: i32 = libc::SIGQUIT;
pub(crate) const TERM: i32 = libc::SIGTERM;
pub(crate) const USR1: i32 = libc::SIGUSR1;
pub(crate) const USR2: i32 = libc::SIGUSR2;

/// Refuses what must never reach signal-hook: it panics on forbidden numbers while it holds a lock that it unwraps
/// when it is dropped, which aborts the process, and indexes an array by the rest.
pub(crate) fn check(signal: Signal) -> Result<(), ErrorKind> {
    let number = signal.number();
    if FORBIDDEN.contains(&number) || number == libc::SIGBUS {
        return Err(ErrorKind::Forbidden(signal));
    }
    match number {
        1..=31 if cfg!(any(target_os = "linux", target_os = "android")) => Ok(()),
        _ if signal_name(number).is_some() => Ok(()),
        _ => check_real_time(signal),
    }
}

pub(crate) fn name(signal: Signal) -> Cow<'static, str> {
    let number = signal.number();
    match signal_name(number) {
        Some(name) => Cow::Borrowed(name),
        None => real_time_name(number).unwrap_or_else(|| format!("signal {number}")).into(),
    }
}

/// The C library keeps the first few real-time signals for itself, and says where its own end.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn check_real_time(signal: Signal) -> Result<(), ErrorKind> {
    match signal.number() {
        number if number > libc::SIGRTMAX() || number < 32 => Err(ErrorKind::Unknown(signal)),
        number if number < libc::SIGRTMIN() => Err(ErrorKind::Reserved(signal)),
        _ => Ok(()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn real_time_name(number: i32) -> Option<String> {
    match number.checked_sub(libc::SIGRTMIN())? {
        0 => Some("SIGRTMIN".to_owned()),
        above if above > 0 && number <= libc::SIGRTMAX() => Some(format!("SIGRTMIN+{above}")),
        _ => None,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn check_real_time(signal: Signal) -> Result<(), ErrorKind> {
    Err(ErrorKind::Unknown(signal))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn real_time_name(_number: i32) -> Option<String> {
    None
}
