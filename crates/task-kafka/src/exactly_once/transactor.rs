//! The work of one transaction: fill, commit, and repair what was not committed.

use std::{
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use rdkafka::{Message as _, Offset, TopicPartitionList, consumer::Consumer as _};
use task_core::Cancelled;
use tokio::{
    select,
    time::{Instant, sleep, sleep_until},
};

use super::{
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
    parts::Parts,
    producer::AbandonedProducer,
};

/// The longest that a commit may take. It takes milliseconds, and after the loss of a broker as
/// long as a new leader needs.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an abort, a rewind and a look at the committed offsets may take each. A stop limits
/// them together.
const ABORT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most producers that were abandoned and are still used by a call that does not return.
const MAX_ABANDONED: usize = 8;

/// The pause before a producer is made anew once more.
const RENEWAL_PAUSE: Duration = Duration::from_millis(100);

/// Processes messages in one transaction after the other.
pub(super) struct Transactor<'a, T, S> {
    pub(super) parts: Parts<'a>,
    decider: Decider<T>,
    dispatcher: Dispatcher,
    sink: S,
    abandoned: Vec<AbandonedProducer>,
}

/// What a transaction that was not committed needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// An abort alone: the task ends.
    AbortAtEnd,
    /// An abort, after which its messages are read again.
    Abort,
    /// A new producer, which ends it, and a look at the committed offsets.
    Renew,
}

impl<'a, T: Transform, S: Sink<T::Effect>> Transactor<'a, T, S> {
    pub(super) fn new(parts: Parts<'a>, transform: T, sink: S) -> Self {
        let (decider, dispatcher) = (parts.decider(transform), parts.dispatcher());
        Self { parts, decider, dispatcher, sink, abandoned: Vec::new() }
    }

    /// Fills a transaction and commits it.
    pub(super) async fn transact(
        &mut self,
        batch: &mut Batch<T::Effect>,
    ) -> Result<(), TransactionError> {
        self.fill(batch).await?;
        if batch.offsets.is_empty() { Ok(()) } else { self.commit(batch).await }
    }

    /// Receives, transforms and sends, until the transaction is full or old enough, or the task is
    /// cancelled.
    async fn fill(&mut self, batch: &mut Batch<T::Effect>) -> Result<(), TransactionError> {
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
                    let error = cause(error).context("failed to receive");
                    return Err(TransactionError::Fatal(error));
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
                Err(error) => return Err(TransactionError::Fatal(error)),
            };
            match self.dispatcher.dispatch(&incoming, decision).await {
                Ok(sent) => batch.sent.push(sent),
                Err(error) if ctx.is_cancelled() && Cancelled::is_outermost_in(&error) => break,
                Err(error) => return Err(TransactionError::of_send(&self.parts.producer, error)),
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
        for sent in &mut batch.sent {
            let records = sent.deliveries.len() as u64;
            for delivery in sent.deliveries.drain(..) {
                delivery.await.map_err(TransactionError::Abortable)?;
            }
            if sent.is_dead_letter {
                batch.dead_lettered += 1;
            } else {
                batch.produced += records;
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
        cells.commit_latency.record(start.elapsed());
        self.count_committed(batch);
        Ok(())
    }

    /// Ends the transaction and makes ready for the next one, within the time of a stop. Returns
    /// whether it was committed.
    pub(super) async fn repair(
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
                sleep(RENEWAL_PAUSE).await;
            }
        };
        select! {
            biased;
            repaired = repaired => repaired,
            () = overdue => Err(anyhow!("a transaction was not aborted in time")),
        }
    }

    /// Replaces the producer by a new one of the same transactional id, which ends the transaction
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

    /// Counts the messages of a transaction that was not committed, or not known to be.
    pub(super) fn count_repaired(&self, batch: &Batch<T::Effect>, was_committed: bool) {
        let cells = &self.parts.counters.0;
        if was_committed {
            self.count_committed(batch);
        } else {
            cells.rewound.fetch_add(batch.sent.len() as u64, Relaxed);
        }
    }

    fn count_committed(&self, batch: &Batch<T::Effect>) {
        let cells = &self.parts.counters.0;
        cells.commits.fetch_add(1, Relaxed);
        cells.produced.fetch_add(batch.produced, Relaxed);
        cells.dead_lettered.fetch_add(batch.dead_lettered, Relaxed);
        cells.settled.fetch_add(batch.sent.len() as u64, Relaxed);
    }

    pub(super) fn revocations(&self) -> u64 {
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
