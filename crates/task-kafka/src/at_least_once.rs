//! Delivery at least once: the receive loop, the settler beside it, and the end of both.
//!
//! The receive loop, or its workers, send the records of each message and queue the message; the
//! settler awaits the delivery reports and stores the offsets; commits are made beside both at an
//! interval. The
//! stop ends them in this order, so that everything that was received is settled and committed if
//! the time allows.

mod receive;
mod settle;

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::Consumer as _;
use tokio::{
    select,
    sync::mpsc,
    task::{JoinError, JoinHandle},
    time::timeout,
};

use self::{
    receive::{Receiver, feed},
    settle::Settler,
};
use crate::{
    Producer, Sink, Transform,
    decide::AtStop,
    failures::{Ended, Failures},
    member::{NOT_IN_TIME, commit, keep_committing},
    panics::catch_panic,
    parts::Parts,
    stop::Stop,
    thread::may_block,
    workers::{CloneTransform, Workers},
};

/// How long the settler may take after a purge, and again after its abort.
const SETTLER_END_TIMEOUT: Duration = Duration::from_millis(200);

/// The least time that a commit may take before the task fails, however short its retries are.
const LEAST_COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs until the task is cancelled or something fails; then settles the messages in flight, and
/// commits. With `clone`, workers transform the messages, each with a clone of `transform`.
pub(crate) async fn at_least_once<T: Transform, S: Sink<T::Effect>>(
    parts: Parts<'_>,
    transform: T,
    clone: Option<CloneTransform<T>>,
    sink: S,
    failures: &mut Failures<'_>,
) {
    let (queue, entries) = mpsc::unbounded_channel();
    let settle = Settler {
        ctx: parts.ctx.clone(),
        consumer: Arc::clone(parts.consumer),
        sink,
        batch: parts.settings.batch,
        may_refuse: parts.keeps,
        window: Arc::clone(&parts.window),
        counters: parts.counters.clone(),
        dispatcher: parts.dispatcher(),
        queue: entries,
    };
    let mut settler = AbortOnDrop(tokio::spawn(catch_panic(parts.ctx.clone(), settle.run())));
    let workers = clone.map(|clone| Workers::start(&parts, &transform, clone, &queue));
    let mut workers = workers.unwrap_or_else(|| Workers::none(&parts));
    let receiver = if clone.is_some() {
        drop(queue);
        let (ctx, consumer) = (parts.ctx.clone(), Arc::clone(parts.consumer));
        let window = Arc::clone(&parts.window);
        Either::Feed(feed(ctx, consumer, window, parts.settings.retry_timeout))
    } else {
        let receiver = Receiver {
            ctx: parts.ctx.clone(),
            consumer: Arc::clone(parts.consumer),
            decider: parts.decider(transform, AtStop::Drop),
            dispatcher: parts.dispatcher(),
            window: Arc::clone(&parts.window),
            counters: parts.counters.clone(),
            keeps: parts.keeps,
            queue,
        };
        Either::Receive(receiver)
    };
    let receiving = async move {
        match receiver {
            Either::Feed(feed) => feed.await,
            Either::Receive(receiver) => receiver.run().await,
        }
    };
    let Parts { ctx, settings, stop, consumer, producer, window, counters, .. } = parts;

    let (settled, in_time) = {
        let mut committing = pin!(keep_committing(
            Arc::clone(consumer),
            settings.commit_interval,
            settings.retry_timeout.max(LEAST_COMMIT_TIMEOUT),
            settings.retry_timeout,
        ));
        let (received, settled_early, is_stuck) = {
            let mut receive = pin!(may_block(catch_panic(ctx.clone(), receiving)));
            select! {
                received = &mut receive => (received, None, false),
                ended = workers.failed() => (Ok(ended), None, false),
                settled = &mut settler.0 => (Ok(Ok(Ok(()))), Some(settled), false),
                () = stop.overdue() => (Ok(Ok(Ok(()))), None, false),
                error = &mut committing => (Ok(Ok(Err(error))), None, true),
            }
            // The receive loop is dropped here, and with it the sender of the queue: the settler
            // ends when the workers have dropped theirs, too, and the queue is empty.
        };
        // The group stops from here on, which limits the deadlines.
        failures.add_ended(received.unwrap_or_else(|error| Ok(Err(error))));
        window.stop();
        consumer.native().context().begin_stop();
        ctx.set_status(format!("draining {} messages", counters.get().in_flight));
        match settled_early {
            Some(settled) => {
                failures.add_settled(settled);
                (Ok(Ok(Ok(()))), true)
            }
            None => {
                let mut failed = Vec::new();
                let settled = {
                    let mut drained =
                        pin!(drain(&mut workers, &mut settler, &producer, stop, &mut failed));
                    select! {
                        drained = &mut drained => drained,
                        error = &mut committing, if !is_stuck => {
                            failures.add(Err(error));
                            drained.await
                        }
                    }
                };
                failed.into_iter().for_each(|ended| failures.add_ended(ended));
                settled
            }
        }
    };
    let left = counters.get().in_flight;
    let abandoned = || anyhow!("{left} messages were abandoned and will be read again");
    if left > 0 && in_time {
        // The settler failed: it would not store the rest, even if that were delivered.
        producer.purge();
        failures.add_settled(settled);
        failures.add(Err(abandoned()));
    } else {
        // The deadline passed first, and the settler's failure is a consequence.
        if left > 0 {
            failures.add(Err(abandoned()));
        }
        failures.add_settled(settled);
    }

    ctx.set_status("committing");
    let committed = stop.until(|it| it.commit, commit(consumer, stop.deadlines().commit)).await;
    let committed = committed.unwrap_or_else(|| Err(anyhow!(NOT_IN_TIME)));
    failures.add(committed.context("failed to commit: the last messages will be read again"));
}

/// A receive loop.
enum Either<F, R> {
    Feed(F),
    Receive(R),
}

/// Waits until the workers have finished and the settler has settled everything, and returns
/// whether it did in its time to drain.
///
/// At the deadline it purges the producer, so that every outstanding report arrives at once. If the
/// settler does not end even then, it waits for the sink, and is aborted.
async fn drain(
    workers: &mut Workers,
    settler: &mut AbortOnDrop,
    producer: &Producer,
    stop: &Stop<'_>,
    failed: &mut Vec<Ended>,
) -> (Result<Ended, JoinError>, bool) {
    let _ = stop.until(|it| it.drain, workers.finish(failed)).await;
    // One that blocks its thread is left behind, and the settler with it.
    let _ = timeout(SETTLER_END_TIMEOUT, workers.abort(failed)).await;
    if let Some(settled) = stop.until(|it| it.drain, &mut settler.0).await {
        return (settled, true);
    }
    producer.purge();
    if let Ok(settled) = timeout(SETTLER_END_TIMEOUT, &mut settler.0).await {
        return (settled, false);
    }
    settler.0.abort();
    let aborted = timeout(SETTLER_END_TIMEOUT, &mut settler.0).await;
    (aborted.unwrap_or_else(|_| Ok(Ok(Err(anyhow!("the sink blocks its thread"))))), false)
}

/// The settler, aborted when the task is dropped.
struct AbortOnDrop(JoinHandle<Ended>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
