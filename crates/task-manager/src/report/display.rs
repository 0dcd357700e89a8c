//! The report as text: one line that says it all, what went wrong, and who held the shutdown.

use std::{fmt, time::Duration};

use task_core::TaskReport;

use super::Report;
use crate::report::failure::Failure;

/// How many tasks and failures are shown.
const MOST_LINES: usize = 20;
/// How many lines of a backtrace are shown, two for each frame.
const MOST_FRAMES: usize = 128;
/// How many characters a bar has.
const BAR: usize = 24;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contents = &*self.0;
        let steps = contents.steps;
        let took = steps.ended.saturating_sub(steps.triggered);
        write!(f, "{} stopped in {}", contents.name, Seconds(took))?;
        if let Some(budget) = steps.budget {
            write!(f, " of {}", Seconds(budget))?;
        }
        let failures = contents.failures.len() as u64 + contents.omitted_failures;
        match failures {
            0 => f.write_str(", clean")?,
            1 => f.write_str(", 1 failure")?,
            many => write!(f, ", {many} failures")?,
        }
        write!(f, "; cause: {}", contents.cause.kind.text(&contents.repeated))?;
        for cause in &contents.later_triggers {
            let after = Seconds(cause.at.saturating_sub(steps.triggered));
            write!(f, "\n  also: {} (+{after})", cause.kind.text(&contents.repeated))?;
        }
        let later = contents.later_triggers.len();
        omitted(f, later as u64 + contents.omitted_triggers, later, "triggers")?;
        let drain = steps.stopping.saturating_sub(steps.triggered);
        let stop = steps.cleaning_up.saturating_sub(steps.stopping);
        let cleanup = steps.ended.saturating_sub(steps.cleaning_up);
        write!(
            f,
            "\n  drain {}, stop {}, cleanup {}",
            Seconds(drain),
            Seconds(stop),
            Seconds(cleanup)
        )?;
        write!(f, "; up {}", Seconds(steps.triggered))?;
        match contents.totals.started {
            1 => f.write_str("; 1 task in all")?,
            many => write!(f, "; {many} tasks in all")?,
        }
        for failure in contents.failures.iter().take(MOST_LINES) {
            write!(f, "\n  failure: {}", failure.text(&contents.repeated))?;
            if let Some(backtrace) = failure.backtrace().filter(|_| f.alternate()) {
                for line in backtrace.to_string().lines().take(MOST_FRAMES) {
                    write!(f, "\n    {line}")?;
                }
            }
        }
        omitted(f, failures, MOST_LINES.min(contents.failures.len()), "failures")?;
        self.timeline(f)
    }
}

impl Report {
    pub(crate) fn headline(&self, failure: &Failure) -> String {
        failure.headline(&self.0.repeated)
    }

    /// Writes one line per task that was alive: those that took longest to stop, in the order in which they ended.
    fn timeline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contents = &*self.0;
        let steps = contents.steps;
        let mut slowest: Vec<(usize, &TaskReport)> = contents.tasks.iter().enumerate().collect();
        slowest.sort_by_key(|(_, task)| std::cmp::Reverse(task.stop_took));
        slowest.truncate(MOST_LINES);
        slowest.sort_by_key(|(place, _)| *place);
        let slowest: Vec<_> = slowest.into_iter().map(|(_, task)| task).collect();
        let label = |task: &TaskReport| contents.repeated.label(&task.name, Some(task.id));
        let names = slowest.iter().map(|task| label(task));
        let cleanups = contents.cleanups.iter().take(MOST_LINES);
        let width = names
            .chain(cleanups.clone().map(|cleanup| cleanup.name.to_string()))
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0)
            .min(40);
        for task in &slowest {
            let asked =
                task.stop_took.map_or(task.ended_at, |took| task.ended_at.saturating_sub(took));
            let bar = self.bar(asked, task.ended_at);
            let took =
                task.stop_took.map_or_else(|| String::from("-"), |took| Seconds(took).to_string());
            write!(f, "\n  {:width$} |{bar}| {:9} {took:>8}", label(task), task.outcome)?;
            if let Some(status) = task.status.as_ref().filter(|_| !task.outcome.is_clean()) {
                write!(f, "  ({status})")?;
            }
        }
        let listed = contents.tasks.len() as u64 + contents.omitted_tasks;
        omitted(f, listed, slowest.len(), "tasks")?;
        for cleanup in cleanups {
            let bar = self.bar(cleanup.began_at, cleanup.began_at.saturating_add(cleanup.took));
            let outcome = cleanup.outcome.map_or("not run", |outcome| outcome.as_str());
            let took = Seconds(cleanup.took).to_string();
            write!(f, "\n  {:width$} |{bar}| {outcome:9} {took:>8}  cleanup", cleanup.name)?;
        }
        let listed = contents.cleanups.len() as u64 + contents.omitted_cleanups;
        omitted(f, listed, MOST_LINES.min(contents.cleanups.len()), "cleanups")?;
        debug_assert!(steps.ended >= steps.triggered || contents.tasks.is_empty());
        Ok(())
    }

    /// Draws from when to when something was being stopped, on the scale of the whole shutdown.
    fn bar(&self, from: Duration, to: Duration) -> String {
        let steps = self.0.steps;
        let whole = steps.ended.saturating_sub(steps.triggered).as_secs_f64();
        let column = |at: Duration| {
            let part = at.saturating_sub(steps.triggered).as_secs_f64();
            let share = if whole > 0.0 { part / whole } else { 0.0 };
            // In range by construction, and a cast saturates anyway.
            ((share * BAR as f64) as usize).min(BAR)
        };
        let begin = column(from).min(BAR - 1);
        let end = column(to).clamp(begin + 1, BAR);
        format!("{}{}{}", " ".repeat(begin), "=".repeat(end - begin), " ".repeat(BAR - end))
    }
}

fn omitted(f: &mut fmt::Formatter<'_>, all: u64, shown: usize, what: &str) -> fmt::Result {
    match all.saturating_sub(shown as u64) {
        0 => Ok(()),
        more => write!(f, "\n  … and {more} more {what}"),
    }
}

/// A length of time with the digits that matter.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let text = match self.0.as_millis() {
            0 => format!("{:.1} ms", seconds * 1e3),
            1..1_000 => format!("{:.0} ms", seconds * 1e3),
            1_000..100_000 => format!("{seconds:.2} s"),
            _ => format!("{seconds:.0} s"),
        };
        f.pad(&text)
    }
}
