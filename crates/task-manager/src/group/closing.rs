//! What follows the report, and what a `wait` waits for before it returns: the last beat of each
//! pulse, and telemetry.
//!
//! It runs on plain threads that were reserved before, so a blocked runtime does not hold it up,
//! and takes a limited time.

use std::borrow::Cow;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use task_core::scope::{
    Receiver, Wakers, channel, discard, guarded_name, guarded_text, reserve_threads, run_aside,
    run_with_timeout, write_stderr,
};
use task_core::{Panic, Step};

use super::{Shared, State};
use crate::report::{Length, Reason, Refused};
use crate::threads::PulseTimer;

/// How long the last beat of all pulses may take.
const LAST_BEAT_TIMEOUT: Duration = Duration::from_millis(250);
/// How many threads the end of a group takes for this, beside one for each flush.
pub(crate) const CLOSING_THREADS: usize = 1;
/// How long the line on stderr about telemetry may take.
const STDERR_TIMEOUT: Duration = Duration::from_millis(200);
/// How much earlier than at the end of the time a flush is to end by itself: this, or a tenth.
const MARGIN: Duration = Duration::from_millis(100);
/// How often a thread looks whether the last log line is written.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// Telemetry that is flushed after the report.
pub(crate) struct Flush {
    name: Cow<'static, str>,
    run: Box<dyn FnOnce(Duration) -> anyhow::Result<()> + Send>,
}

/// A flush that runs: its name, and what will be wrong with it.
type Running = (Cow<'static, str>, Receiver<Option<String>>);

/// What is left to do when the report is made.
pub(crate) struct Closing {
    pulses: Vec<Arc<PulseTimer>>,
    flushes: Vec<Flush>,
    /// How long the flushes have.
    time: Duration,
}

impl Shared {
    /// Registers a flush, or hands it back.
    pub(crate) fn add_flush<F>(
        self: &Arc<Self>,
        name: Cow<'static, str>,
        flush: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce(Duration) -> anyhow::Result<()> + Send + 'static,
    {
        // One for each, one that waits for them, and one for the line on stderr.
        let count = self.lock().flushes.len() + 1 + CLOSING_THREADS + 1;
        if reserve_threads(count).is_err() {
            return Err(Refused::new(flush, name, Reason::NoThread));
        }
        let mut state = self.lock();
        if !state.machine.add_telemetry(self.settings.telemetry()) {
            let has_ended = state.machine.step() == Step::Ended;
            drop(state);
            let reason = if has_ended { Reason::Ended } else { Reason::Stopping };
            return Err(Refused::new(flush, name, reason));
        }
        state.flushes.push(Flush { name, run: Box::new(flush) });
        Ok(())
    }
}

impl Closing {
    /// Takes what is to be done off the state. `None` if that is nothing.
    pub(crate) fn take(state: &mut State) -> Option<Self> {
        let pulses: Vec<_> = state.pulses.iter().filter_map(Weak::upgrade).collect();
        let flushes = std::mem::take(&mut state.flushes);
        let is_nothing = pulses.is_empty() && flushes.is_empty();
        (!is_nothing).then(|| Self { pulses, flushes, time: state.machine.telemetry() })
    }

    /// Does it on another thread.
    pub(crate) fn start(self, group: &Arc<Shared>) {
        let closed = Closed(Arc::clone(group));
        let job = run_aside(move || {
            self.run(&closed.0);
            drop(closed);
        });
        // There is a thread; should it be gone, what is dropped here is the user's.
        discard(job);
    }

    fn run(self, group: &Shared) {
        let began = Instant::now();
        let beats: Vec<_> = self.pulses.iter().map(PulseTimer::ask).collect();
        if !self.flushes.is_empty() {
            flush(group, self.flushes, began, self.time);
        }
        for beat in beats {
            // Nothing is sent: the sender is dropped after the beat.
            let _ = beat.recv_timeout(left_until(began + LAST_BEAT_TIMEOUT));
        }
    }
}

/// Runs all flushes at once, when the last log line is written, so that they have it, or a quarter
/// of their time is over. What is wrong with them is one line on stderr: the log would not be
/// flushed any more.
fn flush(group: &Shared, flushes: Vec<Flush>, began: Instant, time: Duration) {
    while group.logged.get() == 0 && began.elapsed() < time / 4 {
        thread::sleep(LOOK_INTERVAL);
    }
    let until = began + time;
    let running: Vec<Running> = flushes.into_iter().map(|flush| flush.start(until)).collect();
    let problems = running.into_iter().filter_map(|(name, result)| {
        let problem = match result.recv_timeout(left_until(until)) {
            Ok(problem) => problem?,
            Err(RecvTimeoutError::Timeout) => format!("did not end within {}", Length(time)),
            Err(RecvTimeoutError::Disconnected) => "had no thread to run on".into(),
        };
        Some(format!("`{}` {problem}", guarded_name(&name)))
    });
    let problems: Vec<_> = problems.collect();
    if !problems.is_empty() {
        let line = format!("{}: telemetry {}", guarded_name(&group.name), problems.join("; "));
        run_with_timeout(STDERR_TIMEOUT, move || write_stderr(&line));
    }
}

impl Flush {
    /// Runs it on another thread.
    fn start(self, until: Instant) -> Running {
        let Self { name, run } = self;
        let (sender, result) = channel();
        let job = run_aside(move || {
            let left = left_until(until);
            let problem = match Panic::catch(|| run(left - MARGIN.min(left / 10))) {
                Ok(Ok(())) => None,
                Ok(Err(error)) => {
                    let text = guarded_text(format_args!("{error:#}"));
                    discard(error);
                    Some(format!("failed: {text}"))
                }
                Err(panic) => Some(panic.to_string()),
            };
            let _ = sender.send(problem);
        });
        // There is a thread; should it be gone, what is dropped here is the user's.
        discard(job);
        (name, result)
    }
}

fn left_until(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

/// Lets every `wait` return when it is dropped.
struct Closed(Arc<Shared>);

impl Drop for Closed {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        wakers.append(self.0.closed.raise_quietly(1));
        wakers.wake();
    }
}
