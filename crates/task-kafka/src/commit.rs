//! Committing what is stored, with a limit in time that librdkafka does not offer.
//!
//! In the middle of a rebalance brokers refuse commits for a moment. What was refused must be tried again: the next
//! owner of a partition starts from the last commit, so one that is given up repeats all that came since the one before.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rdkafka::{
    consumer::{CommitMode, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::time::{Instant, timeout_at};

use crate::{consumer::Consumer, error::cause, thread::on_thread};

/// Commits and waits for the brokers to say so, at most until `deadline`. Between two tries it serves the rebalance.
pub(crate) async fn commit(consumer: &Arc<Consumer>, deadline: Instant) -> anyhow::Result<()> {
    loop {
        let committed = on_thread("kafka-commit", {
            let consumer = Arc::clone(consumer);
            move || commit_once(&consumer)
        });
        let committed: KafkaResult<()> = timeout_at(deadline, committed)
            .await
            .context("the brokers did not answer in time")??;
        match committed {
            Err(error) if is_retriable(&error) && Instant::now() < deadline => {
                tracing::info!(%error, "the group is rebalancing: commit is tried again");
                // Messages that come in meanwhile are left unread: their offsets are not stored.
                let pause = deadline.min(Instant::now() + Duration::from_millis(200));
                while timeout_at(pause, consumer.native().recv()).await.is_ok() {}
            }
            other => return other.map_err(cause).context("the brokers refused"),
        }
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
    matches!(
        error.rdkafka_error_code(),
        Some(RebalanceInProgress | IllegalGeneration | UnknownMemberId)
    )
}

/// Tries again for this long in a callback: nothing is served meanwhile, so that a rebalance that needs this member to
/// join again does not end.
const CALLBACK_RETRIES: Duration = Duration::from_millis(500);

/// The same for a rebalance callback: blocks the calling thread, at most for `budget`.
pub(crate) fn commit_blocking(consumer: Arc<Consumer>, budget: Duration) -> anyhow::Result<()> {
    let deadline = std::time::Instant::now() + budget.min(CALLBACK_RETRIES);
    let (done, outcome) = mpsc::channel();
    let tries = move || {
        let committed = loop {
            match commit_once(&consumer) {
                Err(error) if is_retriable(&error) && std::time::Instant::now() < deadline => {
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
    committed.map_err(cause).context("the brokers refused")
}

fn commit_once(consumer: &Consumer) -> KafkaResult<()> {
    match consumer.native().commit_consumer_state(CommitMode::Sync) {
        // Nothing new since the last commit.
        Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => Ok(()),
        other => other,
    }
}
