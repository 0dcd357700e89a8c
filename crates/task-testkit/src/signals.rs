//! Signals of a script, in place of those of the system.

use std::{
    borrow::Cow,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use task_core::{Context, Escalation, Phase, Task};
use tokio::time::{Instant, sleep};

/// Repeats of a signal within this time of the last one that counted do not count.
const REPEAT_WINDOW: Duration = Duration::from_millis(250);

/// A signal of a script: [`TestGroup::signal_at`](crate::TestGroup::signal_at).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// `SIGINT`, which Ctrl-C sends.
    Int,
    /// `SIGTERM`.
    Term,
    /// `SIGQUIT`.
    Quit,
}

impl Signal {
    /// Returns the signal's name: `SIGTERM`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Int => "SIGINT",
            Self::Term => "SIGTERM",
            Self::Quit => "SIGQUIT",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The task that delivers them, with the name and the phase of the real one.
pub(crate) struct Signals {
    pub(crate) script: Vec<(Duration, Signal)>,
    pub(crate) line: Line,
}

/// Delivers a signal to the group, once the task is admitted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<Mutex<Delivered>>);

#[derive(Debug, Default)]
struct Delivered {
    ctx: Option<Context>,
    /// How often each signal arrived, and when it last counted.
    seen: Vec<(Signal, u64, Instant)>,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, Delivered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what the default ladder of a `SignalTask` does, except for its exit.
    pub(crate) fn deliver(&self, signal: Signal, now: Instant) {
        let mut state = self.state();
        let Some(ctx) = state.ctx.clone() else { return };
        let number = match state.seen.iter_mut().find(|(seen, ..)| *seen == signal) {
            Some((_, _, last)) if now < *last + REPEAT_WINDOW => return,
            Some((_, count, last)) => {
                (*count, *last) = (*count + 1, now);
                *count
            }
            None => {
                state.seen.push((signal, 1, now));
                1
            }
        };
        drop(state);
        ctx.record_signal(signal.as_str(), number);
        match (signal, number) {
            (Signal::Int, 2) => ctx.escalate(Escalation::Abort),
            (_, 1) => {}
            _ => return,
        }
        ctx.request_stop(format!("signal {signal}"));
        ctx.set_status(format!("received {signal}"));
    }
}

impl Task for Signals {
    fn name(&self) -> Cow<'static, str> {
        "signals".into()
    }

    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    /// Signals are delivered from here on, also after the end of the task.
    fn admitted(&mut self, ctx: &Context) {
        self.line.state().ctx = Some(ctx.clone());
        for (at, signal) in mem::take(&mut self.script) {
            let line = self.line.clone();
            tokio::spawn(async move {
                sleep(at).await;
                line.deliver(signal, Instant::now());
            });
        }
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        ctx.cancelled().await;
        Ok(())
    }
}
