//! The user's part: a transform, and a sink for its effects.

use std::{
    collections::{BTreeMap, btree_map},
    fmt,
};

use crate::{Incoming, Verdict};

/// Turns one message into any number of records, and an effect for the [`Sink`].
///
/// # Examples
///
/// ```
/// use task_kafka::{Incoming, Output, Record, Transform, Verdict};
///
/// struct Upper;
///
/// impl Transform for Upper {
///     type Effect = ();
///
///     async fn transform(&mut self, message: &Incoming<'_>) -> anyhow::Result<Verdict<()>> {
///         let Some(payload) = message.payload() else {
///             return Ok(Verdict::DeadLetter("no payload".into()));
///         };
///         let record = Record::to("shouts").payload(payload.to_ascii_uppercase());
///         Ok(Verdict::Forward(Output::new().record(record)))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// // A test needs no broker.
/// let message = Incoming::from(Record::to("words").payload("hello"));
/// let verdict = Upper.transform(&message).await?;
/// let shout = Record::to("shouts").payload("HELLO");
/// assert_eq!(verdict, Verdict::Forward(Output::new().record(shout)));
/// # Ok(())
/// # }
/// ```
pub trait Transform: Send + 'static {
    /// The effect of one message, which the sink receives. `()` if there is none.
    type Effect: Send + 'static;

    /// Decides about `message`.
    ///
    /// Messages are transformed one after the other, those of one partition in their order. While
    /// the transform waits, nothing else is received; what takes long belongs in the sink, which
    /// works beside the receive loop, or takes a task that is [parallel](crate#in-parallel).
    ///
    /// # Errors
    ///
    /// An error fails the task; the messages before this one are settled first. If only the message
    /// is at fault, return [`Verdict::DeadLetter`]; if a temporary condition is, return
    /// [`Verdict::Retry`].
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at its await when the task is stopped ([in
    /// parallel](crate#in-parallel), when the time to drain has passed), or when its partition went
    /// to another member. The message is read again.
    fn transform(
        &mut self,
        message: &Incoming<'_>,
    ) -> impl Future<Output = anyhow::Result<Verdict<Self::Effect>>> + Send;
}

/// Makes a transform of a closure.
///
/// The closure reads the message, and returns a future that decides about it. The future cannot
/// borrow from the message: the closure copies what the future needs. A decision that waits for
/// nothing is a [`ready`](std::future::ready) future. The transform is `Clone` if the closure is.
///
/// # Examples
///
/// ```
/// use task_kafka::{Output, Record, Verdict, transform_fn};
///
/// let upper = transform_fn(|message| {
///     let payload = message.payload().map(<[u8]>::to_ascii_uppercase);
///     async move {
///         let Some(payload) = payload else {
///             return Ok(Verdict::DeadLetter("no payload".into()));
///         };
///         let record = Record::to("shouts").payload(payload);
///         Ok(Verdict::Forward(Output::<()>::new().record(record)))
///     }
/// });
/// # drop(upper);
/// ```
pub fn transform_fn<F, Fut, E>(function: F) -> TransformFn<F>
where
    F: FnMut(&Incoming<'_>) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<Verdict<E>>> + Send,
    E: Send + 'static,
{
    TransformFn(function)
}

/// A closure as a transform, made by [`transform_fn`].
#[derive(Clone, Copy)]
pub struct TransformFn<F>(F);

impl<F, Fut, E> Transform for TransformFn<F>
where
    F: FnMut(&Incoming<'_>) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<Verdict<E>>> + Send,
    E: Send + 'static,
{
    type Effect = E;

    fn transform(
        &mut self,
        message: &Incoming<'_>,
    ) -> impl Future<Output = anyhow::Result<Verdict<E>>> + Send {
        (self.0)(message)
    }
}

impl<F> fmt::Debug for TransformFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformFn").finish_non_exhaustive()
    }
}

/// Writes the effects of messages, in batches.
///
/// # Examples
///
/// A sink that tolerates repetition, because its rows have a key:
///
/// ```
/// use std::collections::HashMap;
/// use task_kafka::Sink;
///
/// struct Table(HashMap<u64, String>);
///
/// impl Sink<(u64, String)> for Table {
///     async fn write(&mut self, effects: Vec<(u64, String)>) -> anyhow::Result<()> {
///         self.0.extend(effects); // an upsert
///         Ok(())
///     }
/// }
/// ```
pub trait Sink<E>: Send + 'static {
    /// Writes a batch. The offsets of its messages are stored, or committed, afterwards.
    ///
    /// Effects of one partition come in its order; [in parallel](crate#in-parallel), those of one
    /// key. They may come again: after a failure, a kill, a
    /// rebalance, or a stop without enough time. Writing an effect twice has to be harmless.
    ///
    /// A batch has at most [`KafkaSettings::batch`](crate::KafkaSettings::batch) effects, or those
    /// of one transaction.
    ///
    /// # Errors
    ///
    /// An error fails the task; retry temporary failures within this method. [`RefusedEffects`]
    /// refuse some effects alone, if [`may_refuse`](Self::may_refuse) returns true.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at its await when the task is stopped and its time to drain has
    /// passed, or when the task is aborted. The batch is read again.
    fn write(&mut self, effects: Vec<E>) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Returns whether [`write`](Self::write) may return [`RefusedEffects`]. Asked once, when the
    /// task starts. Default: false.
    ///
    /// If so, a copy of each message that has an effect is kept until that is written, within
    /// [`KafkaSettings::window_bytes`](crate::KafkaSettings::window_bytes).
    fn may_refuse(&self) -> bool {
        false
    }
}

/// An error of a sink that refuses some effects of a batch, such as a row that violates a
/// constraint. It says that all others were written; one that refuses none says that all were.
///
/// The messages of the refused effects go to the dead-letter topic, as after
/// [`Verdict::DeadLetter`], although their records were produced. [`Sink::may_refuse`] has to
/// return true; otherwise it fails the task, as any other error does.
///
/// # Examples
///
/// ```
/// use task_kafka::{RefusedEffects, Sink};
///
/// struct Table(Vec<u32>);
///
/// impl Sink<i64> for Table {
///     async fn write(&mut self, effects: Vec<i64>) -> anyhow::Result<()> {
///         let mut refused = RefusedEffects::new();
///         for (index, effect) in effects.into_iter().enumerate() {
///             match u32::try_from(effect) {
///                 Ok(row) => self.0.push(row),
///                 Err(error) => refused.push(index, error.to_string()),
///             }
///         }
///         refused.into_result()
///     }
///
///     fn may_refuse(&self) -> bool {
///         true
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("the sink has refused effects: {0:?}")]
pub struct RefusedEffects(BTreeMap<usize, String>);

impl RefusedEffects {
    /// Creates an error that refuses no effect yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses the effect with this index in the batch, for this reason. Of two reasons for one
    /// effect, the later one counts.
    pub fn push(&mut self, index: usize, reason: impl Into<String>) {
        self.0.insert(index, reason.into());
    }

    /// Returns whether no effect is refused.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the error, or `Ok` if no effect is refused.
    pub fn into_result(self) -> anyhow::Result<()> {
        if self.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

/// The refused effects by their indices, in order, with the reasons.
impl IntoIterator for RefusedEffects {
    type Item = (usize, String);
    type IntoIter = btree_map::IntoIter<usize, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The sink of a transform without effects. It discards them.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl<E: Send + 'static> Sink<E> for NoSink {
    async fn write(&mut self, _effects: Vec<E>) -> anyhow::Result<()> {
        Ok(())
    }
}
