//! What the alarm is set to, what the deadline thread does when a deadline has passed, and the hard
//! exit.

use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::Step;
use task_core::scope::{
    Aside, guarded_name, run_aside, run_with_timeout, write_ending_message, write_stderr,
};

use super::{Role, Shared, Turn, add_living_names};
use crate::report::headline;
use crate::threads::{Deadlines, Times, offload};

/// How long after the shutdown timeout the process ends, if it is to; or after the report, where a
/// setup that was abandoned keeps it from being taken.
pub(crate) const HARD_EXIT_DELAY: Duration = Duration::from_secs(1);
/// How long the line on stderr and the message in a file may take at a hard exit, and then the exit
/// handlers of the C library. Both are much longer than that takes on a busy machine, since the
/// abort that follows has another exit code than the one asked for.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(200);
const EXIT_HANDLERS_TIMEOUT: Duration = Duration::from_secs(1);
/// How many threads a hard exit runs these on, while the deadline thread watches them, but for the
/// message in a file, which takes one more.
pub(crate) const EXIT_THREADS: usize = 2;

impl Turn<'_> {
    /// Returns what the alarm is to be set to.
    pub(crate) fn times(&self) -> Times {
        let machine = &self.state.machine;
        let is_over = machine.step() == Step::Ended;
        let mut abandoned = self.state.abandoned.values();
        let end = if is_over && abandoned.any(|entry| entry.role == Role::Setup) {
            // Who would take the report is blocked in the setup.
            Some(machine.step_began())
        } else {
            machine.plan().and_then(|plan| plan.end)
        };
        let end = end.filter(|_| self.group.settings.hard_exit.is_some());
        Times {
            next: machine.next_due(),
            hard_exit: end
                .map(|end| end.saturating_add(machine.telemetry()).saturating_add(HARD_EXIT_DELAY)),
            is_over,
        }
    }
}

impl Deadlines for Shared {
    /// Decides under the lock what is due, and has it carried out on offload threads. Wakers are a
    /// job of their own, so that one that blocks keeps no task from being aborted. The last job
    /// takes the reference along, which must not be dropped on the deadline thread.
    fn deadline_passed(self: Arc<Self>) {
        if self.alarm.is_hard_exit_due() {
            self.hard_exit();
        }
        let mut effects = self.turn().decide();
        let (wakers, has_lines) = (std::mem::take(&mut effects.wakers), effects.has_lines);
        if !wakers.is_empty() {
            offload::run(Box::new(|| wakers.wake()));
        }
        offload::run(Box::new(move || {
            effects.carry_out(&self);
            if self.turn().run() || has_lines {
                offload::log(Box::new(move || self.write_log()));
            }
        }));
    }
}

impl Shared {
    /// Ends the process, with a line on stderr and the report, if there is one, unless that blocks;
    /// by an abort, should the exit handlers block as well.
    fn hard_exit(self: &Arc<Self>) {
        let Some(code) = self.settings.hard_exit else { return };
        let (name, mut names) = (guarded_name(&self.name), Vec::new());
        add_living_names(&mut names, self, "");
        let alive = if names.is_empty() { "none".into() } else { names.join(", ") };
        let report = self.report.get().cloned();
        let what = match report {
            Some(_) => "the report of the shutdown was not taken in time",
            None => "the shutdown did not end in time",
        };
        let line = format!("{name}: hard exit with code {code}: {what}; alive: {alive}");
        let output_end = Instant::now() + OUTPUT_TIMEOUT;
        let message = self.write_message(code, &line);
        run_with_timeout(OUTPUT_TIMEOUT, move || {
            write_stderr(&line);
            // Its errors are the user's code, and may block.
            if let Some(report) = report {
                write_stderr(&report.to_string());
            }
        });
        if let Some(message) = message {
            message.wait(output_end.saturating_duration_since(Instant::now()));
        }
        run_with_timeout(EXIT_HANDLERS_TIMEOUT, move || process::exit(code.into()));
        process::abort();
    }

    /// Writes the message of a hard exit, if there is a file for it. That may block, in the file
    /// system or in the errors of a report: what needs none of these is written first.
    fn write_message(&self, code: u8, line: &str) -> Option<Aside> {
        let path = self.settings.termination_log.clone()?;
        let report = self.report.get().cloned();
        let first = match &report {
            Some(report) => report.ending_headline(code),
            None => {
                let state = self.lock();
                headline(code, state.record.cause.as_ref(), &state.tally.repeated())
            }
        };
        let head = format!("{first}\n{line}");
        let write = move || {
            let _ = write_ending_message(&path, &head);
            if let Some(report) = report {
                let _ = write_ending_message(&path, head + &report.ending_details());
            }
        };
        // To drop a report could block.
        run_aside(write).map_err(std::mem::forget).ok()
    }
}
