//! What the process did with a signal before this crate first captured it.

use std::fs;

use crate::values::Signal;

/// What a signal does when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Its default action, or unknown.
    Default,
    /// Nothing.
    Ignored,
    /// A handler runs that another library installed.
    Handled,
}

/// Reads the disposition from the system.
///
/// There is no safe system call for it. On Linux, `SigIgn` and `SigCgt` in `/proc/self/status` are
/// masks in which bit *n* - 1 stands for signal *n*. Without that file the result is
/// [`Disposition::Default`].
pub(crate) fn disposition(signal: Signal) -> Disposition {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bit = u32::try_from(signal.number() - 1).unwrap_or(u32::MAX);
    let has = |field: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(field));
        let mask = mask.and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok());
        mask.and_then(|mask| mask.checked_shr(bit)).is_some_and(|bits| bits & 1 == 1)
    };
    match (has("SigIgn:"), has("SigCgt:")) {
        (true, _) => Disposition::Ignored,
        (false, true) => Disposition::Handled,
        (false, false) => Disposition::Default,
    }
}
