//! Received messages, verdicts on them, and the records to produce.

use std::{
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rdkafka::{
    message::{
        BorrowedMessage, Header, Headers, Message as _, OwnedHeaders, OwnedMessage, Timestamp,
    },
    producer::BaseRecord,
    util::IntoOpaque,
};

/// A message as it was received. It borrows librdkafka's buffer: nothing is copied, unless
/// messages are transformed [in parallel](crate#in-parallel).
///
/// `Debug` prints `topic[partition]@offset`.
///
/// A test of a transform makes one from a [`Record`], as if that had been received.
///
/// # Examples
///
/// ```
/// use task_kafka::{Incoming, Record};
///
/// fn trace_id(message: &Incoming<'_>) -> Option<String> {
///     let (_, value) = message.headers().find(|(name, _)| *name == "trace-id")?;
///     String::from_utf8(value?.to_vec()).ok()
/// }
///
/// let message = Incoming::from(Record::to("orders").header("trace-id", "4bf92f35"));
/// assert_eq!(trace_id(&message).as_deref(), Some("4bf92f35"));
/// ```
pub struct Incoming<'a> {
    message: Received<'a>,
    attempt: u32,
}

/// A message in librdkafka's buffer, a copy of it that a worker has, or one that a test has made.
enum Received<'a> {
    Borrowed(&'a BorrowedMessage<'a>),
    Owned(&'a OwnedMessage),
    Made(Box<OwnedMessage>),
}

/// Calls a method of a message, wherever it is.
macro_rules! of {
    ($incoming:expr, $message:ident => $call:expr) => {
        match &$incoming.message {
            Received::Borrowed($message) => $call,
            Received::Owned($message) => $call,
            Received::Made($message) => $call,
        }
    };
}

impl<'a> Incoming<'a> {
    pub(crate) fn borrowed(message: &'a BorrowedMessage<'a>) -> Self {
        Self { message: Received::Borrowed(message), attempt: 1 }
    }

    pub(crate) fn owned(message: &'a OwnedMessage) -> Self {
        Self { message: Received::Owned(message), attempt: 1 }
    }

    pub(crate) fn count_attempt(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
    }

    /// Sets the offset of a message that a test has made. Default: 0.
    pub fn at_offset(mut self, offset: i64) -> Self {
        if let Received::Made(message) = self.message {
            self.message = Received::Made(Box::new(message.set_offset(offset)));
        }
        self
    }

    /// Sets the [`attempt`](Self::attempt) of a message that a test has made. Default: 1.
    pub fn at_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Returns the ordinal of this attempt, starting at 1. It is higher than 1 only after a
    /// [retry](Verdict::Retry). A message that is read again starts at 1 again.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the topic.
    pub fn topic(&self) -> &str {
        of!(self, it => it.topic())
    }

    /// Returns the partition.
    pub fn partition(&self) -> i32 {
        of!(self, it => it.partition())
    }

    /// Returns the offset within the partition.
    pub fn offset(&self) -> i64 {
        of!(self, it => it.offset())
    }

    /// Returns the key.
    pub fn key(&self) -> Option<&[u8]> {
        of!(self, it => it.key())
    }

    /// Returns the payload, or `None` for a tombstone.
    pub fn payload(&self) -> Option<&[u8]> {
        of!(self, it => it.payload())
    }

    /// Returns when the message was created or appended, in milliseconds since 1970, or `None` if
    /// the broker does not provide it.
    pub fn timestamp_ms(&self) -> Option<i64> {
        of!(self, it => it.timestamp()).to_millis()
    }

    /// Returns the headers in their order. Names may repeat.
    ///
    /// A header whose name is not UTF-8 is left out, and a dead letter says so. rdkafka panics at
    /// such a name, which is caught here: the panic hook runs, and so prints a line, each time that
    /// the header is read. In a program that is built with `panic = "abort"`, it ends the process.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        (0..self.header_count()).filter_map(|index| {
            let header = of!(self, it => header_at(it.headers()?, index))?;
            Some((header.key, header.value))
        })
    }

    fn header_count(&self) -> usize {
        of!(self, it => it.headers().map_or(0, |headers| headers.count()))
    }

    /// Creates the record for the dead-letter topic: the message as it was, with its origin and the
    /// reason in headers. They replace those that an earlier dead letter had, from which the
    /// message may have been replayed.
    ///
    /// Its timestamp becomes a header: brokers may refuse a record with an old one, or soon delete
    /// it.
    pub(crate) fn to_dead_letter(&self, topic: &Arc<str>, reason: &str) -> Record {
        let mut record = Record::to(Arc::clone(topic));
        record.key = self.key().map(<[u8]>::to_vec);
        record.payload = self.payload().map(<[u8]>::to_vec);
        let mut read = 0;
        for (name, value) in self.headers() {
            read += 1;
            if !LETTER_HEADERS.contains(&name) {
                record.headers.push((name.to_owned().into(), value.map(<[u8]>::to_vec)));
            }
        }
        let left_out = self.header_count() - read;
        if left_out > 0 {
            record = record.header("dead-letter-headers-left-out", left_out.to_string());
        }
        if let Some(timestamp) = self.timestamp_ms() {
            record = record.header("dead-letter-timestamp", timestamp.to_string());
        }
        record
            .header("dead-letter-reason", cut(reason))
            .header("dead-letter-topic", self.topic())
            .header("dead-letter-partition", self.partition().to_string())
            .header("dead-letter-offset", self.offset().to_string())
    }
}

/// The headers of a dead letter.
const LETTER_HEADERS: [&str; 7] = [
    "dead-letter-timestamp",
    "dead-letter-reason",
    "dead-letter-topic",
    "dead-letter-partition",
    "dead-letter-offset",
    "dead-letter-payload-bytes",
    "dead-letter-headers-left-out",
];

/// The most bytes of the reason in a dead letter.
const MAX_REASON: usize = 4096;

fn cut(reason: &str) -> &str {
    let end = (0..=MAX_REASON.min(reason.len())).rev().find(|&end| reason.is_char_boundary(end));
    &reason[..end.unwrap_or(0)]
}

/// Returns a header, or `None` if its name is not UTF-8: rdkafka panics then, and would do so again
/// after each restart.
fn header_at<H: Headers>(headers: &H, index: usize) -> Option<Header<'_, &[u8]>> {
    catch_unwind(AssertUnwindSafe(|| headers.try_get(index))).unwrap_or(None)
}

/// Makes a message for a test of a transform: the record as it would be received, in partition 0
/// unless it has one, and without a timestamp unless it has one.
impl From<Record> for Incoming<'_> {
    fn from(record: Record) -> Self {
        let headers = record.native_headers();
        let Record { topic, key, payload, partition, timestamp_ms, .. } = record;
        let timestamp = timestamp_ms.map_or(Timestamp::NotAvailable, Timestamp::CreateTime);
        let (topic, partition) = (topic.to_string(), partition.unwrap_or(0));
        let message = OwnedMessage::new(payload, key, topic, timestamp, partition, 0, headers);
        Self { message: Received::Made(Box::new(message)), attempt: 1 }
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.topic(), self.partition(), self.offset())
    }
}

/// The decision of a transform about one message. `E` is the effect for the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<E> {
    /// Produces these records and hands this effect to the sink. Both may be empty: then the
    /// message is only consumed.
    Forward(Output<E>),
    /// Sends the message to the dead-letter topic, for this reason: the message is bad.
    ///
    /// The record has the message's key, payload and headers, and the headers `dead-letter-reason`
    /// (4 KiB of it at most), `dead-letter-topic`, `dead-letter-partition`, `dead-letter-offset`,
    /// and `dead-letter-timestamp` in milliseconds since 1970, if the message has one. These
    /// replace all headers of an earlier dead letter. The record's own timestamp is the time at
    /// which it is sent: brokers may refuse an old one, or soon delete the record for it.
    ///
    /// If it is too large for the producer, its payload is halved until it fits, and
    /// `dead-letter-payload-bytes` has the size that the payload had.
    /// `dead-letter-headers-left-out` has the number of headers whose names are not UTF-8. If even
    /// the rest is too large, or there is no [dead-letter
    /// topic](crate::KafkaSettings::dead_letter_topic), the task fails, or skips the message: see
    /// [`KafkaSettings::on_poison`](crate::KafkaSettings::on_poison).
    DeadLetter(String),
    /// Calls the transform again after a pause, for this reason: something else is at fault, such
    /// as a service that does not answer.
    ///
    /// The pause is 100 ms at first and doubles up to 5 s. A stop ends it, and the message is read
    /// again. Until the message is decided the task receives nothing else, so that the order is
    /// kept; [in parallel](crate#in-parallel), it holds back the messages of its key alone. If its
    /// partition is revoked, the message is left to the next owner.
    ///
    /// After [`KafkaSettings::retry_timeout`](crate::KafkaSettings::retry_timeout) this counts as
    /// [`DeadLetter`](Self::DeadLetter). A transform that needs another limit checks
    /// [`Incoming::attempt`].
    Retry(String),
}

/// The output of one message.
///
/// # Examples
///
/// ```
/// use task_kafka::{Output, Record, Verdict};
///
/// // One record, and a row for the database.
/// let record = Record::to("prices").key("EUR").payload("1.07");
/// let output = Output::new().record(record).effect(("EUR", 1.07));
/// assert_eq!((output.records.len(), output.effect), (1, Some(("EUR", 1.07))));
/// # let _ = Verdict::Forward(Output::new().effect(0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output<E> {
    /// The records to produce, in this order.
    pub records: Vec<Record>,
    /// The effect to hand to the sink.
    pub effect: Option<E>,
}

impl<E> Output<E> {
    /// Creates an empty output: the message is only consumed.
    pub fn new() -> Self {
        Self { records: Vec::new(), effect: None }
    }

    /// Adds a record to produce, after those that were added before.
    pub fn record(mut self, record: Record) -> Self {
        if self.records.is_empty() {
            // Most messages become one record, and room for more would be wasted.
            self.records.reserve_exact(1);
        }
        self.records.push(record);
        self
    }

    /// Adds records to produce, in their order, after those that were added before.
    pub fn records(mut self, records: impl IntoIterator<Item = Record>) -> Self {
        self.records.extend(records);
        self
    }

    /// Sets the effect to hand to the sink. Default: none.
    pub fn effect(mut self, effect: E) -> Self {
        self.effect = Some(effect);
        self
    }
}

impl<E> Default for Output<E> {
    fn default() -> Self {
        Self::new()
    }
}

/// A record to produce.
///
/// # Examples
///
/// ```
/// use task_kafka::Record;
///
/// let record = Record::to("orders")
///     .key("customer-7")
///     .payload(r#"{"item": 42}"#)
///     .header("trace-id", "4bf92f35");
/// assert_eq!(record.as_key(), Some(&b"customer-7"[..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    topic: Arc<str>,
    key: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    partition: Option<i32>,
    timestamp_ms: Option<i64>,
    headers: Vec<(Cow<'static, str>, Option<Vec<u8>>)>,
}

impl Record {
    /// Creates an empty record for this topic.
    ///
    /// A service that produces many records to one topic keeps an `Arc<str>` of its name and passes
    /// clones, which saves a copy for each record.
    pub fn to(topic: impl Into<Arc<str>>) -> Self {
        let topic = topic.into();
        Self {
            topic,
            key: None,
            payload: None,
            partition: None,
            timestamp_ms: None,
            headers: Vec::new(),
        }
    }

    /// Sets the key. Records with one key go to one partition, and keep their order. Default: none.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the payload. Default: none, a tombstone.
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// Sets the partition. Default: chosen by the key, or at random without one.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the timestamp, in milliseconds since 1970. Default: the time at which it is sent.
    pub fn timestamp_ms(mut self, timestamp: i64) -> Self {
        self.timestamp_ms = Some(timestamp);
        self
    }

    /// Adds a header. Names may repeat. Default: none.
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), Some(value.as_ref().to_vec())));
        self
    }

    /// Adds a header without a value, which is not the same as an empty one. Default: none.
    pub fn null_header(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name.into(), None));
        self
    }

    /// Halves the payload. The first call notes in a header how long it was. Returns whether there
    /// was anything to cut.
    pub(crate) fn halve(&mut self) -> bool {
        let Some(payload) = self.payload.as_mut().filter(|payload| !payload.is_empty()) else {
            return false;
        };
        let bytes = payload.len();
        payload.truncate(bytes / 2);
        const NAME: &str = "dead-letter-payload-bytes";
        if !self.headers.iter().any(|(name, _)| name == NAME) {
            self.headers.push((NAME.into(), Some(bytes.to_string().into_bytes())));
        }
        true
    }

    /// Returns the most bytes that the record may take in a request, by which librdkafka decides
    /// whether it is too large.
    pub(crate) fn wire_bytes(&self) -> usize {
        /// The lengths, deltas and attributes of a record, each as long as it may be.
        const FRAME: usize = 36;
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| {
            let (name, value) = (name.len(), length(value));
            name + varint_bytes(name) + value + varint_bytes(value)
        });
        FRAME + length(&self.key) + length(&self.payload) + headers.sum::<usize>()
    }

    /// Returns the key.
    pub fn as_key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// Returns the payload.
    pub fn as_payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// Returns the record for librdkafka, which copies it.
    pub(crate) fn as_native<T: IntoOpaque>(&self, pending: T) -> BaseRecord<'_, [u8], [u8], T> {
        let mut record = BaseRecord::with_opaque_to(&self.topic, pending);
        record.key = self.key.as_deref();
        record.payload = self.payload.as_deref();
        record.partition = self.partition;
        record.timestamp = self.timestamp_ms;
        record.headers = self.native_headers();
        record
    }

    fn native_headers(&self) -> Option<OwnedHeaders> {
        if self.headers.is_empty() {
            return None;
        }
        let headers = OwnedHeaders::new_with_capacity(self.headers.len());
        Some(self.headers.iter().fold(headers, |headers, (key, value)| {
            headers.insert(Header { key, value: value.as_deref() })
        }))
    }
}

/// Returns the bytes of a length in Kafka's encoding: seven bits in each, and one for the sign.
fn varint_bytes(length: usize) -> usize {
    let bits = usize::BITS - length.leading_zeros() + 1;
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers, the first of which has a name that rdkafka panics at.
    struct Unreadable;

    impl Headers for Unreadable {
        fn count(&self) -> usize {
            2
        }

        fn try_get(&self, index: usize) -> Option<Header<'_, &[u8]>> {
            assert_ne!(index, 0, "not UTF-8");
            Some(Header { key: "readable", value: None })
        }
    }

    #[test]
    fn a_header_whose_name_is_not_utf_8_is_left_out() {
        let names = [0, 1].map(|index| header_at(&Unreadable, index).map(|header| header.key));
        assert_eq!(names, [None, Some("readable")]);
    }

    #[test]
    fn an_output_keeps_the_order_of_its_records() {
        let topics = |output: Output<u8>| -> Vec<String> {
            output.records.iter().map(|record| record.topic.to_string()).collect()
        };
        let output = Output::new().record(Record::to("a")).effect(1);
        let output = output.records(["b", "c"].map(Record::to)).record(Record::to("d"));
        assert_eq!(output.effect, Some(1));
        assert_eq!(topics(output), ["a", "b", "c", "d"]);
        assert_eq!(Output::<u8>::default(), Output { records: Vec::new(), effect: None });
    }

    #[test]
    fn a_test_makes_a_message_from_a_record() {
        let record = Record::to("in").key("k").payload("p").header("h", "v").null_header("n");
        let message = Incoming::from(record.clone());
        assert_eq!(format!("{message:?}"), "in[0]@0");
        assert_eq!((message.attempt(), message.timestamp_ms()), (1, None));
        assert_eq!((message.key(), message.payload()), (Some(&b"k"[..]), Some(&b"p"[..])));
        let headers: Vec<_> = message.headers().collect();
        assert_eq!(headers, [("h", Some(&b"v"[..])), ("n", None)]);

        let message = Incoming::from(record.partition(3).timestamp_ms(7));
        let message = message.at_offset(5).at_attempt(2);
        assert_eq!(format!("{message:?}"), "in[3]@5");
        assert_eq!((message.attempt(), message.timestamp_ms()), (2, Some(7)));
        assert_eq!(message.payload(), Some(&b"p"[..]));
        assert!(Incoming::from(Record::to("in")).payload().is_none(), "a tombstone");
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = format!("x{}", "ä".repeat(MAX_REASON));
        assert_eq!(cut(&long).len(), MAX_REASON - 1);
    }

    #[test]
    fn a_payload_is_halved_until_nothing_is_left_and_its_size_is_noted_once() {
        let mut record = Record::to("dead").payload("12345");
        for left in ["12", "1", ""] {
            assert!(record.halve());
            assert_eq!(record.as_payload(), Some(left.as_bytes()));
        }
        assert!(!record.halve());
        assert_eq!(record.headers, [("dead-letter-payload-bytes".into(), Some(b"5".to_vec()))]);
    }
}
