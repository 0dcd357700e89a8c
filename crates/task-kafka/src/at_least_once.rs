//! The way of a message at least once: the receive loop, the settler beside it, and the end of
//! both.

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::Consumer as _;
use tokio::{
    select,
    sync::mpsc,
    task::{JoinError, JoinHandle},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    Producer, Sink, Transform,
    apart::{aside, guarded},
    commit::{commit, keep_committing},
    decide::Decider,
    failures::{Ended, Failures},
    outlet::Outlet,
    receive::Receiver,
    settle::Settler,
    stop::{Deadlines, overdue},
    task::Parts,
    window::Window,
};

/// Works until the task is cancelled or something fails; then finishes what is in flight, and
/// commits.
pub(crate) async fn at_least_once<T: Transform, S: Sink<T::Effect>>(
    parts: Parts<'_>,
    transform: T,
    sink: S,
    window: Arc<Window>,
    failures: &mut Failures<'_>,
) -> Deadlines {
    let (queue, entries) = mpsc::unbounded_channel();
    let Parts { ctx, settings, consumer, producer, counters } = parts;
    let settle = Settler {
        ctx: ctx.clone(),
        consumer: Arc::clone(consumer),
        sink,
        batch: settings.batch,
        window: Arc::clone(&window),
        counters: counters.clone(),
        queue: entries,
    };
    let mut settler = AbortOnDrop(tokio::spawn(guarded(ctx.clone(), settle.run())));
    let receiver = Receiver {
        ctx: ctx.clone(),
        consumer: Arc::clone(consumer),
        decider: Decider {
            ctx: ctx.clone(),
            transform,
            retry_budget: settings.retry_budget,
            counters: counters.clone(),
        },
        outlet: Outlet {
            ctx: ctx.clone(),
            producer: producer.clone(),
            dead_letter_topic: settings.dead_letter_topic.clone(),
        },
        window,
        counters: counters.clone(),
        queue,
    };

    let deadlines;
    let (settled, in_time) = {
        let interval = settings.commit_interval;
        let mut committing = pin!(keep_committing(Arc::clone(consumer), interval));
        let (received, early, overdue) = {
            let mut receive = pin!(aside(guarded(ctx.clone(), receiver.run())));
            select! {
                received = &mut receive => (received, None, None),
                early = &mut settler.0 => (Ok(Ok(Ok(()))), Some(early), None),
                overdue = overdue(ctx, settings) => (Ok(Ok(Ok(()))), None, Some(overdue)),
                never = &mut committing => match never {},
            }
            // The receive loop is dropped here, and with it the queue: the settler ends when it is
            // empty.
        };
        deadlines = overdue.unwrap_or_else(|| Deadlines::start(ctx, settings));
        failures.add_ended(received.unwrap_or_else(|error| Ok(Err(error))));
        consumer.native().context().begin_to_stop();
        ctx.set_status(format!("draining {} messages", counters.get().in_flight));
        match early {
            Some(early) => (early, true),
            None => select! {
                drained = drain(&mut settler, &producer, deadlines.drain) => drained,
                never = &mut committing => match never {},
            },
        }
    };
    let left = counters.get().in_flight;
    let given_up = || anyhow!("{left} messages were given up: they will be read again");
    if left > 0 && in_time {
        // Something failed. What is left would not be stored any more, even if it were delivered.
        producer.purge();
        failures.add_settled(settled);
        failures.add(Err(given_up()));
    } else {
        if left > 0 {
            failures.add(Err(given_up()));
        }
        failures.add_settled(settled);
    }

    ctx.set_status("committing");
    let committed = commit(consumer, deadlines.commit).await;
    failures.add(committed.context("failed to commit: the last messages will be read again"));
    deadlines
}

/// Waits until the settler has caught up, and tells whether it did in time. At the deadline it
/// purges the producer, so that every report is there at once; if even then the settler does not
/// end, it is in the sink, and is dropped there.
async fn drain(
    settler: &mut AbortOnDrop,
    producer: &Producer,
    deadline: Instant,
) -> (Result<Ended, JoinError>, bool) {
    if let Ok(settled) = timeout_at(deadline, &mut settler.0).await {
        return (settled, true);
    }
    producer.purge();
    let moment = Duration::from_millis(200);
    if let Ok(settled) = timeout(moment, &mut settler.0).await {
        return (settled, false);
    }
    settler.0.abort();
    let aborted = timeout(moment, &mut settler.0).await;
    (aborted.unwrap_or_else(|_| Ok(Ok(Err(anyhow!("the sink blocks its thread"))))), false)
}

/// The settler goes with the task, however that ends.
struct AbortOnDrop(JoinHandle<Ended>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
