//! What the end of a run means for the task.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use task_core::{
    Cancelled, Context, Panic,
    scope::{catch, discard},
};

use crate::{
    Restart, RunStillHeld, RunTimedOut,
    attempt::{Asked, Ended, How, Limits},
    failure::Failure,
    options::Options,
    policy::Policy,
    rt::Instant,
    run::Run,
    shared::Shared,
    tally::{Failed, Tally},
};

/// What follows a run.
pub(crate) enum Verdict {
    /// The task ends like this.
    End(anyhow::Result<()>),
    /// Another run follows, after this wait.
    Again(Duration),
}

pub(crate) struct Judge {
    ctx: Context,
    shared: Arc<Shared>,
    pub(crate) options: Options,
    policy: Policy,
    tally: Tally,
    random: fastrand::Rng,
    began: Instant,
    /// When the last run ended, as time since the task began.
    now: Duration,
    /// The last failure, as far as it is kept. One buffer for all.
    text: String,
}

impl Judge {
    pub(crate) fn new(options: Options, ctx: Context, shared: Arc<Shared>) -> Self {
        let Options { backoff, limit, stable_after, seed, .. } = options;
        Self {
            policy: Policy::new(backoff, limit, stable_after),
            tally: Tally::new(ctx.clone()),
            random: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            began: Instant::now(),
            now: Duration::ZERO,
            text: String::new(),
            ctx,
            shared,
            options,
        }
    }

    /// Returns the limits of the next run.
    pub(crate) fn limits(&self) -> Limits {
        let Options { run_timeout, run_stop_timeout, stable_after, .. } = self.options;
        Limits {
            timeout: run_timeout,
            stop_timeout: run_stop_timeout,
            stable_after: self.tally.is_down().then_some(stable_after),
        }
    }

    /// Counts a run that begins after another.
    pub(crate) fn again(&self) {
        self.ctx.record_restart();
        self.tally.again();
    }

    /// Reports that the run at hand is up.
    pub(crate) fn up(&mut self) {
        self.tally.up(Instant::now().saturating_duration_since(self.began));
    }

    /// Judges a run that ended while the task is being stopped: its end is that of the task.
    pub(crate) fn stopped(&self, run: &Run, how: How, asked: Option<Asked>) -> anyhow::Result<()> {
        if let Some(panic) = run.take_panic() {
            self.ctx.fail_by_panic(panic);
        }
        match how {
            How::Returned(result) => result,
            How::Panicked(payload) => resume_unwind(payload),
            How::Dropped => Err(self.dropped(asked)),
        }
    }

    /// Judges a run that ended by itself, or was asked to end alone.
    pub(crate) fn judge(
        &mut self,
        run: &Run,
        Ended { how, asked, .. }: Ended,
        began: Instant,
        ended_at: Instant,
    ) -> Verdict {
        let (run, panic) = (run.number(), run.take_panic());
        let ran = ended_at.saturating_duration_since(began);
        self.now = ended_at.saturating_duration_since(self.began);
        if let Some(panic) = panic {
            self.beside_panic(&panic, how);
            return self.failed(run, Failure::Panic(panic), asked, ran);
        }
        let is_clean = match &how {
            How::Returned(Ok(())) => true,
            How::Returned(Err(error)) => asked.is_some() && is_cancelled(error),
            How::Panicked(_) | How::Dropped => false,
        };
        let failure = match (how, asked) {
            (how, None) if is_clean => {
                discard(how);
                return self.completed(run);
            }
            (how, Some(Asked::Wanted)) if is_clean => {
                discard(how);
                self.tally.wanted(run, &self.shared.take_reason());
                return Verdict::Again(Duration::ZERO);
            }
            (how, Some(Asked::TimedOut(limit))) if is_clean => {
                discard(how);
                Failure::Error(RunTimedOut::new(limit).into())
            }
            (How::Returned(result), asked) => {
                let error = result.err().unwrap_or_else(|| Cancelled.into()); // an error, see above
                match (Failure::from_error(error), asked) {
                    (Failure::Error(error), Some(Asked::TimedOut(limit))) => {
                        Failure::Error(error.context(RunTimedOut::new(limit)))
                    }
                    (failure, _) => failure,
                }
            }
            (How::Panicked(payload), _) => Failure::from_payload(payload),
            (How::Dropped, asked) => Failure::Error(self.dropped(asked)),
        };
        self.failed(run, failure, asked, ran)
    }

    fn failed(
        &mut self,
        run: u64,
        failure: Failure,
        asked: Option<Asked>,
        ran: Duration,
    ) -> Verdict {
        failure.write(&mut self.text);
        if asked == Some(Asked::Wanted) {
            self.tally.wanted(run, &self.shared.take_reason());
            return self.survive(run, failure, ran, Duration::ZERO);
        }
        if let Failure::Error(error) = &failure
            && let Some(is_fatal) = &self.options.fatal_if
            && catch(|| is_fatal(error)).unwrap_or(false)
        {
            return Verdict::End(Err(failure.into_error()));
        }
        let random = self.random.u64(..);
        match self.policy.failed(self.now, ran, &self.text, random) {
            Ok(wait) => self.survive(run, failure, ran, wait),
            Err(too_many) => Verdict::End(Err(failure.into_error().context(too_many))),
        }
    }

    /// Records how a run ended of which a thread had panicked, unless it is that panic, or what the
    /// run was asked for because of it.
    fn beside_panic(&self, panic: &Panic, how: How) {
        let failure = match how {
            How::Returned(Err(error)) if !is_cancelled(&error) => Failure::Error(error),
            How::Panicked(payload) => match Failure::from_payload(payload) {
                Failure::Panic(same) if same.message == panic.message => return,
                failure => failure,
            },
            how => return discard(how),
        };
        failure.survive(&self.ctx, true);
    }

    /// Reports a panic of the drop of a run that had failed.
    pub(crate) fn beside(&mut self, payload: Box<dyn std::any::Any + Send>) {
        let failure = Failure::from_payload(payload);
        failure.survive(&self.ctx, true);
    }

    /// Returns the error of a task whose run has ended, but something of it has not.
    pub(crate) fn still_held(&mut self, run: u64) -> anyhow::Error {
        let reason = std::mem::take(&mut self.text);
        RunStillHeld::new(run, self.options.run_stop_timeout, reason).into()
    }

    fn completed(&mut self, run: u64) -> Verdict {
        match self.options.on {
            Restart::OnFailure => Verdict::End(Ok(())),
            Restart::Always => {
                self.tally.up(self.now);
                let wait = self.policy.completed(self.random.u64(..));
                self.tally.completed(run, wait);
                Verdict::Again(wait)
            }
        }
    }

    fn survive(&mut self, run: u64, failure: Failure, ran: Duration, next_in: Duration) -> Verdict {
        failure.survive(&self.ctx, self.shared.records_failures());
        let (error, in_a_row) = (&*self.text, self.policy.in_a_row());
        self.tally.failed(self.now, &Failed { run, error, ran, in_a_row, next_in });
        Verdict::Again(next_in)
    }

    fn dropped(&self, asked: Option<Asked>) -> anyhow::Error {
        let limit = self.options.run_stop_timeout;
        match asked {
            Some(Asked::TimedOut(limit)) => RunTimedOut::new(limit).into(),
            Some(Asked::Wanted | Asked::Panicked) | None => {
                anyhow::anyhow!("run did not end within {limit:?} for a restart, and was dropped")
            }
        }
    }
}

/// By type and not by text, as for every task. The error's own code may panic.
fn is_cancelled(error: &anyhow::Error) -> bool {
    catch(|| Cancelled::is_outermost_in(error)).unwrap_or(false)
}
