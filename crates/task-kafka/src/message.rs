//! What comes in, and what becomes of it.

use std::{borrow::Cow, fmt, sync::Arc};

use rdkafka::{
    message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders},
    producer::BaseRecord,
    util::IntoOpaque,
};

/// A message as it was received.
pub struct Incoming<'a> {
    message: &'a BorrowedMessage<'a>,
    attempt: u32,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(message: &'a BorrowedMessage<'a>) -> Self {
        Self { message, attempt: 1 }
    }

    pub(crate) fn again(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
    }

    /// Returns how often this message has been handed to the transform by this task since it was
    /// received, this time included: 1 unless the transform asked for a [retry](Verdict::Retry).
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the topic.
    pub fn topic(&self) -> &str {
        self.message.topic()
    }

    /// Returns the partition.
    pub fn partition(&self) -> i32 {
        self.message.partition()
    }

    /// Returns the offset within the partition.
    pub fn offset(&self) -> i64 {
        self.message.offset()
    }

    /// Returns the key.
    pub fn key(&self) -> Option<&[u8]> {
        self.message.key()
    }

    /// Returns the payload; a tombstone has none.
    pub fn payload(&self) -> Option<&[u8]> {
        self.message.payload()
    }

    /// Returns when the message was made or appended, in milliseconds since 1970, if the broker
    /// says so.
    pub fn timestamp_ms(&self) -> Option<i64> {
        self.message.timestamp().to_millis()
    }

    /// Returns the headers in order. Names may repeat.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let headers = self.message.headers();
        headers.into_iter().flat_map(|headers| headers.iter()).map(|it| (it.key, it.value))
    }

    /// Makes the record that goes to the dead-letter topic: the message as it was, with where it
    /// came from and why in headers.
    pub(crate) fn to_dead_letter(&self, topic: &Arc<str>, reason: &str) -> Record {
        let mut record = Record::to(Arc::clone(topic));
        record.key = self.key().map(<[u8]>::to_vec);
        record.payload = self.payload().map(<[u8]>::to_vec);
        for (name, value) in self.headers() {
            record.headers.push((name.to_owned().into(), value.map(<[u8]>::to_vec)));
        }
        record
            .header("dead-letter-reason", reason)
            .header("dead-letter-topic", self.topic())
            .header("dead-letter-partition", self.partition().to_string())
            .header("dead-letter-offset", self.offset().to_string())
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.topic(), self.partition(), self.offset())
    }
}

/// What a transform decides about one message; `E` is what its sink gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<E> {
    /// Go on with this, which may be nothing.
    Forward(Output<E>),
    /// Send the message as it is to the dead-letter topic, for this reason.
    DeadLetter(String),
    /// Hand the message to the transform again after a pause, for this reason: something else is at
    /// fault, such as a service that does not answer.
    ///
    /// The pause is 100 ms at first, doubles up to 5 s, and ends early for a stop, after which the
    /// message is read again. Until the message is dealt with the task receives nothing else, so
    /// that the order is kept, and a rebalance has to wait. When
    /// [`Settings::retry_budget`](crate::Settings::retry_budget) is used up, this is a
    /// [`DeadLetter`](Self::DeadLetter); a transform that wants something else looks at
    /// [`Incoming::attempt`].
    Retry(String),
}

/// What becomes of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output<E> {
    /// What to produce, in this order.
    pub records: Vec<Record>,
    /// What to hand to the sink.
    pub effect: Option<E>,
}

/// A record to produce.
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
    /// Makes an empty record for this topic.
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

    /// The key: records of one key keep their order. Default: none.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The payload. Default: none, a tombstone.
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// The partition. Default: chosen by the key.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// When it was made, in milliseconds since 1970. Default: when it is sent.
    pub fn timestamp_ms(mut self, timestamp: i64) -> Self {
        self.timestamp_ms = Some(timestamp);
        self
    }

    /// Adds a header. Default: none.
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), Some(value.as_ref().to_vec())));
        self
    }

    /// Returns the key.
    pub fn as_key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// Returns the payload.
    pub fn as_payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    pub(crate) fn as_native<T: IntoOpaque>(&self, ticket: T) -> BaseRecord<'_, [u8], [u8], T> {
        let mut record = BaseRecord::with_opaque_to(&self.topic, ticket);
        record.key = self.key.as_deref();
        record.payload = self.payload.as_deref();
        record.partition = self.partition;
        record.timestamp = self.timestamp_ms;
        if !self.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(self.headers.len());
            record.headers = Some(self.headers.iter().fold(headers, |headers, (key, value)| {
                headers.insert(Header { key, value: value.as_deref() })
            }));
        }
        record
    }
}
