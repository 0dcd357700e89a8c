//! The scenarios, which are measured inside a child.

/// A sequence of steps, the same for every contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Start N tasks, wait until each waits for its cancellation, stop, wait for all.
    Parked,
    /// As `Parked`, in a process that has run a group of one task before.
    Second,
    /// N tasks that end at once, a thousand at a time.
    Ephemeral,
    /// N tasks wait for cancellation and one more fails; until the wait for all of them returns.
    Failure,
    /// N tasks panic.
    Panic,
}

pub(crate) const ALL: &[Scenario] =
    &[Scenario::Parked, Scenario::Second, Scenario::Ephemeral, Scenario::Failure, Scenario::Panic];

/// The number of ephemeral tasks that are started before the next wait.
pub(crate) const BATCH: usize = 1_000;

impl Scenario {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Second => "second",
            Self::Ephemeral => "ephemeral",
            Self::Failure => "failure",
            Self::Panic => "panic",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Parked => "start N tasks that wait for cancellation, stop, wait for all",
            Self::Second => "as parked, by the second group of a process",
            Self::Ephemeral => {
                "N tasks that end at once; memory is the growth after the first tenth"
            }
            Self::Failure => "from a failure to the end of the wait, N tasks parked",
            Self::Panic => "N tasks that panic when stopped (backtraces off)",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        ALL.iter().copied().find(|scenario| scenario.word() == word)
    }
}

/// A kind of runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    TwoWorkers,
    CurrentThread,
}

impl Flavor {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::TwoWorkers => "two-workers",
            Self::CurrentThread => "current-thread",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::TwoWorkers, Self::CurrentThread].into_iter().find(|flavor| flavor.word() == word)
    }
}
