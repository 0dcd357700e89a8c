//! The calls into librdkafka that make up a transaction. All but [`begin`] block until the brokers
//! answer, and some for ever, so each runs on a dedicated thread, which is abandoned when its time
//! is over.

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

use crate::{Producer, SendError, error::cause, member::Consumer, thread::on_thread_within};

const NO_GROUP: &str = "the consumer is in no group";
const NOT_SENT: &str = "failed to send the offsets of a transaction";
const NOT_COMMITTED: &str = "failed to commit a transaction";
const NOT_ABORTED: &str = "failed to abort a transaction";
const NOT_REWOUND: &str = "failed to rewind to the last commit";

/// The pause between two attempts of a call that may be retried.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Why a transaction was not committed.
pub(super) enum TransactionError {
    /// The task cannot go on: another producer with its id has fenced this one, or the brokers deny
    /// access. Also an error of the user's code.
    Fatal(anyhow::Error),
    /// The transaction has to be aborted; the next one may succeed.
    Abortable(anyhow::Error),
    /// The transaction has to be aborted since the group has changed: the owners of its partitions
    /// read its messages again.
    Rebalanced(anyhow::Error),
    /// The producer cannot be used any more. Only the brokers know whether the transaction
    /// was committed, once a new producer has ended it.
    Unknown(anyhow::Error),
}

impl TransactionError {
    /// Sorts the error of a message whose records were not all queued. The transaction may have
    /// failed already, for a reason that librdkafka logs; the next one may succeed.
    pub(super) fn of_send(producer: &Producer, error: anyhow::Error) -> Self {
        let Some(native) = error.downcast_ref().map(SendError::native) else {
            return Self::Fatal(error);
        };
        match fatal_code(producer, native) {
            Some(code) => Self::of_fatal(code, error),
            None if native.rdkafka_error_code() == Some(RDKafkaErrorCode::State) => {
                Self::Abortable(error)
            }
            None => Self::Fatal(error),
        }
    }

    /// Sorts the error of a call that does not end the transaction.
    fn of_step(producer: &Producer, error: NativeError, what: &'static str) -> Self {
        match fatal_code(producer, &error) {
            Some(code) => Self::of_fatal(code, cause(error).context(what)),
            None if is_rebalance(&error) => Self::Rebalanced(cause(error).context(what)),
            None => Self::Abortable(cause(error).context(what)),
        }
    }

    /// Sorts the error of a commit or an abort: unless the brokers have refused it, it may have
    /// been done, or be done later.
    fn of_end(producer: &Producer, error: NativeError, what: &'static str) -> Self {
        let requires_abort =
            matches!(&error, NativeError::Transaction(error) if error.txn_requires_abort());
        match fatal_code(producer, &error) {
            Some(code) => Self::of_fatal(code, cause(error).context(what)),
            None if requires_abort => Self::Abortable(cause(error).context(what)),
            None => Self::Unknown(cause(error).context(what)),
        }
    }

    /// After a fatal error the producer is of no use. A new one is, unless the brokers would refuse
    /// it, too, or it would fence the one that has fenced this one.
    fn of_fatal(code: RDKafkaErrorCode, error: anyhow::Error) -> Self {
        use RDKafkaErrorCode::{
            ClusterAuthorizationFailed, Fenced, GroupAuthorizationFailed, InvalidProducerEpoch,
            ProducerFenced, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed,
            UnsupportedFeature, UnsupportedVersion,
        };
        match code {
            ClusterAuthorizationFailed
            | Fenced
            | GroupAuthorizationFailed
            | InvalidProducerEpoch
            | ProducerFenced
            | TopicAuthorizationFailed
            | TransactionalIdAuthorizationFailed
            | UnsupportedFeature
            | UnsupportedVersion => Self::Fatal(error),
            _ => Self::Unknown(error),
        }
    }
}

impl From<TransactionError> for anyhow::Error {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Fatal(error)
            | TransactionError::Abortable(error)
            | TransactionError::Rebalanced(error)
            | TransactionError::Unknown(error) => error,
        }
    }
}

/// Returns the code of the error that has made the producer unusable, if one has.
fn fatal_code(producer: &Producer, error: &NativeError) -> Option<RDKafkaErrorCode> {
    let code = error.rdkafka_error_code();
    let is_fatal = matches!(error, NativeError::Transaction(error) if error.is_fatal());
    if code == Some(RDKafkaErrorCode::Fatal) {
        // The calls after a fatal error name that one alone.
        return producer.native().client().fatal_error().map(|(code, _)| code).or(code);
    }
    code.filter(|_| is_fatal)
}

/// Whether the brokers refuse the offsets because the group has changed since they were read.
fn is_rebalance(error: &NativeError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
    matches!(
        error.rdkafka_error_code(),
        Some(IllegalGeneration | RebalanceInProgress | UnknownMemberId)
    )
}

/// Begins a transaction. Contacts no broker.
pub(super) fn begin(producer: &Producer) -> Result<(), TransactionError> {
    let begun = producer.native().begin_transaction();
    begun.map_err(|error| {
        TransactionError::of_step(producer, error, "failed to begin a transaction")
    })
}

/// Registers the transactional id: ends the transaction that an earlier producer of this id left
/// open, and fences that producer.
pub(super) async fn init(producer: &Producer, timeout: Duration) -> Result<(), TransactionError> {
    let owned = producer.clone();
    let initialized = on_thread_within("kafka-init", timeout, move || {
        retry(timeout, |left| owned.native().init_transactions(left))
    });
    let initialized = initialized.await.map_err(TransactionError::Unknown)?;
    initialized.map_err(|error| {
        TransactionError::of_end(producer, error, "failed to initialize transactions")
    })
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
    let (owned, consumer) = (producer.clone(), Arc::clone(consumer));
    let committed = on_thread_within("kafka-commit", timeout, move || {
        let deadline = Instant::now() + timeout;
        let of_step = |error, what| TransactionError::of_step(&owned, error, what);
        let group = consumer.native().group_metadata();
        // The close of the consumer does not wait for this thread.
        drop(consumer);
        let group = group.ok_or_else(|| of_step(NativeError::Canceled, NO_GROUP))?;
        let send = |left| owned.native().send_offsets_to_transaction(&offsets, &group, left);
        retry(timeout, send).map_err(|error| of_step(error, NOT_SENT))?;
        let left = deadline.saturating_duration_since(Instant::now());
        retry(left, |left| owned.native().commit_transaction(left))
            .map_err(|error| TransactionError::of_end(&owned, error, NOT_COMMITTED))
    });
    committed.await.map_err(|error| TransactionError::Unknown(error.context(NOT_COMMITTED)))?
}

/// Aborts the open transaction, and purges its records that are not yet delivered.
pub(super) async fn abort(producer: &Producer, timeout: Duration) -> Result<(), TransactionError> {
    let owned = producer.clone();
    let aborted = on_thread_within("kafka-abort", timeout, move || {
        retry(timeout, |left| owned.native().abort_transaction(left))
            .map_err(|error| TransactionError::of_end(&owned, error, NOT_ABORTED))
    });
    aborted.await.map_err(|error| TransactionError::Unknown(error.context(NOT_ABORTED)))?
}

/// Reads the group's committed offsets of these partitions.
pub(super) async fn read_committed(
    consumer: &Arc<Consumer>,
    partitions: TopicPartitionList,
    timeout: Duration,
) -> anyhow::Result<TopicPartitionList> {
    let consumer = Arc::clone(consumer);
    let read = on_thread_within("kafka-committed", timeout, move || {
        consumer.native().committed_offsets(partitions, timeout)
    });
    read.await?.map_err(cause).context("failed to read the committed offsets")
}

/// Returns those elements of a list whose partitions are still assigned.
pub(super) async fn assigned_of(
    consumer: &Arc<Consumer>,
    list: TopicPartitionList,
) -> anyhow::Result<TopicPartitionList> {
    let consumer = Arc::clone(consumer);
    let kept = on_thread_within("kafka-assignment", LOCAL_TIMEOUT, move || {
        let assigned = consumer.native().assignment()?;
        let mut kept = TopicPartitionList::new();
        for element in list.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            if assigned.find_partition(topic, partition).is_some() {
                kept.add_partition_offset(topic, partition, element.offset())?;
            }
        }
        KafkaResult::Ok(kept)
    });
    kept.await?.map_err(cause).context("failed to read the assignment")
}

/// How long a call may take that asks no broker.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Rewinds assigned partitions to these offsets.
pub(super) async fn rewind(
    consumer: &Arc<Consumer>,
    to: TopicPartitionList,
    timeout: Duration,
) -> anyhow::Result<()> {
    if to.count() == 0 {
        return Ok(());
    }
    let consumer = Arc::clone(consumer);
    let rewound = on_thread_within("kafka-seek", timeout, move || {
        consumer.native().seek_partitions(to, timeout)
    });
    let rewound = rewound.await?.map_err(cause).context(NOT_REWOUND)?;
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
