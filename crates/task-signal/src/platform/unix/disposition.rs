//! What the process did with a signal before anything of ours touched it.

use std::fs;

use crate::Signal;

/// What a signal does when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Its default action, or not known.
    Default,
    /// Nothing.
    Ignored,
    /// Somebody's handler runs.
    Handled,
}

/// Asks the system.
///
/// There is no safe call for it, but Linux writes it down: `SigIgn` and `SigCgt` in `/proc/self/status` are masks in
/// which bit *n* - 1 stands for signal *n*. Where there is no such file the answer is [`Disposition::Default`].
pub(crate) fn disposition(signal: Signal) -> Disposition {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return Disposition::Default;
    };
    let has = |field: &str| {
        let bit = u32::try_from(signal.number() - 1).ok();
        let mask = status.lines().find_map(|line| line.strip_prefix(field));
        let mask = mask.and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok());
        mask.zip(bit)
            .and_then(|(mask, bit)| mask.checked_shr(bit))
            .is_some_and(|bits| bits & 1 == 1)
    };
    if has("SigIgn:") {
        Disposition::Ignored
    } else if has("SigCgt:") {
        Disposition::Handled
    } else {
        Disposition::Default
    }
}
