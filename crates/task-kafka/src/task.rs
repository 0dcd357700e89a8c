//! The task: from joining the group to leaving it.

use std::{borrow::Cow, fmt, sync::Arc};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use task_core::{Context, Task};

use crate::{
    Counters, KafkaError, KafkaSettings, Producer, Sink, Transform,
    at_least_once::at_least_once,
    error::Kind,
    exactly_once::exactly_once,
    failures::Failures,
    member::{Consumer, LEAST_CLOSE_TIMEOUT, LagThread, Membership, Room, Window, close},
    parts::Parts,
    progress::ProgressWatch,
    stop::Stop,
    workers::CloneTransform,
};

/// A task that consumes, transforms and produces, at least once or in transactions.
///
/// See the [crate's documentation](crate) for the guarantees and for how failures are handled.
///
/// # Readiness and status
///
/// The task gates readiness: it is ready once the group has assigned partitions to it (or made it a
/// standby), and not ready after its partitions were lost, nor while nothing has moved for
/// [`KafkaSettings::stall_timeout`] although there is lag. Its status shows the number of
/// partitions, the lag and the messages in flight, and a transform or a call of the sink that takes
/// longer than that, updated every second.
///
/// # Stopping
///
/// A stop takes these steps, each with a deadline within [`KafkaSettings::stop_timeout`]:
///
/// 1. Stop receiving, at once. A transform in progress is dropped, or, [in
///    parallel](crate#in-parallel), may finish during the next step. A retry is not waited for.
/// 2. Drain: wait until the messages in flight are delivered, written and stored. With
///    transactions, commit the open one. Three fifths of the time.
/// 3. Abandon the messages that are not settled by then: purge the producer, for all of its clones,
///    and abort the sink at its await. They are read again.
/// 4. Commit the stored offsets, or abort the transaction that was not committed. One fifth of the
///    time.
/// 5. Leave the group and close the consumer. The rest of the time.
///
/// A task that fails by itself takes these steps, too. Its group learns of the failure at once and
/// stops meanwhile, unless a restart policy handles it. If the manager grants less time later, the
/// deadlines become earlier.
///
/// The task fails if messages were abandoned, naming their number, if the last commit failed, or if
/// the consumer was not closed in time. If the manager aborts the task, the messages in flight are
/// read again after the group's session timeout.
///
/// # Panics
///
/// A panic of the transform or the sink is resumed after the steps above, so that the group is left
/// in order. With transactions, the open one is aborted instead of committed.
///
/// # Cancel safety
///
/// Dropping the task's future loses nothing: the messages in flight are read again. The consumer is
/// closed on a dedicated thread.
///
/// # Examples
///
/// ```no_run
/// use task_kafka::{
///     Incoming, KafkaSettings, KafkaTask, NoSink, Output, Producer, Record, Transform, Verdict,
/// };
///
/// struct Copy;
///
/// impl Transform for Copy {
///     type Effect = ();
///
///     async fn transform(&mut self, message: &Incoming<'_>) -> anyhow::Result<Verdict<()>> {
///         let record = Record::to("copies").payload(message.payload().unwrap_or_default());
///         Ok(Verdict::Forward(Output::new().record(record)))
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> anyhow::Result<()> {
/// let settings = KafkaSettings::new("kafka:9092").group("copier").topics(["originals"]);
/// let producer = Producer::new(&settings)?;
/// let task = KafkaTask::new(settings, producer, Copy, NoSink)?;
/// let counters = task.counters(); // for metrics
/// // manager.run(task)?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a task does nothing until a manager runs it"]
pub struct KafkaTask<T, S> {
    settings: KafkaSettings,
    consumer: Arc<Consumer>,
    producer: Producer,
    transform: T,
    /// Of a task that transforms in parallel.
    clone: Option<CloneTransform<T>>,
    sink: S,
    window: Arc<Window>,
    counters: Counters,
}

impl<T: Transform, S: Sink<T::Effect>> KafkaTask<T, S> {
    /// Creates a task that transforms one message at a time, and its consumer. The task joins the
    /// group when it runs.
    ///
    /// `producer` has to be created from the same settings. Do not use it elsewhere: the task
    /// purges it when a stop takes too long, and a transaction contains everything that it sends.
    ///
    /// # Errors
    ///
    /// Returns [`KafkaError`] if there is no Tokio runtime, if a setting is invalid or librdkafka
    /// rejects it, if the [concurrency](KafkaSettings::concurrency) is above 1, or if the producer
    /// has another transactional id.
    pub fn new(
        settings: KafkaSettings,
        producer: Producer,
        transform: T,
        sink: S,
    ) -> Result<Self, KafkaError> {
        if settings.concurrency > 1 {
            let why = format!(
                "a concurrency of {} takes `KafkaTask::parallel`, which clones the transform",
                settings.concurrency
            );
            return Err(Kind::Invalid(why).into());
        }
        Self::create(settings, producer, transform, None, sink)
    }

    /// Creates a task that transforms up to [`KafkaSettings::concurrency`] messages at once, each
    /// with a clone of `transform`. See the [crate's documentation](crate#in-parallel).
    ///
    /// The clones are made when the task starts, and live as long as it, or, with transactions,
    /// until one is aborted. State that all messages have to see belongs behind an [`Arc`]. A
    /// concurrency of 1 is the same as [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), but for the concurrency.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use task_kafka::{Incoming, Output, Verdict};
    /// use task_kafka::{KafkaSettings, KafkaTask, NoSink, Producer, Transform};
    ///
    /// #[derive(Clone)]
    /// struct Lookup {
    ///     // A client that is cheap to clone.
    /// }
    /// # impl Transform for Lookup {
    /// #     type Effect = ();
    /// #     async fn transform(&mut self, _: &Incoming<'_>) -> anyhow::Result<Verdict<()>> {
    /// #         Ok(Verdict::Forward(Output::new()))
    /// #     }
    /// # }
    ///
    /// # fn build() -> anyhow::Result<()> {
    /// let settings = KafkaSettings::new("kafka:9092")
    ///     .group("lookup")
    ///     .topics(["orders"])
    ///     .concurrency(100);
    /// let producer = Producer::new(&settings)?;
    /// let task = KafkaTask::parallel(settings, producer, Lookup {}, NoSink)?;
    /// # drop(task);
    /// # Ok(())
    /// # }
    /// ```
    pub fn parallel(
        settings: KafkaSettings,
        producer: Producer,
        transform: T,
        sink: S,
    ) -> Result<Self, KafkaError>
    where
        T: Clone,
    {
        let clone: Option<CloneTransform<T>> = (settings.concurrency > 1).then_some(T::clone);
        Self::create(settings, producer, transform, clone, sink)
    }

    fn create(
        settings: KafkaSettings,
        producer: Producer,
        transform: T,
        clone: Option<CloneTransform<T>>,
        sink: S,
    ) -> Result<Self, KafkaError> {
        // Without a runtime, rdkafka would panic.
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Kind::NoRuntime.into());
        }
        let native = settings.consumer()?;
        if settings.transactional_id.as_deref() != producer.transactional_id() {
            let why = "the producer was created with another transactional id";
            return Err(Kind::Invalid(String::from(why)).into());
        }
        let limits = Room { messages: settings.window, bytes: settings.window_bytes };
        let window = Arc::new(Window::new(settings.order, limits));
        let counters = Counters::new(producer.delivery_latency(), settings.stall_timeout);
        let membership = Membership::new(&settings, Arc::clone(&window), counters.clone());
        let consumer: StreamConsumer<_> = native
            .create_with_context(membership)
            .map_err(|source| Kind::Client { role: "consumer", source })?;
        let consumer = Consumer::new(consumer);
        Ok(Self { settings, consumer, producer, transform, clone, sink, window, counters })
    }

    /// Returns the task's counters, which can be read while it runs and after it has ended.
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
        let Self { settings, consumer, producer, transform, clone, sink, window, counters } = self;
        consumer.native().context().set_context(ctx.clone());
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        consumer.native().subscribe(&topics).context("failed to subscribe")?;
        ctx.set_status(format!("joining group `{}`", settings.group));

        let limit = match settings.transactional_id {
            None => settings.stall_timeout,
            Some(_) => settings.stall_timeout + settings.commit_interval,
        };
        let progress = ProgressWatch::start(&consumer, counters.clone(), limit);
        let lag = LagThread::start(&consumer);
        let stop = &Stop::new(&ctx, &settings);
        let (ctx, settings) = (&ctx, &settings);
        let parts = Parts {
            ctx,
            settings,
            stop,
            consumer: &consumer,
            producer,
            window,
            counters,
            keeps: sink.may_refuse(),
        };
        let mut failures = Failures::new(ctx);
        match settings.transactional_id {
            None => at_least_once(parts, transform, clone, sink, &mut failures).await,
            Some(_) => exactly_once(parts, transform, clone, sink, &mut failures).await,
        }

        drop((progress, lag));
        // Whatever failed: a member that leaves costs the group no session timeout.
        ctx.set_status("leaving the group");
        let closing = close(consumer, stop.deadlines().close);
        if stop.until(|it| it.close + LEAST_CLOSE_TIMEOUT, closing).await != Some(true) {
            let why = "the consumer did not close in time: the group waits for its session timeout";
            failures.add(Err(anyhow!(why)));
        }
        failures.into_result()
    }
}

impl<T, S> fmt::Debug for KafkaTask<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTask").field("settings", &self.settings).finish_non_exhaustive()
    }
}
