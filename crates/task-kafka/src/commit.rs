//! Committing what is stored, with a limit in time that librdkafka does not offer.
//!
//! In the middle of a rebalance brokers refuse commits for a moment. What was refused must be tried
//! again: the next owner of a partition starts from the last commit, so one that is given up
//! repeats all that came since the one before.
//!
//! All commits wait for their answer, on threads of their own: rdkafka 0.39 does not tell of the
//! others, since librdkafka 2.12 reports them to a callback only, and rdkafka asks for events.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering::Relaxed, mpsc},
    thread,
    time::{Duration, Instant as StdInstant},
};

use anyhow::Context as _;
use rdkafka::{
    consumer::{CommitMode, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};

use crate::{consumer::Consumer, error::cause, thread::on_thread};

/// Commits what is stored again and again.
pub(crate) async fn keep_committing(consumer: Arc<Consumer>, interval: Duration) -> Infallible {
    let mut clock = interval_at(Instant::now() + interval, interval);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        if !consumer.native().context().takes_stored() {
            continue;
        }
        let committed = on_thread("kafka-commit", {
            let consumer = Arc::clone(&consumer);
            move || commit_once(&consumer)
        });
        let error = match committed.await {
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => error.into(),
            Err(error) => error,
        };
        // What it left out is still stored.
        consumer.native().context().stored();
        tracing::warn!(%error, "a commit failed: it is tried again");
    }
}

/// Commits and waits for the brokers to say so, at most until `deadline`. Between two tries it
/// serves the rebalance.
pub(crate) async fn commit(consumer: &Arc<Consumer>, deadline: Instant) -> anyhow::Result<()> {
    let commits = || consumer.native().context().counters().commits.load(Relaxed);
    let mut refused = None;
    loop {
        let committed = on_thread("kafka-commit", {
            let consumer = Arc::clone(consumer);
            move || commit_once(&consumer)
        });
        let committed: KafkaResult<Committed> = timeout_at(deadline, committed)
            .await
            .context("the brokers did not answer in time")??;
        match committed {
            Ok(Committed::Something) => return Ok(()),
            Ok(Committed::Nothing) => {
                return match refused {
                    // The refusal cost the assignment, and what was stored went with it; unless a
                    // revocation, which commits too, came before.
                    Some((error, before)) if before == commits() => {
                        Err(cause(error).context(REFUSED))
                    }
                    _ => Ok(()),
                };
            }
            Err(error) if is_retriable(&error) && Instant::now() < deadline => {
                tracing::info!(%error, "the group is rebalancing: commit is tried again");
                refused = Some((error, commits()));
                // Messages that come in meanwhile are left unread: their offsets are not stored.
                let pause = deadline.min(Instant::now() + Duration::from_millis(200));
                while timeout_at(pause, consumer.native().recv()).await.is_ok() {}
            }
            Err(error) => return Err(cause(error).context(REFUSED)),
        }
    }
}

const REFUSED: &str = "the brokers refused";

fn is_retriable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
    matches!(
        error.rdkafka_error_code(),
        Some(RebalanceInProgress | IllegalGeneration | UnknownMemberId)
    )
}

/// Tries again for this long in a callback: nothing is served meanwhile, so that a rebalance that
/// needs this member to join again does not end.
const CALLBACK_RETRIES: Duration = Duration::from_millis(500);

/// The same for a rebalance callback: blocks the calling thread, at most for `budget`.
pub(crate) fn commit_blocking(consumer: Arc<Consumer>, budget: Duration) -> anyhow::Result<()> {
    let deadline = StdInstant::now() + budget.min(CALLBACK_RETRIES);
    let (done, outcome) = mpsc::channel();
    let tries = move || {
        let committed = loop {
            match commit_once(&consumer) {
                Err(error) if is_retriable(&error) && StdInstant::now() < deadline => {
                    thread::sleep(Duration::from_millis(50));
                }
                other => break other,
            }
        };
        // Let go before it is said: the caller may be about to close.
        drop(consumer);
        let _ = done.send(committed);
    };
    drop(on_thread("kafka-commit", tries));
    let committed = outcome.recv_timeout(budget).context("the brokers did not answer in time")?;
    committed.map(drop).map_err(cause).context(REFUSED)
}

enum Committed {
    Something,
    /// There was nothing new since the last commit.
    Nothing,
}

fn commit_once(consumer: &Consumer) -> KafkaResult<Committed> {
    let asked = StdInstant::now();
    let committed = consumer.native().commit_consumer_state(CommitMode::Sync);
    let counters = consumer.native().context().counters();
    match committed {
        Ok(()) => {
            counters.commits.fetch_add(1, Relaxed);
            counters.commit_latency.record(asked.elapsed());
            Ok(Committed::Something)
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
