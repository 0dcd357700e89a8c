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

use anyhow::{Context as _, anyhow};
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
    stop::{Deadlines, Stop},
};

/// How long an abort and a rewind may take each. A stop waits for both until its deadline for the
/// last commit.
const ABORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after an aborted transaction; it doubles with each further one in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause after an aborted transaction.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs until the task is cancelled or something fails permanently. Returns the deadlines of the
/// stop's remaining steps.
pub(crate) async fn exactly_once<T: Transform, S: Sink<T::Effect>>(
    parts: Parts<'_>,
    transform: T,
    sink: S,
    failures: &mut Failures<'_>,
) -> Deadlines {
    let (ctx, settings) = (parts.ctx, parts.settings);
    let (decider, dispatcher) = (parts.decider(transform), parts.dispatcher());
    let stop = Stop::new(ctx, settings);
    let transactor = Transactor { parts, decider, dispatcher, sink, stop: &stop };
    failures.add_ended(catch_panic(ctx.clone(), transactor.run()).await);
    stop.deadlines()
}

/// Processes messages in one transaction after the other.
struct Transactor<'a, T, S> {
    parts: Parts<'a>,
    decider: Decider<T>,
    dispatcher: Dispatcher,
    sink: S,
    stop: &'a Stop<'a>,
}

impl<T: Transform, S: Sink<T::Effect>> Transactor<'_, T, S> {
    async fn run(mut self) -> anyhow::Result<()> {
        let (ctx, settings) = (self.parts.ctx, self.parts.settings);
        let producer = self.parts.producer.clone();
        ctx.or_cancelled(init(&producer, settings.message_timeout)).await??;
        let mut failing_since = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut batch = Batch::new(self.revocations());
            let stop = self.stop;
            let ended = select! {
                ended = self.fill_and_commit(&mut batch) => ended,
                () = stop.drain_overdue() => {
                    producer.purge();
                    let why = anyhow!("a transaction was not committed in time");
                    Err(TransactionError::Abortable(why))
                }
            };
            let is_empty = batch.offsets.is_empty();
            let (error, is_fatal) = match ended {
                Ok(()) if is_empty && ctx.is_cancelled() => return Ok(()),
                Ok(()) if is_empty => continue,
                Ok(()) => {
                    (failing_since, pause) = (None, FIRST_PAUSE);
                    continue;
                }
                Err(TransactionError::Fatal(error)) => (error, true),
                Err(TransactionError::Abortable(error)) => (error, false),
            };
            if is_empty {
                return Err(error);
            }
            let count = batch.sent.len();
            let rewound = select! {
                rewound = self.abort(batch) => rewound,
                () = stop.commit_overdue() => Err(anyhow!("a transaction was not aborted in time")),
            };
            let since = *failing_since.get_or_insert_with(Instant::now);
            if is_fatal || ctx.is_cancelled() || since.elapsed() > settings.retry_timeout {
                // A failed abort matters less than its cause: the next producer of this id, or the
                // transaction's timeout, aborts it.
                if let Err(error) = rewound {
                    tracing::warn!("{error:#}");
                }
                ctx.record_failure(error);
                return Err(anyhow!("{count} messages were abandoned and will be read again"));
            }
            if let Err(failed) = rewound {
                ctx.record_failure(error);
                return Err(failed);
            }
            tracing::warn!(messages = count, "transaction was aborted and is repeated: {error:#}");
            if ctx.or_cancelled(sleep(pause)).await.is_err() {
                return Ok(());
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Does what makes up a transaction, or nothing if no message comes before a stop.
    async fn fill_and_commit(
        &mut self,
        batch: &mut Batch<T::Effect>,
    ) -> Result<(), TransactionError> {
        self.fill(batch).await.map_err(TransactionError::Fatal)?;
        if batch.offsets.is_empty() { Ok(()) } else { self.commit(batch).await }
    }

    /// Receives, transforms and sends, until the transaction is full or old enough, or the task is
    /// cancelled.
    async fn fill(&mut self, batch: &mut Batch<T::Effect>) -> anyhow::Result<()> {
        let consumer = Arc::clone(self.parts.consumer);
        let (ctx, settings) = (self.parts.ctx, self.parts.settings);
        let mut until = None;
        while !ctx.is_cancelled() && batch.sent.len() < settings.window {
            let received = select! {
                received = ctx.ready_or_cancelled(consumer.native().recv()) => received,
                () = passed(until) => return Ok(()),
            };
            let Ok(received) = received else { return Ok(()) };
            let message = match received {
                Ok(message) => message,
                Err(error) if is_fatal(&error) => {
                    return Err(cause(error).context("failed to receive"));
                }
                Err(error) => {
                    let errors = &consumer.native().context().errors;
                    errors.warn("kafka consumer", &error, "receiving continues");
                    continue;
                }
            };
            // The first message begins the transaction, so that an idle task holds none open.
            if until.is_none() {
                until = Some(Instant::now() + settings.commit_interval);
                batch.revocations = self.revocations();
                if let Err(TransactionError::Fatal(error) | TransactionError::Abortable(error)) =
                    begin(&self.parts.producer)
                {
                    return Err(error);
                }
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

    /// Aborts the transaction, and rewinds the consumer to its first offsets. During a stop the
    /// rewind is left out: the next member starts at the last commit.
    async fn abort(&mut self, batch: Batch<T::Effect>) -> anyhow::Result<()> {
        self.parts.counters.0.rewound.fetch_add(batch.sent.len() as u64, Relaxed);
        let aborted = abort(&self.parts.producer, ABORT_TIMEOUT).await;
        if self.parts.ctx.is_cancelled() {
            return aborted;
        }
        aborted?;
        rewind(self.parts.consumer, batch.first_offsets()?, ABORT_TIMEOUT).await
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
