//! The report as text: one sentence with the result, what went wrong, where the time went.

use std::fmt;
use std::time::Duration;

use task_core::Outcome;
use task_core::scope::guarded_name;

use super::length::Length;
use super::steps::StepLine;
use super::{Cause, CauseKind, Contents, Failure, FailureKind, FailureOrigin, Fold, Report};
use super::{blocked, fold};

/// How many lines of failures, of tasks and of cleanups are shown.
pub(super) const MOST_LINES: usize = 10;
/// How many names, or later triggers, are shown in a line.
const MOST_NAMES: usize = 3;
/// How many characters of a failure the first line has. One that is longer has a line of its own,
/// too.
const MOST_OF_FIRST: usize = 200;
/// How many lines of a backtrace are shown, two for each frame.
const MOST_FRAMES: usize = 128;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contents = &*self.0;
        let folds = fold(&contents.failures);
        f.write_str(&contents.summary(&folds))?;
        contents.write_cause(f, &folds)?;
        contents.write_counts(f)?;
        contents.write_failures(f, "  ", &folds)?;
        contents.write_steps(f)?;
        contents.write_timeline(f)?;
        if f.alternate() { contents.write_backtraces(f, &folds) } else { Ok(()) }
    }
}

impl Report {
    /// Returns the first line of the text: what stopped, how long it took, and, if something went
    /// wrong, how many failures there are and the one that matters most, or else the cause.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let manager = Manager::new();
    /// manager.run(task_fn("consumer", async |_| anyhow::bail!("no broker"))).unwrap();
    /// let error = manager.wait().await.unwrap_err();
    /// assert_eq!(
    ///     error.report().unwrap().summary(),
    ///     "manager stopped in 0.0 ms of 25.00 s, 1 failure: task `consumer` failed: no broker",
    /// );
    /// # }
    /// ```
    pub fn summary(&self) -> String {
        self.0.summary(&fold(&self.0.failures))
    }
}

impl Contents {
    pub(super) fn summary(&self, folds: &[Fold<'_>]) -> String {
        let mut line = format!("{} stopped in {}", guarded_name(&self.name), Length(self.took()));
        if let Some(budget) = self.steps.budget {
            line += &format!(" of {}", Length(budget));
        }
        let Some(first) = folds.first() else {
            return format!("{line}, clean; cause: {}", self.cause.kind.text(&self.repeated));
        };
        let count = self.failure_count();
        let nouns = if count == 1 { "failure" } else { "failures" };
        format!("{line}, {count} {nouns}: {}", shortened(&first.text(&self.repeated)))
    }

    /// Returns how many failures there were.
    pub(crate) fn failure_count(&self) -> u64 {
        self.failures.len() as u64 + self.omitted_failures
    }

    /// Writes what blocked the runtime, the cause, unless the first line has it, and the triggers
    /// that came later and are not among the failures.
    fn write_cause(&self, f: &mut fmt::Formatter<'_>, folds: &[Fold<'_>]) -> fmt::Result {
        if let Some(blocked) = blocked(&self.failures, &self.repeated) {
            write!(f, "\n  {blocked}")?;
        }
        match folds.first().map(Fold::single) {
            None => {}
            Some(Some(first)) if is_of(&self.cause, first) => {
                f.write_str("\n  cause: that failure")?;
            }
            Some(_) => write!(f, "\n  cause: {}", self.cause.kind.text(&self.repeated))?,
        }
        let mut later = Vec::<(String, Duration, u64)>::new();
        for cause in self.later_triggers.iter().filter(|cause| !cause.kind.is_failure()) {
            let text = cause.kind.text(&self.repeated);
            match later.iter_mut().find(|(other, ..)| *other == text) {
                Some((_, _, times)) => *times += 1,
                None => later.push((text, cause.at.saturating_sub(self.steps.triggered), 1)),
            }
        }
        let beyond = later.split_off(later.len().min(MOST_NAMES));
        let beyond = beyond.iter().map(|(_, _, times)| times).sum::<u64>() + self.omitted_requests;
        let texts = later.into_iter().map(|(text, after, times)| match times {
            1 => format!("{text} (+{})", Length(after)),
            _ => format!("{text} ({times} times from +{} on)", Length(after)),
        });
        let texts: Vec<_> = texts.chain((beyond > 0).then(|| format!("{beyond} more"))).collect();
        if texts.is_empty() { Ok(()) } else { write!(f, "\n  then: {}", texts.join(", ")) }
    }

    /// Writes how long the group was up, and how many tasks and cleanups ended in which way.
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (up, started) = (Length(self.steps.triggered), self.totals.started);
        let outcomes =
            Outcome::ALL.into_iter().map(|outcome| (outcome.as_str(), self.totals.of(outcome)));
        write!(f, "\n  up {up}; {}", counts(started, "task", outcomes))?;
        let cleanups = self.cleanups.len() as u64 + self.omitted_cleanups;
        if cleanups == 0 {
            return Ok(());
        }
        let count = |outcome| {
            self.cleanups.iter().filter(|cleanup| cleanup.outcome == outcome).count() as u64
        };
        let outcomes = Outcome::ALL.into_iter();
        let outcomes = outcomes.map(|outcome| (outcome.as_str(), count(Some(outcome))));
        let others = [("not run", count(None)), ("not listed", self.omitted_cleanups)];
        write!(f, "; {}", counts(cleanups, "cleanup", outcomes.chain(others)))
    }

    /// Writes the failures that the first line does not have, or not in full.
    pub(super) fn write_failures(
        &self,
        f: &mut fmt::Formatter<'_>,
        indent: &str,
        folds: &[Fold<'_>],
    ) -> fmt::Result {
        let is_whole = |fold: &Fold<'_>| {
            let text = fold.text(&self.repeated);
            shortened(&text) == text
        };
        let listed = folds.iter().skip(usize::from(folds.first().is_some_and(is_whole)));
        for fold in listed.clone().take(MOST_LINES) {
            write!(f, "\n{indent}failure: {}", fold.text(&self.repeated))?;
        }
        let beyond: Vec<_> = listed.skip(MOST_LINES).collect();
        let count: usize = beyond.iter().map(|fold| fold.failures.len()).sum();
        write_omitted(f, count as u64 + self.omitted_failures, "failures")?;
        let mut subjects: Vec<_> =
            beyond.iter().take(MOST_NAMES).map(|fold| fold.subject(&self.repeated)).collect();
        if beyond.len() > subjects.len() {
            subjects.push(String::from("…"));
        }
        if subjects.is_empty() { Ok(()) } else { write!(f, ": {}", subjects.join(", ")) }
    }

    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in StepLine::table(&self.step_lines()) {
            write!(f, "\n  {line}")?;
        }
        write_omitted(f, self.phases_beyond(), "phases")
    }

    /// Writes the backtraces of failures, where they were captured.
    fn write_backtraces(&self, f: &mut fmt::Formatter<'_>, folds: &[Fold<'_>]) -> fmt::Result {
        let failures = folds.iter().take(MOST_LINES).flat_map(|fold| &fold.failures);
        let backtraces = failures.filter_map(|failure| Some((failure, failure.backtrace()?)));
        for (failure, backtrace) in backtraces.take(MOST_LINES) {
            write!(f, "\n  backtrace of {}:", failure.subject(&self.repeated))?;
            for line in backtrace.to_string().lines().take(MOST_FRAMES) {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }

    /// Returns how long the shutdown took.
    pub(super) fn took(&self) -> Duration {
        self.steps.ended.saturating_sub(self.steps.triggered)
    }
}

/// Returns whether a trigger is this failure.
fn is_of(cause: &Cause, failure: &Failure) -> bool {
    match &cause.kind {
        CauseKind::TaskEnded { id, .. } => {
            failure.origin == FailureOrigin::Task
                && failure.id == Some(*id)
                && !failure.kind.is_survived()
        }
        CauseKind::SetupFailed => {
            failure.origin == FailureOrigin::Setup && matches!(failure.kind, FailureKind::Error(_))
        }
        CauseKind::StartTimeout => failure.origin == FailureOrigin::Start,
        CauseKind::Stopped
        | CauseKind::RequestedBy { .. }
        | CauseKind::Parent
        | CauseKind::Dropped
        | CauseKind::Completed => false,
    }
}

/// Returns `3 tasks: 2 completed, 1 failed`.
fn counts<'a>(all: u64, noun: &str, by: impl Iterator<Item = (&'a str, u64)>) -> String {
    let plural = if all == 1 { "" } else { "s" };
    let by = by.filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}"));
    let by: Vec<_> = by.collect();
    let colon = if by.is_empty() { "" } else { ": " };
    format!("{all} {noun}{plural}{colon}{}", by.join(", "))
}

/// Returns as much of a text as the first line has.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_OF_FIRST) {
        None => String::from(text),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

pub(super) fn write_omitted(f: &mut fmt::Formatter<'_>, count: u64, what: &str) -> fmt::Result {
    match count {
        0 => Ok(()),
        more => write!(f, "\n  … and {more} more {what}"),
    }
}
