//! The task: from joining the group to leaving it.
//!
//! Its stop, in this order, each step with a deadline: receive no more; wait until what is in flight is delivered,
//! written and stored; give up what is not, so that it is read again; commit; leave the group and close.

use std::{borrow::Cow, fmt, pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use task_core::{Context, Task};
use tokio::{
    select,
    sync::mpsc,
    task::{JoinError, JoinHandle},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    Counters, Error, Producer, Settings, Sink, Transform,
    apart::{aside, guarded},
    commit::{commit, keep_committing},
    consumer::{Consumer, close},
    decide::Decider,
    error::Kind,
    failures::{Ended, Failures},
    group::Membership,
    outlet::Outlet,
    receive::Receiver,
    settle::Settler,
    stop::{Deadlines, overdue},
    window::Window,
};

/// Consumes, transforms and produces, at least once.
///
/// It gates readiness: it is ready once the group has assigned it partitions (or told it to stand by), and not when
/// they were lost. Its status tells partitions, lag and messages in flight.
///
/// # Stopping
///
/// It stops receiving at once and finishes what is in flight. What cannot be finished in time (see
/// [`Settings::stop_budget`]) is given up, purging the producer for all of its clones, and the task fails, naming how
/// many messages that are: they are read again. It also fails if the last commit failed, or if the consumer could not
/// be closed in time. If it is aborted, the same messages are read again, after the group has missed this member.
#[must_use = "a task does nothing until a manager runs it"]
pub struct KafkaTask<T, S> {
    settings: Settings,
    consumer: Arc<Consumer>,
    producer: Producer,
    transform: T,
    sink: S,
    window: Arc<Window>,
    counters: Counters,
}

impl<T: Transform, S: Sink<T::Effect>> KafkaTask<T, S> {
    /// Makes the consumer; the group is joined when the task runs.
    ///
    /// Give it a producer of its own, since it purges it when a stop takes too long.
    ///
    /// # Errors
    ///
    /// [`Error`], if this is no Tokio runtime or librdkafka refuses a setting.
    pub fn new(
        settings: Settings,
        producer: Producer,
        transform: T,
        sink: S,
    ) -> Result<Self, Error> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Kind::NoRuntime.into()); // rdkafka would panic
        }
        let native = settings.consumer()?;
        let window = Window::new(settings.window);
        let counters = Counters::new(producer.stopwatch());
        let membership = Membership::new(&settings, Arc::clone(&window), counters.clone());
        let consumer: StreamConsumer<_> = native
            .create_with_context(membership)
            .map_err(|source| Kind::Client { role: "consumer", source })?;
        let consumer = Consumer::new(consumer);
        Ok(Self { settings, consumer, producer, transform, sink, window, counters })
    }

    /// Returns what the task counts, to be kept while it runs and after.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }
}

impl<T: Transform, S: Sink<T::Effect>> Task for KafkaTask<T, S> {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("kafka")
    }

    fn gates_readiness(&self) -> bool {
        true
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { settings, consumer, producer, transform, sink, window, counters } = self;
        consumer.native().context().attach(ctx.clone());
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        consumer.native().subscribe(&topics).context("failed to subscribe")?;
        ctx.status(format!("joining group `{}`", settings.group));

        let (queue, entries) = mpsc::unbounded_channel();
        let settle = Settler {
            ctx: ctx.clone(),
            consumer: Arc::clone(&consumer),
            sink,
            batch: settings.batch,
            counters: counters.clone(),
            queue: entries,
        };
        let mut settler = AbortOnDrop(tokio::spawn(guarded(ctx.clone(), settle.run())));
        let receiver = Receiver {
            ctx: ctx.clone(),
            consumer: Arc::clone(&consumer),
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
        let mut failures = Failures::new(&ctx);
        let (settled, in_time) = {
            let interval = settings.commit_interval;
            let mut committing = pin!(keep_committing(Arc::clone(&consumer), interval));
            let (received, early, overdue) = {
                let mut receive = pin!(aside(guarded(ctx.clone(), receiver.run())));
                select! {
                    received = &mut receive => (received, None, None),
                    early = &mut settler.0 => (Ok(Ok(Ok(()))), Some(early), None),
                    overdue = overdue(&ctx, &settings) => (Ok(Ok(Ok(()))), None, Some(overdue)),
                    never = &mut committing => match never {},
                }
                // The receive loop is dropped here, and with it the queue: the settler ends when it is empty.
            };
            deadlines = overdue.unwrap_or_else(|| Deadlines::start(&ctx, &settings));
            failures.add_ended(received.unwrap_or_else(|error| Ok(Err(error))));
            consumer.native().context().begin_to_stop();
            ctx.status(format!("draining {} messages", counters.get().in_flight));
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

        ctx.status("committing");
        let committed = commit(&consumer, deadlines.commit).await;
        failures.add(committed.context("failed to commit: the last messages will be read again"));

        ctx.status("leaving the group");
        if !close(consumer, deadlines.close).await {
            failures
                .add(Err(anyhow!("the consumer did not close in time: the group will miss it")));
        }
        failures.into_result()
    }
}

impl<T, S> fmt::Debug for KafkaTask<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTask").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Waits until the settler has caught up, and tells whether it did in time. At the deadline it purges the producer, so
/// that every report is there at once; if even then the settler does not end, it is in the sink, and is dropped there.
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
