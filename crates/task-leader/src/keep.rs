//! The shell of the machine: carries out its requests, and reports what changes.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use task_core::Context;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::{
    RegisterError, Times,
    clock::At,
    machine::{Machine, Purpose, Step},
    register::Register,
    shared::Shared,
    stats::Tally,
};

/// Stands for never: the loop looks again, and waits again.
const NEVER: Duration = Duration::from_secs(3600);

/// Does what the machine asks for, until it asks for nothing any more.
pub(crate) async fn keep(mut register: impl Register, shared: Arc<Shared>, ctx: Context) {
    let mut reporter =
        Reporter { ctx, shared: Arc::clone(&shared), down: None, shown: None, is_ready: false };
    let attempt = shared.with(|machine, _| machine.times().attempt());
    register.set_limit(attempt);
    // Whether a change was heard of since the last read. More of them say nothing new.
    let mut has_heard = false;
    loop {
        let nudges = shared.nudges.get();
        let (step, now) = shared.with(|machine, now| (machine.step(now), now));
        reporter.look();
        match step {
            Step::Over => return,
            Step::Wait(until) => {
                let wait = until.map_or(NEVER, |until| until.saturating_sub(now));
                if pause(&shared, nudges, wait, &mut register, has_heard).await {
                    has_heard = true;
                    shared.with(Machine::changed);
                }
            }
            Step::Read => {
                has_heard = false;
                let answer = limited(attempt, register.read()).await;
                reporter.attempted(answer.as_ref().err());
                shared.with(|machine, now| machine.read(now, answer.ok()));
            }
            Step::Write(purpose, record, old) => {
                // Before the request: the validity counts from here.
                let sent = shared.clock.now();
                let answer = limited(attempt, register.write(&record, old.as_ref())).await;
                reporter.attempted(answer.as_ref().err());
                if purpose == Purpose::Renew && answer.is_ok() {
                    let took = shared.clock.now().saturating_sub(sent).as_micros();
                    let took = u64::try_from(took).unwrap_or(u64::MAX);
                    shared.tally.renewal_micros.store(took, Relaxed);
                }
                shared.with(|machine, now| {
                    machine.wrote(purpose, record, old, sent, now, answer.ok());
                });
                move_fuse(&shared);
            }
        }
    }
}

/// Moves the end of the process to just before the end of the lease, as it was renewed.
fn move_fuse(shared: &Shared) {
    let lead = shared.with(|machine, _| if machine.is_lost() { None } else { machine.lead() });
    if let (Some((_, end)), Some(run)) = (lead, shared.current()) {
        run.move_fuse(shared.fuse_instant(end.saturating_sub(Times::EXIT_TIME)));
    }
}

async fn limited<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, RegisterError>>,
) -> Result<T, RegisterError> {
    let no_answer = |_| RegisterError::new(format!("no answer within {limit:?}"));
    timeout(limit, request).await.map_err(no_answer)?
}

/// Waits. Returns whether the register may have changed.
async fn pause(
    shared: &Shared,
    nudges: u64,
    wait: At,
    register: &mut impl Register,
    has_heard: bool,
) -> bool {
    let mut elapsed = pin!(sleep(wait));
    let mut nudged = pin!(shared.nudges.reached(nudges + 1));
    let mut changed = pin!(register.changed());
    poll_fn(|cx| {
        if nudged.as_mut().poll(cx).is_ready() || elapsed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        if has_heard { Poll::Pending } else { changed.as_mut().poll(cx).map(|()| true) }
    })
    .await
}

/// Says in status and log what is new.
struct Reporter {
    ctx: Context,
    shared: Arc<Shared>,
    /// Since when the register cannot be reached.
    down: Option<At>,
    shown: Option<(String, u64, bool)>,
    is_ready: bool,
}

impl Reporter {
    fn attempted(&mut self, error: Option<&RegisterError>) {
        let (lock, now) = (&self.shared.lock, self.shared.clock.now());
        match (error, self.down) {
            (Some(error), since) => {
                Tally::count(&self.shared.tally.failed_attempts);
                let error = error.line();
                let for_seconds = now.saturating_sub(*self.down.get_or_insert(now)).as_secs_f64();
                if since.is_none() {
                    warn!(target: "task", lock, error, "cannot reach the lock");
                }
                let text = format!("cannot reach the lock for {for_seconds:.1} s: {error}");
                match self.shared.current() {
                    Some(_) => self.ctx.set_status(format!("leads, but {text}")),
                    None => self.ctx.set_status(text),
                }
                self.shown = None; // the status is no longer what it says
            }
            (None, Some(since)) => {
                self.down = None;
                let after = now.saturating_sub(since).as_secs_f64();
                info!(target: "task", lock, after, "reaches the lock again");
            }
            (None, None) => {}
        }
    }

    /// Shows who leads, if that has changed.
    fn look(&mut self) {
        let shared = &self.shared;
        let (found, has_answered) = shared.with(|machine, _| {
            let leads = machine.lead().map(|(term, _)| (machine.identity().to_owned(), term, true));
            let follows = || machine.holder().map(|(name, term)| (name.to_owned(), term, false));
            (leads.or_else(follows), machine.has_answered)
        });
        if has_answered && !self.is_ready {
            self.is_ready = true;
            self.ctx.set_ready(true);
        }
        if self.down.is_some() || found == self.shown {
            return;
        }
        match &found {
            Some((_, term, true)) => self.ctx.set_status(format!("leads, term {term}")),
            Some((holder, term, false)) => {
                info!(target: "task", lock = shared.lock, holder, term, "follows");
                self.ctx.set_status(format!("follows {holder}, term {term}"));
            }
            None => self.ctx.set_status("nobody leads"),
        }
        self.shown = found;
        shared.changes.bump();
    }
}
