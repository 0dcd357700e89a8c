//! Delivery in transactions, which hold the records of some messages and the offsets of those
//! messages.
//!
//! The steps of a transaction: begin, send, await every delivery report, write the effects, send
//! the offsets, commit. If a step fails, or partitions were revoked meanwhile, the transaction is
//! aborted and its messages are read again.

mod batch;
mod transaction;
mod transactor;
mod work;

use std::time::Duration;

use anyhow::{anyhow, ensure};
use rdkafka::consumer::Consumer as _;
use tokio::{
    select,
    time::{Instant, sleep},
};

use self::{
    batch::Batch,
    transaction::{TransactionError, init},
    transactor::{Repair, Transactor},
};
use crate::{
    Sink, Transform, failures::Failures, panics::catch_panic, parts::Parts, workers::CloneTransform,
};

/// The pause after an aborted transaction; it doubles with each further one in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause after an aborted transaction.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs until the task is cancelled or something fails permanently; then the open transaction is
/// committed or aborted.
pub(crate) async fn exactly_once<T: Transform, S: Sink<T::Effect>>(
    parts: Parts<'_>,
    transform: T,
    clone: Option<CloneTransform<T>>,
    sink: S,
    failures: &mut Failures<'_>,
) {
    let ctx = parts.ctx.clone();
    let transactor = Transactor::new(parts, transform, clone, sink);
    let ended = catch_panic(ctx, run(transactor, failures)).await;
    failures.add_ended(ended);
}

/// Runs one transaction after the other.
async fn run<T: Transform, S: Sink<T::Effect>>(
    mut transactor: Transactor<'_, T, S>,
    failures: &mut Failures<'_>,
) -> anyhow::Result<()> {
    let Parts { ctx, settings, stop, consumer, .. } = transactor.parts;
    let member = consumer.native().context();
    ctx.or_cancelled(init(&transactor.parts.producer, settings.message_timeout)).await??;
    let mut failing_since = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let mut batch = Batch::new(transactor.revocations());
        let ended = select! {
            biased;
            ended = catch_panic(ctx.clone(), transactor.transact(&mut batch)) => ended,
            () = stop.overdue() => {
                if batch.offsets.is_empty() {
                    return Ok(());
                }
                let why = anyhow!("a transaction was not committed in time");
                Ok(Err(if batch.is_committing {
                    TransactionError::Unknown(why)
                } else {
                    transactor.parts.producer.purge();
                    TransactionError::Abortable(why)
                }))
            }
        };
        let is_rebalance = matches!(ended, Ok(Err(TransactionError::Rebalanced(_))));
        let (cause, repair) = match ended {
            Ok(Ok(())) if ctx.is_cancelled() => return Ok(()),
            Ok(Ok(())) => {
                (failing_since, pause) = (None, FIRST_PAUSE);
                continue;
            }
            Ok(Err(error)) if batch.offsets.is_empty() => return Err(error.into()),
            Ok(Err(TransactionError::Fatal(error))) => {
                // The group stops from here on, which limits the abort.
                failures.add(Err(error));
                (None, Repair::AbortAtEnd)
            }
            Ok(Err(TransactionError::Abortable(error) | TransactionError::Rebalanced(error))) => {
                (Some(Ok(error)), Repair::Abort)
            }
            Ok(Err(TransactionError::Unknown(error))) => (Some(Ok(error)), Repair::Renew),
            Err(panic) => (Some(Err(panic)), Repair::AbortAtEnd),
        };
        transactor.gather(&mut batch).await;
        let count = batch.sent.len();
        let since = *failing_since.get_or_insert_with(Instant::now);
        let until = since + settings.retry_timeout;
        // Nothing is polled from here to the rewind, so that no further ones are revoked.
        batch.forget_revoked(member);
        let (first, next) = (batch.first_offsets(member)?, batch.next_offsets(member)?);
        let repaired = transactor.repair(repair, &first, &next, until).await;
        transactor.count_repaired(&batch, matches!(repaired, Ok(true)));
        let is_last = repair == Repair::AbortAtEnd || ctx.is_cancelled() || Instant::now() > until;
        match (cause, repaired) {
            (Some(Ok(error)), Ok(true)) => {
                tracing::warn!(
                    messages = count,
                    "transaction was committed though its commit failed: {error:#}"
                );
                if ctx.is_cancelled() {
                    return Ok(());
                }
                (failing_since, pause) = (None, FIRST_PAUSE);
                continue;
            }
            (Some(Ok(error)), Ok(false)) if !is_last => tracing::warn!(
                messages = count,
                "transaction was aborted and is repeated: {error:#}"
            ),
            // As in a stop that meets no rebalance, nothing has failed: their owner reads them.
            (Some(Ok(error)), Ok(false)) if is_rebalance && ctx.is_cancelled() => {
                tracing::warn!(
                    messages = count,
                    "transaction was aborted at the stop, its messages will be read again: {error:#}"
                );
                return Ok(());
            }
            (cause, repaired) => {
                failures.add_ended(cause.map_or(Ok(Ok(())), |cause| cause.map(Err)));
                failures.add(repaired.map(drop));
                ensure!(count == 0, "{count} messages were abandoned and will be read again");
                return Ok(());
            }
        }
        if ctx.or_cancelled(sleep(pause)).await.is_err() {
            return Ok(());
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
