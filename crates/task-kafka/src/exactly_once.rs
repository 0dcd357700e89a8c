//! Delivery in transactions, which hold the records of some messages and the offsets of those
//! messages.
//!
//! The steps of a transaction: begin, send, await every delivery report, write the effects, send
//! the offsets, commit. If a step fails, or partitions were revoked meanwhile, the transaction is
//! aborted and its messages are read again.

mod batch;
mod transaction;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context as _, anyhow, ensure};
use rdkafka::{Message as _, consumer::Consumer as _};
use task_core::Cancelled;
use tokio::{
    select,
    time::{Instant, sleep, sleep_until},
};

use self::{
    batch::{Batch, Offsets},
    transaction::{TransactionError, abort, begin, commit, init, rewind},
};
use crate::{
    Incoming, Sink, Transform,
    decide::Decider,
    dispatch::Dispatcher,
    error::{cause, is_fatal},
    failures::Failures,
    panics::catch_panic,
    parts::Parts,
};

/// How long an abort and a rewind may take each. A stop limits both together.
const ABORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after an aborted transaction; it doubles with each further one in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause after an aborted transaction.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs until the task is cancelled or something fails permanently; then the open transaction is
/// committed or aborted.
pub(crate) async fn exactly_once<T: Transform, S: Sink<T::Effect>>(
    parts: Parts<'_>,
    transform: T,
    sink: S,
    failures: &mut Failures<'_>,
) {
    let ctx = parts.ctx.clone();
    let (decider, dispatcher) = (parts.decider(transform), parts.dispatcher());
    let transactor = Transactor { parts, decider, dispatcher, sink };
    let ended = catch_panic(ctx, transactor.run(failures)).await;
    failures.add_ended(ended);
}

/// Processes messages in one transaction after the other.
struct Transactor<'a, T, S> {
    parts: Parts<'a>,
    decider: Decider<T>,
    dispatcher: Dispatcher,
    sink: S,
}

impl<T: Transform, S: Sink<T::Effect>> Transactor<'_, T, S> {
    async fn run(mut self, failures: &mut Failures<'_>) -> anyhow::Result<()> {
        let Parts { ctx, settings, stop, .. } = self.parts;
        let producer = self.parts.producer.clone();
        ctx.or_cancelled(init(&producer, settings.message_timeout)).await??;
        let mut failing_since = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut batch = Batch::new(self.revocations());
            let ended = select! {
                biased;
                ended = catch_panic(ctx.clone(), self.transact(&mut batch)) => ended,
                () = stop.overdue() => {
                    if batch.offsets.is_empty() {
                        return Ok(());
                    }
                    producer.purge();
                    let why = anyhow!("a transaction was not committed in time");
                    Ok(Err(TransactionError::Abortable(why)))
                }
            };
            let (cause, is_fatal) = match ended {
                Ok(Ok(())) if ctx.is_cancelled() => return Ok(()),
                Ok(Ok(())) => {
                    (failing_since, pause) = (None, FIRST_PAUSE);
                    continue;
                }
                Ok(Err(error)) if batch.offsets.is_empty() => return Err(error.into()),
                Ok(Err(TransactionError::Fatal(error))) => (Ok(error), true),
                Ok(Err(TransactionError::Abortable(error))) => (Ok(error), false),
                Err(panic) => (Err(panic), true),
            };
            let count = batch.sent.len();
            let aborted = self.abort(batch, is_fatal).await;
            let since = *failing_since.get_or_insert_with(Instant::now);
            let is_last =
                is_fatal || ctx.is_cancelled() || since.elapsed() > settings.retry_timeout;
            match cause {
                Ok(error) if !is_last && aborted.is_ok() => tracing::warn!(
                    messages = count,
                    "transaction was aborted and is repeated: {error:#}"
                ),
                cause => {
                    failures.add_ended(cause.map(Err));
                    failures.add(aborted);
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

    /// Fills a transaction and commits it.
    async fn transact(&mut self, batch: &mut Batch<T::Effect>) -> Result<(), TransactionError> {
        self.fill(batch).await.map_err(TransactionError::Fatal)?;
        if batch.offsets.is_empty() { Ok(()) } else { self.commit(batch).await }
    }

    /// Receives, transforms and sends, until the transaction is full or old enough, or the task is
    /// cancelled.
    async fn fill(&mut self, batch: &mut Batch<T::Effect>) -> anyhow::Result<()> {
        let consumer = Arc::clone(self.parts.consumer);
        let member = consumer.native().context();
        let (ctx, settings) = (self.parts.ctx, self.parts.settings);
        let mut until = None;
        while !ctx.is_cancelled() && batch.sent.len() < settings.window {
            let received = select! {
                received = ctx.ready_or_cancelled(consumer.native().recv()) => received,
                () = passed(until) => return Ok(()),
                // It cannot be committed any more, and the brokers hold back what it has sent.
                () = member.revoked_after(batch.revocations), if until.is_some() => return Ok(()),
            };
            let Ok(received) = received else { return Ok(()) };
            let message = match received {
                Ok(message) => message,
                Err(error) if is_fatal(&error) => {
                    return Err(cause(error).context("failed to receive"));
                }
                Err(error) => {
                    member.errors.warn("kafka consumer", &error, "receiving continues");
                    continue;
                }
            };
            // The first message begins the transaction, so that an idle task holds none open.
            if until.is_none() {
                until = Some(Instant::now() + settings.commit_interval);
                batch.revocations = self.revocations();
                begin(&self.parts.producer)?;
            }
            let partition = (message.topic().to_owned(), message.partition());
            let offset = message.offset();
            // From here on the message is part of the transaction, and is read again if it is
            // aborted.
            let offsets =
                batch.offsets.entry(partition).or_insert(Offsets { first: offset, next: offset });
            let mut incoming = Incoming::new(&message);
            let decision = match self.decider.decide(&mut incoming).await {
                Ok(decision) => decision,
                Err(error) if ctx.is_cancelled() && Cancelled::is_outermost_in(&error) => break,
                Err(error) => return Err(error),
            };
            match self.dispatcher.dispatch(&incoming, decision).await {
                Ok(sent) => batch.sent.push(sent),
                Err(error) if ctx.is_cancelled() && Cancelled::is_outermost_in(&error) => break,
                Err(error) => return Err(error),
            }
            offsets.next = offset + 1;
            self.parts.counters.0.consumed.fetch_add(1, Relaxed);
            if self.revocations() != batch.revocations {
                break;
            }
        }
        Ok(())
    }

    /// Awaits the reports, writes the effects and commits the transaction.
    async fn commit(&mut self, batch: &mut Batch<T::Effect>) -> Result<(), TransactionError> {
        let cells = Arc::clone(&self.parts.counters.0);
        if self.revocations() != batch.revocations {
            let why = anyhow!("partitions were revoked meanwhile");
            return Err(TransactionError::Abortable(why));
        }
        let (mut produced, mut dead_lettered) = (0, 0);
        for sent in &mut batch.sent {
            let records = sent.deliveries.len() as u64;
            for delivery in sent.deliveries.drain(..) {
                delivery.await.map_err(TransactionError::Abortable)?;
            }
            if sent.is_dead_letter {
                dead_lettered += 1;
            } else {
                produced += records;
            }
        }
        let effects: Vec<_> = batch.sent.iter_mut().filter_map(|it| it.effect.take()).collect();
        if !effects.is_empty() {
            let written = self.sink.write(effects).await.context("failed to write to the sink");
            written.map_err(TransactionError::Fatal)?;
        }
        let start = Instant::now();
        let offsets = batch.next_offsets().map_err(TransactionError::Fatal)?;
        let timeout = self.parts.settings.message_timeout;
        commit(&self.parts.producer, self.parts.consumer, offsets, timeout)
            .await
            .inspect_err(|_| _ = cells.commit_failures.fetch_add(1, Relaxed))?;
        cells.commits.fetch_add(1, Relaxed);
        cells.commit_latency.record(start.elapsed());
        cells.produced.fetch_add(produced, Relaxed);
        cells.dead_lettered.fetch_add(dead_lettered, Relaxed);
        cells.settled.fetch_add(batch.sent.len() as u64, Relaxed);
        Ok(())
    }

    /// Aborts the transaction, and rewinds the consumer to its first offsets. The rewind is left
    /// out when the task ends: the next member starts at the last commit.
    async fn abort(&mut self, batch: Batch<T::Effect>, is_fatal: bool) -> anyhow::Result<()> {
        let Parts { ctx, stop, consumer, producer, counters, .. } = &self.parts;
        counters.0.rewound.fetch_add(batch.sent.len() as u64, Relaxed);
        let abort = async move {
            abort(producer, ABORT_TIMEOUT).await?;
            if is_fatal || ctx.is_cancelled() {
                return Ok(());
            }
            rewind(consumer, batch.first_offsets()?, ABORT_TIMEOUT).await
        };
        let overdue = async {
            if !is_fatal {
                ctx.cancelled().await;
            }
            sleep_until(stop.deadlines().commit).await;
        };
        select! {
            biased;
            aborted = abort => aborted,
            () = overdue => Err(anyhow!("a transaction was not aborted in time")),
        }
    }

    fn revocations(&self) -> u64 {
        self.parts.consumer.native().context().revocations()
    }
}

/// Resolves at `until`, or never if that is `None`.
async fn passed(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
