//! The task: from joining the group to leaving it.
//!
//! Its stop, in this order, each step with a deadline: receive no more; wait until what is in flight is delivered,
//! written and stored; give up what is not, so that it is read again; commit; leave the group and close.

use std::{any::Any, borrow::Cow, fmt, panic::resume_unwind, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use task_core::{Cancelled, Context, Task};
use tokio::{
    pin, select,
    sync::mpsc,
    task::{JoinError, JoinHandle},
    time::{Instant, timeout, timeout_at},
};

use super::{
    Counters, Error, Producer, Settings, Sink, Transform,
    close::{Consumer, close, commit},
    error::Kind,
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
        let window = Window::new(settings.window);
        let counters = Counters::new();
        let membership = Membership::new(&settings, Arc::clone(&window), counters.clone());
        let consumer: StreamConsumer<_> = settings
            .consumer()?
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
        let mut settler = AbortOnDrop(tokio::spawn(
            Settler {
                ctx: ctx.clone(),
                consumer: Arc::clone(&consumer),
                sink,
                batch: settings.batch,
                counters: counters.clone(),
                queue: entries,
            }
            .run(),
        ));
        let receiver = Receiver {
            ctx: ctx.clone(),
            consumer: Arc::clone(&consumer),
            transform,
            outlet: Outlet {
                ctx: ctx.clone(),
                producer: producer.clone(),
                dead_letter_topic: settings.dead_letter_topic.clone(),
            },
            window,
            counters: counters.clone(),
            queue,
        };

        let mut deadlines = None;
        let mut settled = None;
        let received = {
            let receive = receiver.run();
            pin!(receive);
            select! {
                received = &mut receive => received,
                early = &mut settler.0 => { settled = Some(early); Ok(()) }
                late = overdue(&ctx, &settings) => { deadlines = Some(late); Ok(()) }
            }
            // The receive loop is dropped here, and with it the queue: the settler ends when it is empty.
        };
        let deadlines = deadlines.unwrap_or_else(|| Deadlines::start(&ctx, &settings));
        let mut failures = Failures::new(&ctx);
        failures.add(received);

        let in_flight = counters.get().in_flight;
        ctx.status(format!("draining {in_flight} messages"));
        let settled = match settled {
            Some(settled) => settled,
            None => drain(&mut settler, &producer, deadlines.drain).await,
        };
        failures.add_settled(settled);
        let left = counters.get().in_flight;
        if left > 0 {
            producer.purge(); // nothing of it would be stored any more
            failures.add(Err(anyhow!("{left} messages were given up: they will be read again")));
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

/// Waits until the settler has caught up. At the deadline it purges the producer, so that every report is there at
/// once; if even then the settler does not end, it is in the sink, and is dropped there.
async fn drain(settler: &mut AbortOnDrop, producer: &Producer, deadline: Instant) -> Settled {
    if let Ok(settled) = timeout_at(deadline, &mut settler.0).await {
        return settled;
    }
    producer.purge();
    let moment = Duration::from_millis(200);
    if let Ok(settled) = timeout(moment, &mut settler.0).await {
        return settled;
    }
    settler.0.abort();
    let aborted = timeout(moment, &mut settler.0).await;
    aborted.unwrap_or_else(|_| Ok(Err(anyhow!("the sink blocks its thread"))))
}

type Settled = Result<anyhow::Result<()>, JoinError>;

/// The settler goes with the task, however that ends.
struct AbortOnDrop(JoinHandle<anyhow::Result<()>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The first failure is the task's; the others go into the report beside it. A panic comes after all steps of the stop.
struct Failures<'a> {
    ctx: &'a Context,
    first: Option<anyhow::Error>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a> Failures<'a> {
    fn new(ctx: &'a Context) -> Self {
        Self { ctx, first: None, panic: None }
    }

    fn add(&mut self, result: anyhow::Result<()>) {
        match result {
            Ok(()) => {}
            Err(error) if self.ctx.is_cancelled() && Cancelled::is_outermost_in(&error) => {}
            Err(error) if self.first.is_none() => self.first = Some(error),
            Err(error) => self.ctx.record_failure(error),
        }
    }

    fn add_settled(&mut self, settled: Settled) {
        match settled.map_err(JoinError::try_into_panic) {
            Ok(result) => self.add(result),
            Err(Ok(payload)) => self.panic = Some(payload),
            Err(Err(_aborted)) => self.add(Err(anyhow!("the sink did not return in time"))),
        }
    }

    fn into_result(mut self) -> anyhow::Result<()> {
        match (self.panic.take(), self.first.take()) {
            (None, first) => first.map_or(Ok(()), Err),
            (Some(payload), first) => {
                if let Some(error) = first {
                    self.ctx.record_failure(error);
                }
                resume_unwind(payload)
            }
        }
    }
}
