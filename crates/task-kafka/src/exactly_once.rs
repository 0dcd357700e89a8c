//! The way of a message exactly once: in transactions that hold the records made of some messages,
//! and their offsets.
//!
//! Begin, send, await every report, write the effects, send the offsets, commit. If anything fails,
//! or a partition was revoked meanwhile, the transaction is aborted, and what it held is read
//! again.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use rdkafka::{Message as _, Offset, TopicPartitionList, consumer::Consumer as _};
use tokio::{
    select,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Incoming, Sink, Transform,
    apart::guarded,
    decide::Decider,
    error::cause,
    failures::Failures,
    outlet::{Outlet, Sent},
    receive::is_fatal,
    stop::{Deadlines, overdue},
    task::Parts,
    transaction::{Trouble, abort, begin, commit, init, rewind},
};

/// How long an abort may take, and a rewind, unless a stop leaves less.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// Works until the task is cancelled or something fails for good.
pub(crate) async fn exactly_once<T: Transform, S: Sink<T::Effect>>(
    parts: Parts<'_>,
    transform: T,
    sink: S,
    failures: &mut Failures<'_>,
) -> Deadlines {
    let Parts { ctx, settings, .. } = parts;
    let Parts { producer, counters, .. } = &parts;
    let decider = Decider {
        ctx: ctx.clone(),
        transform,
        retry_budget: settings.retry_budget,
        counters: counters.clone(),
    };
    let outlet = Outlet {
        ctx: ctx.clone(),
        producer: producer.clone(),
        dead_letter_topic: settings.dead_letter_topic.clone(),
    };
    let work = Transactor { parts, decider, outlet, sink };
    failures.add_ended(guarded(ctx.clone(), work.run()).await);
    Deadlines::start(ctx, settings)
}

struct Transactor<'a, T, S> {
    parts: Parts<'a>,
    decider: Decider<T>,
    outlet: Outlet,
    sink: S,
}

/// The messages of one transaction.
struct Batch<E> {
    sent: Vec<Sent<E>>,
    /// By partition the first offset, and the one after the last.
    offsets: BTreeMap<(String, i32), (i64, i64)>,
    /// As it was when the transaction began.
    revocations: u64,
}

impl<T: Transform, S: Sink<T::Effect>> Transactor<'_, T, S> {
    async fn run(mut self) -> anyhow::Result<()> {
        let Parts { ctx, settings, producer, .. } = &self.parts;
        let (ctx, settings, producer) = (*ctx, *settings, producer.clone());
        ctx.or_cancelled(init(&producer, settings.message_timeout)).await??;
        let mut failing_since = None;
        let mut pause = Duration::from_millis(100);
        loop {
            let mut batch = Batch {
                sent: Vec::new(),
                offsets: BTreeMap::new(),
                revocations: self.revocations(),
            };
            let filled = self.fill(&mut batch).await;
            if batch.offsets.is_empty() {
                match filled {
                    Ok(()) if ctx.is_cancelled() => return Ok(()),
                    Ok(()) => continue,
                    Err(error) => return Err(error),
                }
            }
            let ended = match filled {
                Ok(()) => select! {
                    ended = self.commit(&mut batch) => ended,
                    _ = overdue(ctx, settings) => {
                        producer.purge();
                        Err(Trouble::Passing(anyhow!("a transaction was not committed in time")))
                    }
                },
                Err(error) => Err(Trouble::Fatal(error)),
            };
            let (error, is_fatal) = match ended {
                Ok(()) => {
                    (failing_since, pause) = (None, Duration::from_millis(100));
                    continue;
                }
                Err(Trouble::Fatal(error)) => (error, true),
                Err(Trouble::Passing(error)) => (error, false),
            };
            let count = batch.sent.len();
            let rewound = self.give_up(batch).await;
            let since = *failing_since.get_or_insert_with(Instant::now);
            if is_fatal || ctx.is_cancelled() || since.elapsed() > settings.retry_budget {
                // Whether it could be aborted matters less: the next producer of this id, or time,
                // does that.
                if let Err(unclean) = rewound {
                    tracing::warn!("{unclean:#}");
                }
                ctx.record_failure(error);
                return Err(anyhow!("{count} messages were given up: they will be read again"));
            }
            rewound?;
            tracing::warn!("a transaction of {count} messages is repeated: {error:#}");
            if ctx.or_cancelled(sleep(pause)).await.is_err() {
                return Ok(());
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
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
                    errors.warn("kafka consumer", &error, "receiving goes on");
                    continue;
                }
            };
            if until.is_none() {
                until = Some(Instant::now() + settings.commit_interval);
                batch.revocations = self.revocations();
                if let Err(Trouble::Fatal(error) | Trouble::Passing(error)) =
                    begin(&self.parts.producer)
                {
                    return Err(error);
                }
            }
            let place = (message.topic().to_owned(), message.partition());
            let offset = message.offset();
            // From here on it is part of the transaction, and so of what is read again.
            let offsets = batch.offsets.entry(place).or_insert((offset, offset));
            let mut incoming = Incoming::new(&message);
            let decision = match self.decider.decide(&mut incoming).await {
                Ok(decision) => decision,
                Err(error) if ctx.is_cancelled() && is_cancelled(&error) => break,
                Err(error) => return Err(error),
            };
            match self.outlet.dispatch(&incoming, decision).await {
                Ok(sent) => batch.sent.push(sent),
                Err(error) if ctx.is_cancelled() && is_cancelled(&error) => break,
                Err(error) => return Err(error),
            }
            offsets.1 = offset + 1;
            self.parts.counters.0.consumed.fetch_add(1, Relaxed);
            if self.revocations() != batch.revocations {
                break;
            }
        }
        Ok(())
    }

    async fn commit(&mut self, batch: &mut Batch<T::Effect>) -> Result<(), Trouble> {
        let cells = Arc::clone(&self.parts.counters.0);
        if self.revocations() != batch.revocations {
            return Err(Trouble::Passing(anyhow!("partitions were revoked meanwhile")));
        }
        let (mut produced, mut dead_lettered) = (0, 0);
        for sent in &mut batch.sent {
            let records = sent.deliveries.len() as u64;
            for delivery in sent.deliveries.drain(..) {
                delivery.await.map_err(Trouble::Passing)?;
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
            written.map_err(Trouble::Fatal)?;
        }
        let asked = Instant::now();
        let offsets = list(batch, |(_, next)| next).map_err(Trouble::Fatal)?;
        let budget = self.parts.settings.message_timeout;
        commit(&self.parts.producer, self.parts.consumer, offsets, budget)
            .await
            .inspect_err(|_| _ = cells.commit_failures.fetch_add(1, Relaxed))?;
        cells.commits.fetch_add(1, Relaxed);
        cells.commit_latency.record(asked.elapsed());
        cells.produced.fetch_add(produced, Relaxed);
        cells.dead_lettered.fetch_add(dead_lettered, Relaxed);
        cells.settled.fetch_add(batch.sent.len() as u64, Relaxed);
        Ok(())
    }

    /// Aborts the transaction, and has what it held read again.
    async fn give_up(&mut self, batch: Batch<T::Effect>) -> anyhow::Result<()> {
        let budget = self.parts.ctx.remaining().map_or(CLEAN_UP, |left| (left / 4).min(CLEAN_UP));
        let aborted = abort(&self.parts.producer, budget).await;
        self.parts.counters.0.rewound.fetch_add(batch.sent.len() as u64, Relaxed);
        if self.parts.ctx.is_cancelled() {
            return aborted;
        }
        aborted?;
        rewind(self.parts.consumer, list(&batch, |(first, _)| first)?, budget).await
    }

    fn revocations(&self) -> u64 {
        self.parts.consumer.native().context().revocations()
    }
}

/// Never, if there is no such instant.
async fn passed(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn is_cancelled(error: &anyhow::Error) -> bool {
    task_core::Cancelled::is_outermost_in(error)
}

fn list<E>(
    batch: &Batch<E>,
    offset: impl Fn((i64, i64)) -> i64,
) -> anyhow::Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offsets) in &batch.offsets {
        let offset = offset(*offsets);
        list.add_partition_offset(topic, *partition, Offset::Offset(offset))
            .with_context(|| format!("{topic}[{partition}] has no offset {offset}"))?;
    }
    Ok(list)
}
