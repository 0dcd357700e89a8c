//! A signal: a number with a name, the same type on every platform.

#[cfg(not(windows))]
mod unix;
#[cfg(windows)]
mod windows;

use std::{borrow::Cow, fmt};

#[cfg(not(windows))]
use unix as system;
#[cfg(windows)]
use windows as system;

use super::ErrorKind;

/// A signal, identified by its number.
///
/// A value of this type is not checked when it is made. The constructor that captures the signal
/// checks it, and returns a [`SignalError`](crate::SignalError) that names the problem.
///
/// # Windows
///
/// Windows has console events instead. [`INT`](Self::INT) stands for Ctrl-C and Ctrl-Break, and
/// [`TERM`](Self::TERM) for the closing of the console, the log-off and the shutdown of the system.
/// [`QUIT`](Self::QUIT) is accepted and never arrives; the others cannot be captured.
///
/// # Examples
///
/// ```
/// use task_signal::Signal;
///
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::new(15), Signal::TERM);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

impl Signal {
    /// `SIGHUP`: the terminal is gone. By convention it asks a service to reload its configuration.
    pub const HUP: Self = Self(system::HUP);
    /// `SIGINT`: the interrupt from the terminal, Ctrl-C.
    pub const INT: Self = Self(system::INT);
    /// `SIGQUIT`: Ctrl-\\ at the terminal. Its default action writes a core dump.
    pub const QUIT: Self = Self(system::QUIT);
    /// `SIGTERM`: the request to terminate that supervisors and orchestrators send.
    pub const TERM: Self = Self(system::TERM);
    /// `SIGUSR1`: free for the program's own use.
    pub const USR1: Self = Self(system::USR1);
    /// `SIGUSR2`: free for the program's own use.
    pub const USR2: Self = Self(system::USR2);

    /// Makes a signal from its number on this platform.
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Returns the name: `SIGTERM`, `SIGRTMIN+3`, or `signal 99` for a number without a name.
    pub fn name(self) -> Cow<'static, str> {
        system::name(self.0)
    }

    /// Checks that the signal exists on this platform and may be captured.
    pub(crate) fn check(self) -> Result<(), ErrorKind> {
        system::check(self)
    }

    /// Returns the exit code of a process that the signal ended, by the convention of shells:
    /// 128 + number.
    pub(crate) const fn exit_code(self) -> i32 {
        128_i32.saturating_add(self.0)
    }
}

impl From<i32> for Signal {
    /// Does the same as [`Signal::new`], for the constants of `libc` and `signal-hook`.
    fn from(number: i32) -> Self {
        Self(number)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}
