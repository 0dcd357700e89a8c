//! The report as text: one line with the result, then what went wrong, then where the time went.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use task_core::TaskReport;
use task_core::scope::guarded_name;

use super::{CleanupReport, Contents, Report, StepTimes};

/// How many tasks, cleanups and failures are shown.
const MOST_LINES: usize = 20;
/// How many lines of a backtrace are shown, two for each frame.
const MOST_FRAMES: usize = 128;
/// How many characters a bar has.
const BAR: usize = 24;
/// How far names are padded; one that is longer takes its room on its own line only.
const WIDEST_NAME: usize = 40;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contents = &*self.0;
        contents.write_result(f)?;
        contents.write_steps(f)?;
        contents.write_failures(f)?;
        contents.write_timeline(f)
    }
}

impl Contents {
    fn write_result(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stopped in {}", guarded_name(&self.name), Seconds(self.took()))?;
        if let Some(budget) = self.steps.budget {
            write!(f, " of {}", Seconds(budget))?;
        }
        match self.failures.len() as u64 + self.omitted_failures {
            0 => f.write_str(", clean")?,
            1 => f.write_str(", 1 failure")?,
            many => write!(f, ", {many} failures")?,
        }
        write!(f, "; cause: {}", self.cause.kind.text(&self.repeated))?;
        for cause in &self.later_triggers {
            let after = Seconds(cause.at.saturating_sub(self.steps.triggered));
            write!(f, "\n  also: {} (+{after})", cause.kind.text(&self.repeated))?;
        }
        write_omitted(f, self.omitted_triggers, "triggers")
    }

    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StepTimes { triggered, stopping, cleaning_up, ended, .. } = self.steps;
        let drain = Seconds(stopping.saturating_sub(triggered));
        let stop = Seconds(cleaning_up.saturating_sub(stopping));
        let cleanup = Seconds(ended.saturating_sub(cleaning_up));
        let (up, started) = (Seconds(triggered), self.totals.started);
        let tasks = if started == 1 { "task" } else { "tasks" };
        write!(
            f,
            "\n  drain {drain}, stop {stop}, cleanup {cleanup}; up {up}; {started} {tasks} in all"
        )
    }

    fn write_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.failures.iter().take(MOST_LINES) {
            write!(f, "\n  failure: {}", failure.text(&self.repeated))?;
            if let Some(backtrace) = failure.backtrace().filter(|_| f.alternate()) {
                for line in backtrace.to_string().lines().take(MOST_FRAMES) {
                    write!(f, "\n    {line}")?;
                }
            }
        }
        write_omitted(f, beyond(&self.failures) + self.omitted_failures, "failures")
    }

    /// Writes one line per task, for those that took longest to stop, in the order in which they
    /// ended, and one per cleanup.
    fn write_timeline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut slowest: Vec<_> = self.tasks.iter().enumerate().collect();
        slowest.sort_by_key(|(_, task)| Reverse(task.stop_took));
        slowest.truncate(MOST_LINES);
        slowest.sort_by_key(|(place, _)| *place);
        let tasks: Vec<_> = slowest.iter().map(|(_, task)| self.task_row(task)).collect();
        let cleanups = self.cleanups.iter().take(MOST_LINES);
        let cleanups: Vec<_> = cleanups.map(|cleanup| self.cleanup_row(cleanup)).collect();
        let widths = tasks.iter().chain(&cleanups).map(|(label, _)| label.chars().count());
        let width = widths.max().unwrap_or(0).min(WIDEST_NAME);
        for (label, rest) in &tasks {
            write!(f, "\n  {label:width$} {rest}")?;
        }
        write_omitted(f, beyond(&self.tasks) + self.omitted_tasks, "tasks")?;
        for (label, rest) in &cleanups {
            write!(f, "\n  {label:width$} {rest}")?;
        }
        write_omitted(f, beyond(&self.cleanups) + self.omitted_cleanups, "cleanups")
    }

    fn task_row(&self, task: &TaskReport) -> (String, String) {
        let took =
            task.stop_took.map_or_else(|| String::from("-"), |took| Seconds(took).to_string());
        let began = task.ended_at.saturating_sub(task.stop_took.unwrap_or_default());
        let bar = self.bar(began, task.ended_at);
        let status = task.status.as_ref().filter(|_| !task.outcome.is_clean());
        let status =
            status.map_or_else(String::new, |status| format!("  ({})", guarded_name(status)));
        let again = match task.restarts {
            0 => String::new(),
            1 => String::from("  restarted once"),
            more => format!("  restarted {more} times"),
        };
        let label = self.repeated.label(&task.name, Some(task.id));
        (label, format!("|{bar}| {:9} {took:>8}{again}{status}", task.outcome.as_str()))
    }

    fn cleanup_row(&self, cleanup: &CleanupReport) -> (String, String) {
        let outcome = cleanup.outcome.map_or("not run", |outcome| outcome.as_str());
        let bar = self.bar(cleanup.began_at, cleanup.began_at.saturating_add(cleanup.took));
        let took = Seconds(cleanup.took).to_string();
        (guarded_name(&cleanup.name), format!("|{bar}| {outcome:9} {took:>8}  cleanup"))
    }

    /// Draws a length of time on the scale of the whole shutdown.
    fn bar(&self, from: Duration, to: Duration) -> String {
        let whole = self.took().as_secs_f64();
        let column = |at: Duration| {
            let part = at.saturating_sub(self.steps.triggered).as_secs_f64();
            let share = if whole > 0.0 { part / whole } else { 0.0 };
            // In range by construction, and a cast saturates anyway.
            ((share * BAR as f64) as usize).min(BAR)
        };
        let begin = column(from).min(BAR - 1);
        let end = column(to).clamp(begin + 1, BAR);
        format!("{}{}{}", " ".repeat(begin), "=".repeat(end - begin), " ".repeat(BAR - end))
    }

    /// Returns how long the shutdown took.
    fn took(&self) -> Duration {
        self.steps.ended.saturating_sub(self.steps.triggered)
    }
}

/// Returns how many items of a list are not shown.
fn beyond<T>(list: &[T]) -> u64 {
    list.len().saturating_sub(MOST_LINES) as u64
}

fn write_omitted(f: &mut fmt::Formatter<'_>, count: u64, what: &str) -> fmt::Result {
    match count {
        0 => Ok(()),
        more => write!(f, "\n  … and {more} more {what}"),
    }
}

/// A length of time with the digits that matter.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match self.0.as_millis() {
            0 => write!(f, "{:.1} ms", seconds * 1e3),
            1..1_000 => write!(f, "{:.0} ms", seconds * 1e3),
            1_000..100_000 => write!(f, "{seconds:.2} s"),
            _ => write!(f, "{seconds:.0} s"),
        }
    }
}
