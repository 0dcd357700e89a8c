//! What a sweep found.

use std::{fmt, time::Duration};

use crate::text::seconds;

/// What a sweep over the points of a task, or of a service, has found.
///
/// `Display` is one line with the numbers, then one line per finding.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// What is done at a point: "cancelled".
    pub(crate) done: &'static str,
    pub(crate) subject: String,
    pub(crate) total: usize,
    pub(crate) tested: usize,
    pub(crate) seed: u64,
    /// When the points are instants of real time, those.
    pub(crate) instants: Vec<Duration>,
    /// The two numbers of points, where two runs that nothing stopped differ.
    pub(crate) differs: Option<(usize, usize)>,
    pub(crate) vanished: usize,
    pub(crate) findings: Vec<Finding>,
    pub(crate) is_cut_short: bool,
}

/// One thing that went wrong at one point.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The point: how often the task had returned `Pending`, how often the service had come to
    /// rest, or how many instants of real time are before this one. `None` for the run that is only
    /// stopped at the end of its life.
    pub point: Option<usize>,
    /// When that was, on Tokio's clock, as time since the start.
    pub at: Duration,
    /// The status that the task had set by then.
    pub status: Option<String>,
    /// What went wrong.
    pub what: String,
}

impl Sweep {
    /// Returns how many points there are.
    pub fn points(&self) -> usize {
        self.total
    }

    /// Returns at how many of them the task was stopped.
    pub fn tested(&self) -> usize {
        self.tested
    }

    /// Returns what went wrong.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns whether two runs that nothing stopped had the same number of points, and no run
    /// ended before its point. Otherwise something is random, such as a `select!` without `biased`
    /// or the order of a hash map, and a point is a count of polls rather than a place. In real
    /// time, only whether no run ended before its point.
    pub fn is_deterministic(&self) -> bool {
        self.differs.is_none() && self.vanished == 0
    }

    /// Asserts that nothing went wrong, and returns the sweep.
    ///
    /// # Panics
    ///
    /// If there are findings; the message is the sweep's `Display`.
    #[track_caller]
    pub fn assert_clean(self) -> Self {
        assert!(self.findings.is_empty(), "{self}");
        self
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, subject, total, tested, seed, .. } = self;
        write!(f, "{subject}, {done} at {tested} of {total} points")?;
        let is_random = tested < total && !self.is_cut_short;
        if is_random || !self.instants.is_empty() {
            write!(f, " (seed {seed})")?;
        }
        write!(f, ": {} found", self.findings.len())?;
        if self.is_cut_short {
            f.write_str(", and not tested any further")?;
        }
        if !self.instants.is_empty() {
            let instants: Vec<_> = self.instants.iter().map(|at| seconds(*at)).collect();
            write!(f, "\n  the points are instants of real time: {}", instants.join(", "))?;
        }
        if let Some((one, other)) = self.differs {
            write!(f, "\n  it is not deterministic: {one} points, then {other}")?;
        }
        if self.vanished > 0 {
            let what = if self.instants.is_empty() { "it is not deterministic: " } else { "" };
            write!(f, "\n  {what}{} runs ended before their point", self.vanished)?;
        }
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.point {
            Some(point) => write!(f, "point {point} at {}", seconds(self.at))?,
            None => write!(f, "stopped at its end, at {}", seconds(self.at))?,
        }
        if let Some(status) = &self.status {
            write!(f, " (status `{status}`)")?;
        }
        write!(f, ": {}", self.what)
    }
}
