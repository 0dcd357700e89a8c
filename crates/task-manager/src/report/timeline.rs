//! The timeline: a bar for each task that was slow or did not end cleanly, and for each cleanup;
//! and one line for the other tasks.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use task_core::scope::guarded_name;
use task_core::{CleanupReport, Outcome, TaskReport};

use super::Contents;
use super::display::{MOST_LINES, write_omitted};
use super::length::Length;
use super::sort_by_key;

/// How many characters a bar has.
const BAR: usize = 24;
/// How far names are padded; one that is longer takes its room on its own line only.
const WIDEST_NAME: usize = 40;
/// A task that took less than this, or than a tenth of the shutdown, was not slow.
const LEAST_SLOW: Duration = Duration::from_millis(100);
/// How many names of the other tasks are shown.
const MOST_NAMES: usize = 8;

/// A bar with what stands beside it. Those that look the same are one row.
pub(super) struct Row {
    label: String,
    /// How many more are in the row.
    more: usize,
    bar: String,
    outcome: &'static str,
    is_clean: bool,
    took: Duration,
    /// Empty or the same for all in the row.
    note: String,
    /// The place of the first in the order of the ends.
    place: usize,
}

/// The rows, and what has none.
pub(super) struct Rows<'a> {
    tasks: Vec<Row>,
    cleanups: Vec<Row>,
    other_tasks: Vec<&'a TaskReport>,
    /// How many cleanups there was no room for.
    other_cleanups: usize,
}

impl Rows<'_> {
    pub(super) fn shown(&self) -> impl Iterator<Item = &Row> {
        self.tasks.iter().chain(&self.cleanups)
    }
}

impl Contents {
    pub(super) fn rows(&self) -> Rows<'_> {
        let (mut folded, mut other_tasks) = (Vec::<(Row, Vec<&TaskReport>)>::new(), Vec::new());
        // Thousands may have a bar, each with a status of its own.
        let mut alike = HashMap::new();
        for (place, task) in self.tasks.iter().enumerate() {
            if !self.has_bar(task) {
                other_tasks.push(task);
                continue;
            }
            let row = self.task_row(place, task);
            let like = *alike.entry(row.looks()).or_insert(folded.len());
            match folded.get_mut(like) {
                Some((other, tasks)) => {
                    other.add(&row);
                    tasks.push(task);
                }
                None => folded.push((row, vec![task])),
            }
        }
        // Where there is no room for all, the quickest are left to the others.
        sort_by_key(&mut folded, |(row, _)| !row.took.as_nanos());
        let beyond = folded.split_off(folded.len().min(MOST_LINES));
        other_tasks.extend(beyond.into_iter().flat_map(|(_, tasks)| tasks));
        sort_by_key(&mut folded, |(row, _)| row.place as u128);
        let mut cleanups = Vec::<Row>::new();
        for (place, cleanup) in self.cleanups.iter().enumerate() {
            let row = self.cleanup_row(place, cleanup);
            match cleanups.last_mut().filter(|last| last.looks() == row.looks()) {
                Some(last) => last.add(&row),
                None => cleanups.push(row),
            }
        }
        let beyond = cleanups.split_off(cleanups.len().min(MOST_LINES));
        let other_cleanups = beyond.iter().map(|row| row.more + 1).sum();
        let tasks = folded.into_iter().map(|(row, _)| row).collect();
        Rows { tasks, cleanups, other_tasks, other_cleanups }
    }

    pub(super) fn write_timeline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let width = rows.shown().map(|row| row.label().chars().count()).max().unwrap_or(0);
        for row in rows.shown() {
            write!(f, "\n  {}", row.text(width.min(WIDEST_NAME)))?;
        }
        write_omitted(f, rows.other_cleanups as u64 + self.omitted_cleanups, "cleanups")?;
        self.write_others(f, rows.other_tasks)
    }

    /// Writes how many tasks have no bar, the longest that one of them took, and names.
    fn write_others(
        &self,
        f: &mut fmt::Formatter<'_>,
        mut others: Vec<&TaskReport>,
    ) -> fmt::Result {
        let count = others.len() as u64 + self.omitted_tasks;
        if count == 0 {
            return Ok(());
        }
        // One that was not asked to stop comes last.
        let stop_took = |task: &&TaskReport| task.stop_took.map_or(0, |took| took.as_nanos() + 1);
        sort_by_key(&mut others, |task| !stop_took(task));
        let nouns = if count == 1 { "task" } else { "tasks" };
        write!(f, "\n  {count} other {nouns}")?;
        if let Some(longest) = others.first().and_then(|task| task.stop_took) {
            write!(f, " took at most {} to stop", Length(longest))?;
        }
        let names: Vec<_> = others.iter().take(MOST_NAMES).map(|task| self.named(task)).collect();
        if !names.is_empty() {
            let more = if count > names.len() as u64 { ", …" } else { "" };
            write!(f, ": {}{more}", names.join(", "))?;
        }
        Ok(())
    }

    /// Returns whether a task was slow to stop, or did not end cleanly after it was asked to.
    fn has_bar(&self, task: &TaskReport) -> bool {
        task.stop_took.is_some_and(|took| took >= self.slow() || !task.outcome.is_clean())
    }

    /// Returns from when on a task or a cleanup was slow.
    pub(super) fn slow(&self) -> Duration {
        LEAST_SLOW.max(self.took() / 10)
    }

    fn named(&self, task: &TaskReport) -> String {
        let label = self.repeated.label(&task.name, Some(task.id));
        match restarted(task) {
            note if note.is_empty() => label,
            note => format!("{label} ({note})"),
        }
    }

    fn task_row(&self, place: usize, task: &TaskReport) -> Row {
        let took = task.stop_took.unwrap_or_default();
        let status = task.status.as_ref().filter(|_| !task.outcome.is_clean());
        let status = status.map(|status| format!("({})", guarded_name(status)));
        let again = Some(restarted(task)).filter(|again| !again.is_empty());
        let notes: Vec<_> = again.into_iter().chain(status).collect();
        Row {
            label: self.repeated.label(&task.name, Some(task.id)),
            more: 0,
            bar: self.bar(task.ended_at.saturating_sub(took), task.ended_at),
            outcome: task.outcome.as_str(),
            is_clean: task.outcome.is_clean(),
            took,
            note: notes.join("  "),
            place,
        }
    }

    fn cleanup_row(&self, place: usize, cleanup: &CleanupReport) -> Row {
        Row {
            label: guarded_name(&cleanup.name),
            more: 0,
            bar: self.bar(cleanup.began_at, cleanup.began_at.saturating_add(cleanup.took)),
            outcome: cleanup.outcome.map_or("not run", |outcome| outcome.as_str()),
            is_clean: cleanup.outcome.is_some_and(Outcome::is_clean),
            took: cleanup.took,
            note: String::from("cleanup"),
            place,
        }
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
}

impl Row {
    /// Returns whether it was slow or unclean, and not only a cleanup.
    pub(super) fn is_notable(&self, slow: Duration) -> bool {
        self.took >= slow || !self.is_clean
    }

    /// Returns all that is shown but the name and the exact time.
    fn looks(&self) -> (&'static str, String, String) {
        (self.outcome, self.bar.clone(), self.note.clone())
    }

    fn add(&mut self, other: &Self) {
        self.more += 1;
        self.took = self.took.max(other.took);
    }

    fn label(&self) -> String {
        match self.more {
            0 => self.label.clone(),
            more => format!("{} and {more} more", self.label),
        }
    }

    fn took(&self) -> String {
        match self.more {
            0 => Length(self.took).to_string(),
            _ => format!("≤ {}", Length(self.took)),
        }
    }

    fn text(&self, width: usize) -> String {
        let Self { bar, outcome, note, .. } = self;
        let line =
            format!("{:width$} |{bar}| {outcome:9} {:>8}  {note}", self.label(), self.took());
        String::from(line.trim_end())
    }

    /// Returns the same in a list and without a bar: `exporter abandoned 19.25 s (status)`.
    pub(super) fn brief(&self) -> String {
        let line = format!("{} {} {} {}", self.label(), self.outcome, self.took(), self.note);
        String::from(line.trim_end())
    }
}

fn restarted(task: &TaskReport) -> String {
    match task.restarts {
        0 => String::new(),
        1 => String::from("restarted once"),
        more => format!("restarted {more} times"),
    }
}
