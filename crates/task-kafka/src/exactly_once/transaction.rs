//! The calls into librdkafka that make up a transaction. All but [`begin`] block until the brokers
//! answer, so each runs on a dedicated thread.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rdkafka::{
    TopicPartitionList,
    consumer::Consumer as _,
    error::{KafkaError as NativeError, KafkaResult, RDKafkaErrorCode},
    producer::Producer as _,
};

use crate::{Producer, error::cause, member::Consumer, thread::on_thread};

const NO_GROUP: &str = "the consumer is in no group";
const NOT_SENT: &str = "failed to send the offsets of a transaction";
const NOT_COMMITTED: &str = "failed to commit a transaction";
const NOT_REWOUND: &str = "failed to rewind to the last commit";

/// The pause between two attempts of a call that may be retried.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Why a transaction was not committed.
pub(super) enum TransactionError {
    /// The producer cannot be used any more: it was fenced by another producer with its id, or the
    /// brokers deny it access. Also an error of the user's code, after which the task fails.
    Fatal(anyhow::Error),
    /// The transaction has to be aborted; the next one may succeed.
    Abortable(anyhow::Error),
}

impl TransactionError {
    fn new(error: NativeError, what: &'static str) -> Self {
        let is_fatal = match &error {
            NativeError::Transaction(error) => error.is_fatal(),
            other => other.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal),
        };
        let error = cause(error).context(what);
        if is_fatal { Self::Fatal(error) } else { Self::Abortable(error) }
    }
}

impl From<TransactionError> for anyhow::Error {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Fatal(error) | TransactionError::Abortable(error) => error,
        }
    }
}

/// Begins a transaction. Contacts no broker.
pub(super) fn begin(producer: &Producer) -> Result<(), TransactionError> {
    let begun = producer.native().begin_transaction();
    begun.map_err(|error| TransactionError::new(error, "failed to begin a transaction"))
}

/// Registers the transactional id: aborts the transaction that an earlier producer of this id left
/// open, and fences that producer.
pub(super) async fn init(producer: &Producer, timeout: Duration) -> anyhow::Result<()> {
    let producer = producer.clone();
    let initialized = on_thread("kafka-init", move || {
        retry(timeout, |left| producer.native().init_transactions(left))
    });
    initialized.await?.map_err(cause).context("failed to initialize transactions")
}

/// Commits the open transaction with these offsets.
///
/// Every delivery report has to be in before: librdkafka would poll for them in steps of 100 ms.
pub(super) async fn commit(
    producer: &Producer,
    consumer: &Arc<Consumer>,
    offsets: TopicPartitionList,
    timeout: Duration,
) -> Result<(), TransactionError> {
    let (producer, consumer) = (producer.clone(), Arc::clone(consumer));
    let committed = on_thread("kafka-commit", move || {
        let deadline = Instant::now() + timeout;
        let group = consumer.native().group_metadata();
        // The close of the consumer does not wait for this thread.
        drop(consumer);
        let group = group.ok_or(NativeError::Canceled).map_err(|error| (error, NO_GROUP))?;
        let send = |left| producer.native().send_offsets_to_transaction(&offsets, &group, left);
        retry(timeout, send).map_err(|error| (error, NOT_SENT))?;
        let left = deadline.saturating_duration_since(Instant::now());
        retry(left, |left| producer.native().commit_transaction(left))
            .map_err(|error| (error, NOT_COMMITTED))
    });
    let committed = committed.await.map_err(TransactionError::Abortable)?;
    committed.map_err(|(error, what)| TransactionError::new(error, what))
}

/// Aborts the open transaction, and purges its records that are not yet delivered.
pub(super) async fn abort(producer: &Producer, timeout: Duration) -> anyhow::Result<()> {
    let producer = producer.clone();
    let aborted = on_thread("kafka-abort", move || {
        retry(timeout, |left| producer.native().abort_transaction(left))
    });
    aborted.await?.map_err(cause).context("failed to abort a transaction")
}

/// Rewinds the partitions of `from` that are still assigned to these offsets. The others are read
/// by their new owners.
pub(super) async fn rewind(
    consumer: &Arc<Consumer>,
    from: TopicPartitionList,
    timeout: Duration,
) -> anyhow::Result<()> {
    let consumer = Arc::clone(consumer);
    let rewound = on_thread("kafka-seek", move || {
        let assigned = consumer.native().assignment()?;
        let mut kept = TopicPartitionList::new();
        for element in from.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            if assigned.find_partition(topic, partition).is_some() {
                kept.add_partition_offset(topic, partition, element.offset())?;
            }
        }
        if kept.count() == 0 {
            return Ok(kept);
        }
        consumer.native().seek_partitions(kept, timeout)
    });
    let rewound: KafkaResult<TopicPartitionList> = rewound.await?;
    let rewound = rewound.map_err(cause).context(NOT_REWOUND)?;
    let failed = rewound.elements().iter().filter(|element| element.error().is_err()).count();
    ensure!(failed == 0, "{NOT_REWOUND} in {failed} partitions");
    Ok(())
}

/// Repeats a call as long as it returns an error that is marked as retriable and time is left.
fn retry(timeout: Duration, call: impl Fn(Duration) -> KafkaResult<()>) -> KafkaResult<()> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match call(left) {
            Err(NativeError::Transaction(error)) if error.is_retriable() && !left.is_zero() => {
                thread::sleep(left.min(RETRY_PAUSE));
            }
            other => return other,
        }
    }
}
