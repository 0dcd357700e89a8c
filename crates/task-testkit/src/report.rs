//! What a test asserts of a report, and the report as a text that does not change.

use std::{fmt, time::Duration};

use task_core::{Outcome, TaskReport};
use task_manager::Report;

use crate::{
    redact::redact,
    text::{indented, seconds},
};

mod sealed {
    pub trait Sealed {}
    impl Sealed for task_manager::Report {}
}

/// Assertions on a [`Report`]. One that fails panics with the whole report.
///
/// They return the report, so that several follow each other. Tasks and cleanups are named; where
/// several share a name, the assertion is about all of them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::{Outcome, Task};
/// use task_testkit::{ReportAssertions as _, TestGroup, chaos, paused};
///
/// paused(async {
///     let report = TestGroup::new()
///         .task(chaos::hang().named("exporter"))
///         .stop_at(Duration::from_secs(3))
///         .run()
///         .await;
///     report.assert_cause("stop was called").assert_stuck(&["exporter"]);
///     assert!(report.redacted().contains("task exporter: aborted"));
/// });
/// ```
pub trait ReportAssertions: sealed::Sealed {
    /// Asserts that nothing went wrong.
    ///
    /// # Panics
    ///
    /// If something did.
    #[track_caller]
    fn assert_clean(&self) -> &Self;

    /// Asserts what began the shutdown, by its text: ``task `consumer` failed``.
    ///
    /// # Panics
    ///
    /// If it was something else.
    #[track_caller]
    fn assert_cause(&self, cause: &str) -> &Self;

    /// Asserts that a failure of the task or cleanup `name` contains `text`.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    fn assert_failure(&self, name: &str, text: &str) -> &Self;

    /// Asserts how a task, or a cleanup, ended.
    ///
    /// # Panics
    ///
    /// If it ended otherwise, was not run, or is not in the report, which lists the tasks that were
    /// alive when the shutdown began.
    #[track_caller]
    fn assert_outcome(&self, name: &str, outcome: Outcome) -> &Self;

    /// Asserts that a task was stopped, and took at most `limit` to end.
    ///
    /// # Panics
    ///
    /// If it took longer, was not stopped, or is not in the report.
    #[track_caller]
    fn assert_stopped_within(&self, task: &str, limit: Duration) -> &Self;

    /// Asserts that these tasks, and no others, were aborted or abandoned, in any order. An empty
    /// list asserts that none was.
    ///
    /// # Panics
    ///
    /// If others were, or one of them was not.
    #[track_caller]
    fn assert_stuck(&self, tasks: &[&str]) -> &Self;

    /// Asserts that these tasks and cleanups ended in this order; there may be others between them.
    ///
    /// # Panics
    ///
    /// If they did not, or one is not in the report.
    #[track_caller]
    fn assert_order(&self, names: &[&str]) -> &Self;

    /// Returns the report as a text for snapshots: what happened, in order, without anything that
    /// differs from run to run.
    ///
    /// It has the cause and the later triggers, the failures, the tasks in the order of their ends,
    /// and the cleanups. It has no times, no addresses, no numbers of threads, no paths and no
    /// backtraces: see [`redact`].
    fn redacted(&self) -> String;
}

impl ReportAssertions for Report {
    fn assert_clean(&self) -> &Self {
        assert!(self.is_clean(), "{}", but(self, "is clean"));
        self
    }

    fn assert_cause(&self, cause: &str) -> &Self {
        let is_it = self.cause().to_string() == cause;
        assert!(is_it, "{}", but(self, format_args!("has the cause `{cause}`")));
        self
    }

    fn assert_failure(&self, name: &str, text: &str) -> &Self {
        let mut named = self.failures().iter().filter(|failure| failure.name == name);
        let has_it = named.any(|failure| failure.to_string().contains(text));
        assert!(has_it, "{}", but(self, format_args!("has a failure `{text}` of `{name}`")));
        self
    }

    fn assert_outcome(&self, name: &str, outcome: Outcome) -> &Self {
        let tasks = named(self, name).map(|task| Some(task.outcome));
        let cleanups = self.cleanups().iter().filter(|cleanup| cleanup.name == name);
        let mut ends = tasks.chain(cleanups.map(|cleanup| cleanup.outcome)).peekable();
        let is_it = ends.peek().is_some() && ends.all(|end| end == Some(outcome));
        assert!(is_it, "{}", but(self, format_args!("has `{name}` {outcome}")));
        self
    }

    fn assert_stopped_within(&self, task: &str, limit: Duration) -> &Self {
        let mut tasks = named(self, task).peekable();
        let is_in_time = tasks.peek().is_some()
            && tasks.all(|task| task.stop_took.is_some_and(|took| took <= limit));
        let expected = format!("has `{task}` stopped within {}", seconds(limit));
        assert!(is_in_time, "{}", but(self, expected));
        self
    }

    fn assert_stuck(&self, tasks: &[&str]) -> &Self {
        let is_stuck =
            |task: &&TaskReport| matches!(task.outcome, Outcome::Aborted | Outcome::Abandoned);
        let mut stuck: Vec<_> =
            self.tasks().iter().filter(is_stuck).map(|task| &*task.name).collect();
        let mut expected = tasks.to_vec();
        stuck.sort_unstable();
        expected.sort_unstable();
        assert!(
            stuck == expected,
            "{}",
            but(self, format_args!("has {expected:?} stuck, not {stuck:?}"))
        );
        self
    }

    fn assert_order(&self, names: &[&str]) -> &Self {
        let tasks = self.tasks().iter().map(|task| &*task.name);
        let ended: Vec<_> =
            tasks.chain(self.cleanups().iter().map(|cleanup| &*cleanup.name)).collect();
        let mut rest = ended.iter();
        let is_in_order = names.iter().all(|name| rest.any(|ended| ended == name));
        assert!(
            is_in_order,
            "{}",
            but(self, format_args!("has the order {names:?}, not {ended:?}"))
        );
        self
    }

    fn redacted(&self) -> String {
        let result = match self.failures().len() as u64 + self.omitted_failures() {
            0 => String::from("clean"),
            1 => String::from("1 failure"),
            many => format!("{many} failures"),
        };
        let mut lines = vec![format!("{}: {result}", self.name())];
        lines.push(format!("cause: {}", self.cause()));
        lines.extend(self.later_triggers().iter().map(|cause| format!("also: {cause}")));
        lines.extend(self.failures().iter().map(|failure| format!("failure: {failure}")));
        lines.extend(
            self.tasks().iter().map(|task| format!("task {}: {}", task.name, task.outcome)),
        );
        lines.extend(self.cleanups().iter().map(|cleanup| {
            let outcome = cleanup.outcome.map_or("not run", Outcome::as_str);
            format!("cleanup {}: {outcome}", cleanup.name)
        }));
        redact(&lines.join("\n"))
    }
}

fn named<'a>(report: &'a Report, name: &'a str) -> impl Iterator<Item = &'a TaskReport> {
    report.tasks().iter().filter(move |task| task.name == name)
}

/// The message of an assertion that failed. Statuses say where a task was.
fn but(report: &Report, expected: impl fmt::Display) -> String {
    let statuses = report.tasks().iter().filter_map(|task| {
        task.status.as_ref().map(|status| format!("the last status of `{}`: {status}", task.name))
    });
    format!("expected that the report {expected}, but:\n{report}{}", indented(statuses))
}
