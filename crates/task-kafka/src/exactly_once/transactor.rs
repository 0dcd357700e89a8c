//! The work of one transaction: fill, commit, and repair what was not committed.

use std::{
    future::pending,
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::anyhow;
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
    work::Work,
};
use crate::{
    Incoming, Producer, RefusedEffects, Sink, Transform,
    dispatch::{Entry, Handling, keep, kept_bytes, refused},
    member::Intake,
    parts::Parts,
    producer::AbandonedProducer,
    workers::CloneTransform,
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
pub(super) struct Transactor<'a, T: Transform, S> {
    pub(super) parts: Parts<'a>,
    intake: Intake<'a>,
    work: Work<T>,
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
    pub(super) fn new(
        parts: Parts<'a>,
        transform: T,
        clone: Option<CloneTransform<T>>,
        sink: S,
    ) -> Self {
        let work = Work::new(&parts, transform, clone);
        let intake = Intake::new(parts.consumer, parts.settings.retry_timeout);
        Self { parts, intake, work, sink, abandoned: Vec::new() }
    }

    /// Fills a transaction and commits it.
    pub(super) async fn transact(
        &mut self,
        batch: &mut Batch<T::Effect>,
    ) -> Result<(), TransactionError> {
        self.work.start(&self.parts);
        self.fill(batch).await?;
        self.finish(batch).await?;
        if batch.offsets.is_empty() { Ok(()) } else { self.commit(batch).await }
    }

    /// Receives, transforms and sends, until the transaction is full or old enough, or the task is
    /// cancelled.
    async fn fill(&mut self, batch: &mut Batch<T::Effect>) -> Result<(), TransactionError> {
        let Parts { ctx, settings, consumer, .. } = self.parts;
        let member = consumer.native().context();
        let dispatcher = self.parts.dispatcher();
        let window = Arc::clone(&self.parts.window);
        let mut until = None;
        let mut has_room = true;
        while !ctx.is_cancelled() && has_room && batch.received < settings.window {
            let received = select! {
                received = ctx.ready_or_cancelled(self.intake.next()) => received,
                () = passed(until) => return Ok(()),
                // It cannot be committed any more, and the brokers hold back what it has sent.
                () = member.revoked_after(batch.revocations), if until.is_some() => return Ok(()),
                error = self.work.failed(&self.parts.producer) => return Err(error),
            };
            let Ok(received) = received else { return Ok(()) };
            let message = received.map_err(TransactionError::Fatal)?;
            // The first message begins the transaction, so that an idle task holds none open.
            if until.is_none() {
                until = Some(Instant::now() + settings.commit_interval);
                batch.revocations = member.revocations();
                begin(&self.parts.producer)?;
            }
            let partition = member.partition(message.topic(), message.partition());
            let offset = message.offset();
            // From here on the message is part of the transaction, and is read again if it is
            // aborted.
            batch.offsets.entry(partition).or_insert(Offsets { first: offset, next: offset });
            batch.received += 1;
            let decider = match &mut self.work {
                Work::Workers(_) => {
                    has_room = window.admit(partition, &message);
                    continue;
                }
                Work::Here(decider) => decider,
            };
            let mut incoming = Incoming::borrowed(&message);
            let sending = async {
                let decision = decider
                    .decide(&mut incoming, ctx.cancelled())
                    .await
                    .map_err(TransactionError::Fatal)?;
                let sent = dispatcher.dispatch(&incoming, decision).await;
                sent.map_err(|error| TransactionError::of_send(&self.parts.producer, error))
            };
            let sent = self.intake.beside(async {
                select! {
                    biased;
                    sent = sending => Some(sent),
                    () = member.revoked_after(batch.revocations) => None,
                }
            });
            let sent = match sent.await.map_err(TransactionError::Fatal)? {
                None => break,
                Some(Ok(sent)) => sent,
                Some(Err(TransactionError::Fatal(error)))
                    if ctx.is_cancelled() && Cancelled::is_outermost_in(&error) =>
                {
                    break;
                }
                Some(Err(error)) => return Err(error),
            };
            let kept = keep(self.parts.keeps, &message, &sent);
            let bytes = kept_bytes(kept.as_deref());
            let ticket;
            (ticket, has_room) =
                window.admit_finished(partition, offset, bytes, window.revocations());
            batch.sent.push(Entry { ticket, sent, kept });
            self.parts.counters.0.consumed.fetch_add(1, Relaxed);
            if self.revocations() != batch.revocations {
                break;
            }
        }
        Ok(())
    }

    /// Waits until the workers have transformed and sent every message of the transaction.
    async fn finish(&mut self, batch: &mut Batch<T::Effect>) -> Result<(), TransactionError> {
        let Work::Workers(pool) = &mut self.work else { return Ok(()) };
        let Parts { ctx, consumer, window, producer, .. } = &self.parts;
        let member = consumer.native().context();
        let finished = async {
            select! {
                () = window.finished() => Ok(()),
                () = async { ctx.cancelled().await; window.stop(); window.finished().await } => Ok(()),
                () = member.revoked_after(batch.revocations) => Ok(()),
                error = pool.failed(producer) => Err(error),
            }
        };
        self.intake.beside(finished).await.map_err(TransactionError::Fatal)??;
        pool.take_done(batch);
        Ok(())
    }

    /// Ends what the workers still do for a transaction that is not committed, and forgets its
    /// messages. New workers are started for the next one.
    pub(super) async fn gather(&mut self, batch: &mut Batch<T::Effect>) {
        self.work.stop(batch).await;
        self.parts.window.clear();
    }

    /// Awaits the reports, writes the effects and commits the transaction.
    async fn commit(&mut self, batch: &mut Batch<T::Effect>) -> Result<(), TransactionError> {
        let cells = Arc::clone(&self.parts.counters.0);
        let member = self.parts.consumer.native().context();
        self.check_revocations(batch)?;
        let next = self.parts.window.next_offsets().ok_or_else(|| {
            TransactionError::Abortable(anyhow!("a message was not transformed before the stop"))
        })?;
        for (partition, next) in next {
            if let Some(offsets) = batch.offsets.get_mut(&partition) {
                offsets.next = next;
            }
        }
        let reports = deliver(batch);
        self.intake.beside(reports).await.map_err(TransactionError::Fatal)??;
        let effects: Vec<_> =
            batch.sent.iter_mut().filter_map(|it| it.sent.effect.take()).collect();
        if !effects.is_empty() {
            let what = format!("writing {} effects", effects.len());
            let write = cells.slow.watch(|| what, self.sink.write(effects));
            let write = self.intake.beside(write);
            let written = write.await.map_err(TransactionError::Fatal)?;
            let refused = refused(written, self.parts.keeps).map_err(TransactionError::Fatal)?;
            let refusing = refuse(&self.parts, batch, refused);
            self.intake.beside(refusing).await.map_err(TransactionError::Fatal)??;
        }
        self.check_revocations(batch)?;
        let start = Instant::now();
        let offsets = batch.next_offsets(member).map_err(TransactionError::Fatal)?;
        let timeout = self.parts.settings.message_timeout.min(COMMIT_TIMEOUT);
        batch.is_committing = true;
        commit(&self.parts.producer, self.parts.consumer, offsets, timeout)
            .await
            .inspect_err(|_| _ = cells.commit_failures.fetch_add(1, Relaxed))?;
        cells.commit_latency.record(start.elapsed());
        self.parts.window.settle(batch.sent.iter().map(|it| it.ticket), |_| ());
        self.count_committed(batch);
        Ok(())
    }

    /// Messages that were received before a revocation must not be committed after it.
    fn check_revocations(&self, batch: &Batch<T::Effect>) -> Result<(), TransactionError> {
        if self.revocations() == batch.revocations {
            return Ok(());
        }
        Err(TransactionError::Rebalanced(anyhow!("partitions were revoked meanwhile")))
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
            stop.until(|it| it.commit, pending::<()>()).await;
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
        tracing::info!(was_committed, "a new producer found the fate of a transaction");
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
        cells.skipped.fetch_add(batch.skipped, Relaxed);
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
        None => pending().await,
    }
}

/// Dead-letters the messages whose effects the sink has refused, within the transaction.
async fn refuse<E>(
    parts: &Parts<'_>,
    batch: &mut Batch<E>,
    refused: RefusedEffects,
) -> Result<(), TransactionError> {
    let all = batch.sent.len();
    for (_, letter) in parts.dispatcher().refuse(&mut batch.sent, all, refused).await {
        match letter.map_err(|error| TransactionError::of_send(&parts.producer, error))? {
            None => batch.skipped += 1,
            Some(delivery) => {
                delivery.await.map_err(TransactionError::Abortable)?;
                batch.dead_lettered += 1;
            }
        }
    }
    Ok(())
}

/// Awaits the delivery reports of a transaction, and counts what was delivered.
async fn deliver<E>(batch: &mut Batch<E>) -> Result<(), TransactionError> {
    for Entry { sent, .. } in &mut batch.sent {
        let records = sent.deliveries.len() as u64;
        for delivery in sent.deliveries.drain(..) {
            delivery.await.map_err(TransactionError::Abortable)?;
        }
        match sent.handling {
            Handling::Forwarded => batch.produced += records,
            Handling::DeadLettered => batch.dead_lettered += 1,
            Handling::Skipped => batch.skipped += 1,
        }
    }
    Ok(())
}
