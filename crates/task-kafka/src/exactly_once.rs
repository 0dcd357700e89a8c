//! Delivery in transactions, which hold the records of some messages and the offsets of those
//! messages.
//!
//! The steps of a transaction: begin, send, await every delivery report, write the effects, send
//! the offsets, commit. If a step fails, or partitions were revoked meanwhile, the transaction is
//! aborted and its messages are read again.

mod batch;
mod transaction;

use std::{
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context as _, anyhow, ensure};
use rdkafka::{Message as _, Offset, TopicPartitionList, consumer::Consumer as _};
use task_core::Cancelled;
use tokio::{
    select,
    time::{Instant, sleep, sleep_until},
};

use self::{
    batch::{Batch, Offsets},
    transaction::{
        TransactionError, abort, assigned_of, begin, commit, init, read_committed, rewind,
    },
};
use crate::{
    Incoming, Producer, Sink, Transform,
    decide::Decider,
    dispatch::Dispatcher,
    error::{cause, is_fatal},
    failures::Failures,
    panics::catch_panic,
    parts::Parts,
    producer::AbandonedProducer,
};

/// How long a commit may take, if [`KafkaSettings::message_timeout`] is not shorter: it takes
/// milliseconds, and after the loss of a broker as long as a new leader needs.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an abort, a rewind and a look at the committed offsets may take each. A stop limits them
/// together.
const ABORT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most producers that were given up and are still used by a call that does not return.
const MAX_ABANDONED: usize = 8;

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
    let abandoned = Vec::new();
    let transactor = Transactor { parts, decider, dispatcher, sink, abandoned };
    let ended = catch_panic(ctx, transactor.run(failures)).await;
    failures.add_ended(ended);
}

/// Processes messages in one transaction after the other.
struct Transactor<'a, T, S> {
    parts: Parts<'a>,
    decider: Decider<T>,
    dispatcher: Dispatcher,
    sink: S,
    abandoned: Vec<AbandonedProducer>,
}

/// What a transaction that was not committed needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repair {
    /// An abort alone: the task ends.
    AbortAtEnd,
    /// An abort, after which its messages are read again.
    Abort,
    /// A new producer, which ends it, and a look at the committed offsets.
    Renew,
}

impl<T: Transform, S: Sink<T::Effect>> Transactor<'_, T, S> {
    async fn run(mut self, failures: &mut Failures<'_>) -> anyhow::Result<()> {
        let Parts { ctx, settings, stop, .. } = self.parts;
        ctx.or_cancelled(init(&self.parts.producer, settings.message_timeout)).await??;
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
                    let why = anyhow!("a transaction was not committed in time");
                    Ok(Err(if batch.is_committing {
                        TransactionError::Unknown(why)
                    } else {
                        self.parts.producer.purge();
                        TransactionError::Abortable(why)
                    }))
                }
            };
            let (cause, repair) = match ended {
                Ok(Ok(())) if ctx.is_cancelled() => return Ok(()),
                Ok(Ok(())) => {
                    (failing_since, pause) = (None, FIRST_PAUSE);
                    continue;
                }
                Ok(Err(error)) if batch.offsets.is_empty() => return Err(error.into()),
                Ok(Err(TransactionError::Fatal(error))) => (Ok(error), Repair::AbortAtEnd),
                Ok(Err(TransactionError::Abortable(error))) => (Ok(error), Repair::Abort),
                Ok(Err(TransactionError::Unknown(error))) => (Ok(error), Repair::Renew),
                Err(panic) => (Err(panic), Repair::AbortAtEnd),
            };
            let count = batch.sent.len();
            let since = *failing_since.get_or_insert_with(Instant::now);
            let until = since + settings.retry_timeout;
            let (first, next) = (batch.first_offsets()?, batch.next_offsets()?);
            let repaired = self.repair(repair, &first, &next, until).await;
            self.count_repaired(count, matches!(repaired, Ok(true)));
            let is_last =
                repair == Repair::AbortAtEnd || ctx.is_cancelled() || Instant::now() > until;
            match (cause, repaired) {
                (Ok(error), Ok(true)) => {
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
                (Ok(error), Ok(false)) if !is_last => tracing::warn!(
                    messages = count,
                    "transaction was aborted and is repeated: {error:#}"
                ),
                (cause, repaired) => {
                    failures.add_ended(cause.map(Err));
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
        let timeout = self.parts.settings.message_timeout.min(COMMIT_TIMEOUT);
        batch.is_committing = true;
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

    /// Ends the transaction and makes ready for the next one, within the time of a stop. Returns
    /// whether it was committed.
    async fn repair(
        &mut self,
        repair: Repair,
        first: &TopicPartitionList,
        next: &TopicPartitionList,
        until: Instant,
    ) -> anyhow::Result<bool> {
        let Parts { ctx, stop, .. } = self.parts;
        let overdue = async {
            if repair != Repair::AbortAtEnd {
                ctx.cancelled().await;
            }
            sleep_until(stop.deadlines().commit).await;
        };
        let repaired = async {
            if repair != Repair::Renew {
                match abort(&self.parts.producer, ABORT_TIMEOUT).await {
                    Ok(()) if repair == Repair::AbortAtEnd => return Ok(false),
                    Ok(()) => {
                        self.rewind(first).await?;
                        return Ok(false);
                    }
                    Err(TransactionError::Unknown(error)) if repair == Repair::Abort => {
                        tracing::warn!("the producer is made anew: {error:#}");
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            loop {
                let error = match self.renew(first, next).await {
                    Ok(was_committed) => return Ok(was_committed),
                    Err(TransactionError::Fatal(error)) => return Err(error),
                    Err(error) => anyhow::Error::from(error),
                };
                if Instant::now() > until {
                    return Err(error);
                }
                tracing::warn!("the producer is made anew once more: {error:#}");
                sleep(FIRST_PAUSE).await;
            }
        };
        select! {
            biased;
            repaired = repaired => repaired,
            () = overdue => Err(anyhow!("a transaction was not aborted in time")),
        }
    }

    /// Gives the producer up for a new one of the same transactional id, which ends the transaction
    /// of the one before: whatever that still sends is refused. Then reads from the brokers whether
    /// the transaction was committed, and goes on after its messages, or before them.
    async fn renew(
        &mut self,
        first: &TopicPartitionList,
        next: &TopicPartitionList,
    ) -> Result<bool, TransactionError> {
        use TransactionError::{Fatal, Unknown};
        let Parts { settings, consumer, .. } = self.parts;
        let producer =
            self.parts.producer.renewed(settings).map_err(|error| Fatal(error.into()))?;
        self.dispatcher.producer = producer.clone();
        self.abandoned.push(mem::replace(&mut self.parts.producer, producer).abandon());
        self.parts.counters.0.renewals.fetch_add(1, Relaxed);
        let stuck = Producer::still_used(&mut self.abandoned);
        if stuck > MAX_ABANDONED {
            return Err(Fatal(anyhow!("calls of {stuck} producers do not return")));
        }
        init(&self.parts.producer, settings.message_timeout.min(COMMIT_TIMEOUT)).await?;
        // Only of the assigned partitions: others may have been committed by their new owners.
        let kept = assigned_of(consumer, next.clone()).await.map_err(Unknown)?;
        if kept.count() == 0 {
            return Ok(false);
        }
        let committed =
            read_committed(consumer, kept.clone(), ABORT_TIMEOUT).await.map_err(Unknown)?;
        let offset = |list: &TopicPartitionList, topic: &str, partition| {
            let element = list.find_partition(topic, partition);
            match element.map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => offset,
                // Nothing was ever committed.
                _ => -1,
            }
        };
        let was_committed = kept.elements().iter().all(|element| {
            let (topic, partition) = (element.topic(), element.partition());
            offset(&committed, topic, partition) >= offset(&kept, topic, partition)
        });
        self.rewind(if was_committed { next } else { first }).await.map_err(Unknown)?;
        Ok(was_committed)
    }

    /// Makes the consumer read on from these offsets in the partitions that are still assigned. The
    /// others are read by their new owners. Left out when the task ends: the next member starts at
    /// the last commit.
    async fn rewind(&mut self, to: &TopicPartitionList) -> anyhow::Result<()> {
        let Parts { ctx, consumer, .. } = self.parts;
        if ctx.is_cancelled() {
            return Ok(());
        }
        rewind(consumer, assigned_of(consumer, to.clone()).await?, ABORT_TIMEOUT).await
    }

    fn count_repaired(&self, count: usize, was_committed: bool) {
        let cells = &self.parts.counters.0;
        let cell = if was_committed { &cells.settled } else { &cells.rewound };
        cell.fetch_add(count as u64, Relaxed);
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
