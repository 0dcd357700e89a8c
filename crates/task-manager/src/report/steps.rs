//! One line for each step and phase: how long it took, how long it might, and who took it.

use std::time::Duration;

use task_core::{CleanupReport, Outcome, TaskReport};

use super::length::Length;
use super::phase::Name;
use super::{Contents, PhaseReport, StepTimes, sort_by_key};

/// How many phases are shown.
const MOST_PHASES: usize = 10;

/// A step or a phase.
pub(super) struct StepLine {
    label: String,
    took: Duration,
    budget: Option<Duration>,
    /// Who ended last, and how, if not cleanly; of the cleanups, the one that took longest.
    who: String,
}

impl Contents {
    /// Returns the lines of what was there: a drain that took or was to take some time, the phases
    /// that had tasks, the cleanups. Beyond the limit, phases that took least are left out.
    pub(super) fn step_lines(&self) -> Vec<StepLine> {
        let mut lines = Vec::new();
        let StepTimes { triggered, stopping, cleaning_up, ended, .. } = self.steps;
        let drain = stopping.saturating_sub(triggered);
        let StepTimes { drain_budget, cleanup_budget, .. } = self.steps;
        if !drain.is_zero() || drain_budget.is_some_and(|budget| !budget.is_zero()) {
            let label = String::from("drain");
            lines.push(StepLine { label, took: drain, budget: drain_budget, who: String::new() });
        }
        let mut shortest: Vec<_> = self.phases.iter().map(took).collect();
        sort_by_key(&mut shortest, Duration::as_nanos);
        let beyond = self.phases.len().saturating_sub(MOST_PHASES);
        let least = shortest.get(beyond).copied().unwrap_or_default();
        let shown = self.phases.iter().filter(|phase| took(phase) >= least).take(MOST_PHASES);
        lines.extend(shown.map(|phase| StepLine {
            label: format!("phase {}", Name(phase.phase)),
            took: took(phase),
            budget: phase.budget,
            who: self.last_of(phase),
        }));
        if !self.cleanups.is_empty() {
            let slowest = self.cleanups.iter().max_by_key(|cleanup| cleanup.took);
            lines.push(StepLine {
                label: String::from("cleanups"),
                took: ended.saturating_sub(cleaning_up),
                budget: cleanup_budget,
                who: slowest.map(|slowest| self.cleanup_ended(slowest)).unwrap_or_default(),
            });
        }
        lines
    }

    /// Returns how many phases have no line.
    pub(super) fn phases_beyond(&self) -> u64 {
        self.phases.len().saturating_sub(MOST_PHASES) as u64
    }

    /// Returns the task that ended last, how it ended if not cleanly, and how many ended like it at
    /// that instant.
    fn last_of(&self, phase: &PhaseReport) -> String {
        let Some(last) = &phase.last else { return String::new() };
        let is_beside = |task: &&TaskReport| {
            (task.phase, task.ended_at, task.outcome) == (last.phase, last.ended_at, last.outcome)
        };
        let label = self.repeated.label(&last.name, Some(last.id));
        let more = match self.tasks.iter().filter(is_beside).count().saturating_sub(1) {
            0 => String::new(),
            _ if last.outcome.is_clean() => String::new(),
            more => format!(" and {more} more"),
        };
        ended(&format!("{label}{more}"), Some(last.outcome))
    }

    fn cleanup_ended(&self, cleanup: &CleanupReport) -> String {
        ended(&self.repeated.label(&cleanup.name, None), cleanup.outcome)
    }
}

fn took(phase: &PhaseReport) -> Duration {
    phase.ended_at.saturating_sub(phase.stopped_at)
}

fn ended(label: &str, outcome: Option<Outcome>) -> String {
    match outcome {
        Some(outcome) if outcome.is_clean() => String::from(label),
        Some(outcome) => format!("{label} ({outcome})"),
        None => format!("{label} (not run)"),
    }
}

impl StepLine {
    /// Returns the lines as a table.
    pub(super) fn table(lines: &[Self]) -> Vec<String> {
        let budget = |line: &Self| line.budget.map(|budget| Length(budget).to_string());
        let widest = |width: &dyn Fn(&Self) -> usize| lines.iter().map(width).max().unwrap_or(0);
        let label_width = widest(&|line| line.label.len());
        let took_width = widest(&|line| Length(line.took).to_string().len());
        let budget_width = widest(&|line| budget(line).map_or(0, |budget| budget.len()));
        let text = |line: &Self| {
            let Self { label, took, who, .. } = line;
            let took = Length(*took);
            let budget = match budget(line) {
                Some(budget) => format!("of {budget:>budget_width$}"),
                None => " ".repeat(budget_width + 3),
            };
            let text = format!("{label:label_width$}  {took:>took_width$} {budget}  {who}");
            String::from(text.trim_end())
        };
        lines.iter().map(text).collect()
    }

    /// Returns the same in a list: `phase WORK 19.25 s of 19.00 s, exporter (abandoned)`.
    pub(super) fn brief(&self) -> String {
        let Self { label, took, budget, who } = self;
        let budget = budget.map(|budget| format!(" of {}", Length(budget))).unwrap_or_default();
        let who = if who.is_empty() { String::new() } else { format!(", {who}") };
        format!("{label} {}{budget}{who}", Length(*took))
    }
}
