//! The test rig: a broker, a scope in place of a manager, a transform, and a sink with a mode.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use task_core::Task;
use task_kafka::{
    Counters, Incoming, KafkaSettings, KafkaTask, Output, Producer, Record, RefusedEffects, Sink,
    Transform, Verdict,
};
use task_testkit::TestScope;
use tokio::task::JoinHandle;

use crate::broker::TestBroker;

pub const PARTITIONS: i32 = 4;

/// Fails a test that takes longer than two minutes.
pub async fn within_two_minutes<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), test).await.expect("the test hangs")
}

/// Polls until `holds` returns true, for at most 100 s.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(100), "not within 100 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn broker() -> TestBroker {
    // Shown for a failed test.
    let _ = tracing_subscriber::fmt().with_test_writer().with_ansi(false).try_init();
    TestBroker::start(&["in", "out", "dead"], PARTITIONS).await.unwrap()
}

pub fn settings(broker: &TestBroker) -> KafkaSettings {
    KafkaSettings::new(broker.bootstrap_servers())
        .group("test")
        .topics(["in"])
        .dead_letter_topic("dead")
        .session_timeout(Duration::from_secs(6))
}

/// Puts messages `0..count` into `in`, with ten keys.
pub async fn fill(broker: &TestBroker, count: usize) {
    let producer = Producer::new(&settings(broker)).unwrap();
    let mut deliveries = Vec::new();
    for id in 0..count {
        let record = Record::to("in").key(format!("key-{}", id % 10)).payload(id.to_string());
        deliveries.push(producer.send(&record).unwrap());
    }
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    producer.close(Duration::from_secs(5)).await.unwrap();
}

/// Reads a topic from its start to its present end: per partition the payloads in order.
pub async fn read_all(broker: &TestBroker, topic: &'static str) -> Vec<Vec<String>> {
    let servers = broker.bootstrap_servers().to_owned();
    tokio::task::spawn_blocking(move || {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers).set("group.id", "reader");
        let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create().unwrap();
        let timeout = Duration::from_secs(10);
        let mut all = Vec::new();
        for partition in 0..PARTITIONS {
            let (low, high) = consumer.fetch_watermarks(topic, partition, timeout).unwrap();
            let mut payloads = Vec::new();
            if high > low {
                let mut assignment = TopicPartitionList::new();
                assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
                consumer.assign(&assignment).unwrap();
                loop {
                    let message = consumer.poll(timeout).expect("a message in time").unwrap();
                    payloads.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
                    if message.offset() + 1 >= high {
                        break;
                    }
                }
            }
            all.push(payloads);
        }
        all
    })
    .await
    .unwrap()
}

/// Asserts that `topic` holds each of `0..count` once, each key's in order.
pub async fn assert_exactly(broker: &TestBroker, topic: &'static str, count: usize) {
    let mut seen = HashMap::<usize, usize>::new();
    for partition in read_all(broker, topic).await {
        let mut last = HashMap::new();
        for id in partition.iter().map(|payload| payload.parse::<usize>().unwrap()) {
            *seen.entry(id).or_default() += 1;
            let before = last.insert(id % 10, id);
            assert!(before < Some(id), "key {} out of order: {before:?} before {id}", id % 10);
        }
    }
    let lost = (0..count).filter(|id| !seen.contains_key(id)).count();
    let repeated = seen.values().filter(|&&times| times > 1).count();
    assert_eq!((lost, repeated, seen.len()), (0, 0, count), "(lost, repeated, ids)");
}

/// Asserts that `topic` holds each of `0..count` at least once.
pub async fn assert_none_lost(broker: &TestBroker, topic: &'static str, count: usize) {
    let seen: HashSet<String> = read_all(broker, topic).await.into_iter().flatten().collect();
    let lost: Vec<_> = (0..count).filter(|id| !seen.contains(&id.to_string())).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

/// A task that runs without a manager.
pub struct Running {
    pub scope: TestScope,
    pub counters: Counters,
    pub handle: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub fn start<T: Transform, S: Sink<T::Effect>>(task: KafkaTask<T, S>) -> Self {
        let scope = TestScope::new("kafka");
        let counters = task.counters();
        let handle = tokio::spawn(task.run(scope.context()));
        Self { scope, counters, handle }
    }

    /// Waits until the task has failed, and returns its failures in order.
    pub async fn failures(self) -> Vec<String> {
        match self.handle.await.unwrap() {
            Ok(()) => self.scope.failures(),
            Err(last) => failures_and(&self.scope, last),
        }
    }

    /// Cancels the task, which then has `grace` to end, and returns its result and how long it
    /// took.
    pub async fn stop(self, grace: Duration) -> (anyhow::Result<()>, Duration) {
        let start = Instant::now();
        self.scope.cancel_within(grace);
        let result = self.handle.await.unwrap();
        (result, start.elapsed())
    }
}

/// All failures of a task in order: those recorded, then its own.
pub fn failures_and(scope: &TestScope, last: anyhow::Error) -> Vec<String> {
    let mut failures = scope.failures();
    failures.push(format!("{last:#}"));
    failures
}

/// Copies `in` to `out`, taking `pause` for each message; payloads that begin with `bad` are
/// refused.
#[derive(Clone)]
pub struct Copy {
    pub pause: Duration,
}

impl Transform for Copy {
    type Effect = String;

    async fn transform(&mut self, message: &Incoming<'_>) -> anyhow::Result<Verdict<String>> {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        let payload = String::from_utf8(message.payload().unwrap().to_vec())?;
        if payload.starts_with("bad") {
            return Ok(Verdict::DeadLetter(String::from("it is bad")));
        }
        let mut record = Record::to("out").payload(payload.clone());
        if let Some(key) = message.key() {
            record = record.key(key);
        }
        Ok(Verdict::Forward(Output::new().record(record).effect(payload)))
    }
}

/// How a sink handles a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Keep,
    Fail,
    Hang,
    Panic,
    /// Refuses what ends with a 7.
    Refuse,
}

/// Keeps the effects, or does what its mode says.
#[derive(Clone)]
pub struct TestSink {
    pub rows: Arc<Mutex<Vec<String>>>,
    pub mode: Arc<Mutex<Mode>>,
}

impl TestSink {
    pub fn new(mode: Mode) -> Self {
        Self { rows: Arc::default(), mode: Arc::new(Mutex::new(mode)) }
    }
}

impl Sink<String> for TestSink {
    async fn write(&mut self, effects: Vec<String>) -> anyhow::Result<()> {
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Keep => self.rows.lock().unwrap().extend(effects),
            Mode::Fail => anyhow::bail!("disk full"),
            Mode::Hang => std::future::pending().await,
            Mode::Panic => panic!("sink gone"),
            Mode::Refuse => {
                let mut refused = RefusedEffects::new();
                for (index, effect) in effects.into_iter().enumerate() {
                    match effect.ends_with('7') {
                        true => refused.push(index, "a 7"),
                        false => self.rows.lock().unwrap().push(effect),
                    }
                }
                return refused.into_result().context("in a transaction");
            }
        }
        Ok(())
    }

    fn may_refuse(&self) -> bool {
        *self.mode.lock().unwrap() == Mode::Refuse
    }
}
