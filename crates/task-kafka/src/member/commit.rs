//! Commits of the stored offsets, with a time limit, which librdkafka does not offer.
//!
//! During a rebalance, brokers refuse commits for a moment. A refused commit has to be retried: the
//! next owner of a partition starts at the last committed offset, so it repeats every message since
//! then.
//!
//! All commits are synchronous, on dedicated threads. The outcome of an asynchronous one cannot be
//! observed: since 2.12 librdkafka reports it to a callback only, while rdkafka 0.39 expects an
//! event.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed, mpsc},
    thread,
    time::{Duration, Instant as StdInstant},
};

use anyhow::{Context as _, anyhow};
use rdkafka::{
    consumer::{CommitMode, Consumer as _},
    error::{KafkaResult, RDKafkaErrorCode},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout, timeout_at};

use super::Consumer;
use crate::{
    error::{cause, fault},
    faults::{Budget, Fault},
    thread::on_thread,
};

/// How long a rebalance callback retries a commit. The consumer is not polled meanwhile, so a
/// rebalance that needs this member to join again cannot end before.
const CALLBACK_RETRY_TIMEOUT: Duration = Duration::from_millis(500);

/// Why a commit has no outcome.
pub(crate) const NOT_IN_TIME: &str = "the brokers did not answer in time";
/// The context of a commit's error.
const REFUSED: &str = "the brokers refused";

/// What a commit that succeeded has done.
enum Committed {
    /// Offsets were committed.
    Offsets,
    /// No offset was stored since the last commit.
    Nothing,
}

/// Commits the stored offsets at this interval, until it is dropped, or a commit is refused for
/// good or for `retry_timeout`, or has not returned within `limit`. librdkafka has no limit of its
/// own for it.
pub(crate) async fn keep_committing(
    consumer: Arc<Consumer>,
    interval: Duration,
    limit: Duration,
    retry_timeout: Duration,
) -> anyhow::Error {
    let mut clock = interval_at(Instant::now() + interval, interval);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut budget = Budget::new(retry_timeout);
    loop {
        clock.tick().await;
        if !consumer.native().context().take_stored() {
            continue;
        }
        let committed = on_thread("kafka-commit", {
            let consumer = Arc::clone(&consumer);
            move || commit_once(&consumer)
        });
        let error = match timeout(limit, committed).await {
            Ok(Ok(Ok(_))) => {
                budget.moved();
                continue;
            }
            Ok(Ok(Err(error))) => {
                let is_permanent = match fault(&error) {
                    Fault::Passes => false,
                    Fault::PassesWithin => budget.is_spent_by(StdInstant::now()),
                    Fault::Permanent => true,
                };
                if is_permanent {
                    return cause(error).context(REFUSED).context("failed to commit");
                }
                error.into()
            }
            Ok(Err(error)) => error,
            Err(_) => return anyhow!("a commit did not return within {limit:?}"),
        };
        // The offsets are still stored: the next tick commits them.
        consumer.native().context().mark_stored();
        tracing::warn!(%error, "commit failed and will be retried");
    }
}

/// Commits the stored offsets and waits for the brokers' answer, at most until `deadline`. Between
/// two attempts it polls the consumer, so that a rebalance makes progress.
pub(crate) async fn commit(consumer: &Arc<Consumer>, deadline: Instant) -> anyhow::Result<()> {
    let commits = || consumer.native().context().counters().commits.load(Relaxed);
    let mut refused = None;
    loop {
        let committed = on_thread("kafka-commit", {
            let consumer = Arc::clone(consumer);
            move || commit_once(&consumer)
        });
        let committed: KafkaResult<Committed> =
            timeout_at(deadline, committed).await.context(NOT_IN_TIME)??;
        match committed {
            Ok(Committed::Offsets) => return Ok(()),
            Ok(Committed::Nothing) => {
                return match refused {
                    // The refusal cost the assignment, and the stored offsets with it; unless a
                    // revocation, which commits too, came before.
                    Some((error, before)) if before == commits() => {
                        Err(cause(error).context(REFUSED))
                    }
                    _ => Ok(()),
                };
            }
            Err(error) if fault(&error) != Fault::Permanent && Instant::now() < deadline => {
                tracing::info!(%error, "the last commit was refused and will be retried");
                refused = Some((error, commits()));
                // Messages that arrive meanwhile are dropped: their offsets are not stored.
                let pause = deadline.min(Instant::now() + Duration::from_millis(200));
                while timeout_at(pause, consumer.native().recv()).await.is_ok() {}
            }
            Err(error) => return Err(cause(error).context(REFUSED)),
        }
    }
}

/// Commits the stored offsets in a rebalance callback: blocks the calling thread, at most for
/// `timeout`.
pub(super) fn commit_blocking(consumer: Arc<Consumer>, timeout: Duration) -> anyhow::Result<()> {
    let deadline = StdInstant::now() + timeout.min(CALLBACK_RETRY_TIMEOUT);
    let (done, outcome) = mpsc::channel();
    let commit = move || {
        let committed = loop {
            match commit_once(&consumer) {
                Err(error) if fault(&error) == Fault::Passes && StdInstant::now() < deadline => {
                    thread::sleep(Duration::from_millis(50));
                }
                other => break other,
            }
        };
        // Dropped before the result is sent: the caller may be about to close the consumer, which
        // takes the last `Arc`.
        drop(consumer);
        let _ = done.send(committed);
    };
    drop(on_thread("kafka-commit", commit));
    let committed = outcome.recv_timeout(timeout).context(NOT_IN_TIME)?;
    committed.map(drop).map_err(cause).context(REFUSED)
}

/// Commits once, blocking for as long as the brokers take, and counts the result.
fn commit_once(consumer: &Consumer) -> KafkaResult<Committed> {
    let start = StdInstant::now();
    let committed = consumer.native().commit_consumer_state(CommitMode::Sync);
    let counters = consumer.native().context().counters();
    match committed {
        Ok(()) => {
            counters.commits.fetch_add(1, Relaxed);
            counters.commit_latency.record(start.elapsed());
            Ok(Committed::Offsets)
        }
        Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => {
            Ok(Committed::Nothing)
        }
        Err(error) => {
            counters.commit_failures.fetch_add(1, Relaxed);
            Err(error)
        }
    }
}
