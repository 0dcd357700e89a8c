//! Which signal: a number with a name, the same type on every platform.

use std::{borrow::Cow, fmt};

use crate::platform;

/// A signal, by its number.
///
/// Making one checks nothing: the constructor that captures it does, and says what is wrong with it. On Windows,
/// which has console events instead, [`INT`](Self::INT) stands for Ctrl-C and Ctrl-Break and [`TERM`](Self::TERM) for
/// the closing of the console, the log-off and the system's shutdown; [`QUIT`](Self::QUIT) is accepted there
/// and never comes; the others cannot be captured.
///
/// ```
/// # use task_signal::Signal;
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::new(15), Signal::TERM);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

impl Signal {
    /// The terminal is gone; by convention, to a service: read your configuration again.
    pub const HUP: Self = Self(platform::HUP);
    /// Ctrl-C.
    pub const INT: Self = Self(platform::INT);
    /// Ctrl-\\. Its default action writes a core dump.
    pub const QUIT: Self = Self(platform::QUIT);
    /// The request to end, from supervisors and orchestrators.
    pub const TERM: Self = Self(platform::TERM);
    /// Free for the program's own use.
    pub const USR1: Self = Self(platform::USR1);
    /// Free for the program's own use.
    pub const USR2: Self = Self(platform::USR2);

    /// Makes a signal of its number, as the platform counts them.
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Returns the name: `SIGTERM`, `SIGRTMIN+3`, or `signal 99` for a number that has none.
    pub fn name(self) -> Cow<'static, str> {
        platform::name(self)
    }

    /// Returns the exit code of a process that a signal has ended, by the convention of shells: 128 + number.
    pub(crate) const fn exit_code(self) -> i32 {
        128_i32.saturating_add(self.0)
    }
}

impl From<i32> for Signal {
    /// The same as [`Signal::new`], so that the constants of `libc` and `signal-hook` fit.
    fn from(number: i32) -> Self {
        Self(number)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}
