//! The task: from joining the group to leaving it.
//!
//! Its stop, in this order, each step with a deadline: receive no more; wait until what is in
//! flight is delivered, written and stored; give up what is not, so that it is read again; commit;
//! leave the group and close.

use std::{borrow::Cow, fmt, sync::Arc};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use task_core::{Context, Task};

use crate::{
    Counters, Error, Producer, Settings, Sink, Transform,
    at_least_once::at_least_once,
    consumer::{Consumer, close},
    error::Kind,
    exactly_once::exactly_once,
    failures::Failures,
    group::Membership,
    window::Window,
};

/// Consumes, transforms and produces, at least once or in transactions.
///
/// It gates readiness: it is ready once the group has assigned it partitions (or told it to stand
/// by), and not when they were lost. Its status tells partitions, lag and messages in flight.
///
/// # Stopping
///
/// It stops receiving at once and finishes what is in flight: with transactions, it commits the one
/// that is open. What cannot be finished in time (see [`Settings::stop_budget`]) is given up,
/// purging the producer for all of its clones, and the task fails, naming how many messages that
/// are: they are read again. It also fails if the last commit failed, or if the consumer could not
/// be closed in time. If it is aborted, the same messages are read again, after the group has
/// missed this member.
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
        if settings.transactional_id.as_deref() != producer.transactional_id() {
            let why = "the producer was made with another transactional id";
            return Err(Kind::Bad(String::from(why)).into());
        }
        let window = Arc::new(Window::new(settings.window));
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
        ctx.set_status(format!("joining group `{}`", settings.group));

        let parts =
            Parts { ctx: &ctx, settings: &settings, consumer: &consumer, producer, counters };
        let mut failures = Failures::new(&ctx);
        let deadlines = match settings.transactional_id {
            None => at_least_once(parts, transform, sink, window, &mut failures).await,
            Some(_) => exactly_once(parts, transform, sink, &mut failures).await,
        };

        ctx.set_status("leaving the group");
        if !close(consumer, deadlines.close).await {
            failures
                .add(Err(anyhow!("the consumer did not close in time: the group will miss it")));
        }
        failures.into_result()
    }
}

/// What both ways of a message have.
pub(crate) struct Parts<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) settings: &'a Settings,
    pub(crate) consumer: &'a Arc<Consumer>,
    pub(crate) producer: Producer,
    pub(crate) counters: Counters,
}

impl<T, S> fmt::Debug for KafkaTask<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTask").field("settings", &self.settings).finish_non_exhaustive()
    }
}
