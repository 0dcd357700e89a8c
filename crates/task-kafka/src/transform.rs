//! The user's part: a transform, and a sink for its effects.

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
    /// An error fails the task; retry temporary failures within this method.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at its await when the task is stopped and its time to drain has
    /// passed, or when the task is aborted. The batch is read again.
    fn write(&mut self, effects: Vec<E>) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The sink of a transform without effects. It discards them.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl<E: Send + 'static> Sink<E> for NoSink {
    async fn write(&mut self, _effects: Vec<E>) -> anyhow::Result<()> {
        Ok(())
    }
}
