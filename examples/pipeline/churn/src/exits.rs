//! The exits of members: cause, code and time.

use std::{collections::BTreeMap, process::ExitStatus, time::Duration};

use std::os::unix::process::ExitStatusExt as _;

/// Why a member ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Term,
    Kill,
    Itself,
}

/// One exit of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) how: How,
    /// The exit code, or 128 plus the signal that ended the member.
    pub(crate) code: i32,
    /// The time since the signal.
    pub(crate) took: Duration,
}

pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Returns the number of exits per code: `0×12 1×3`. Exits by SIGKILL have no meaningful code and
/// are left out.
pub(crate) fn codes(exits: &[Exit]) -> String {
    let mut counts = BTreeMap::new();
    for exit in exits.iter().filter(|exit| exit.how != How::Kill) {
        *counts.entry(exit.code).or_insert(0) += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(code, count)| format!("{code}×{count}")).collect();
    counts.join(" ")
}

/// Returns the median and the maximum of the time from SIGTERM to the exit.
pub(crate) fn times(exits: &[Exit]) -> Option<(Duration, Duration)> {
    let terminated = exits.iter().filter(|exit| exit.how == How::Term);
    let mut times: Vec<_> = terminated.map(|exit| exit.took).collect();
    times.sort();
    Some((*times.get(times.len() / 2)?, *times.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigkill_is_neither_counted_nor_timed() {
        let exit = |how, code, millis| Exit { how, code, took: Duration::from_millis(millis) };
        let exits = [
            exit(How::Term, 0, 200),
            exit(How::Kill, 137, 9),
            exit(How::Term, 0, 100),
            exit(How::Itself, 1, 0),
            exit(How::Term, 1, 900),
        ];
        assert_eq!(codes(&exits), "0×2 1×2");
        let [median, most] = [200, 900].map(Duration::from_millis);
        assert_eq!(times(&exits), Some((median, most)));
        assert_eq!(times(&exits[1..2]), None);
    }
}
