//! Several messages transformed at once, in the order of their keys.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use task_kafka::{
    Incoming, KafkaSettings, KafkaTask, Order, Output, Producer, Record, Transform, Verdict,
};
use tokio::time::sleep;

use crate::rig::{
    Mode, Running, TestSink, assert_exactly, assert_none_lost, broker, failures_and, fill,
    read_all, settings, until, within_two_minutes,
};

/// What all clones of a transform have seen.
#[derive(Default)]
struct Seen {
    /// The keys that are being transformed.
    busy: Mutex<HashMap<String, usize>>,
    most_at_once: AtomicUsize,
    most_of_one_key: AtomicUsize,
    ids: Mutex<HashSet<usize>>,
    is_released: AtomicBool,
}

/// Copies `in` to `out`, taking `pause` for each message. The message `held` is retried until it is
/// released, and `failing` fails.
#[derive(Clone)]
struct Slow {
    pause: Duration,
    held: Option<usize>,
    failing: Option<usize>,
    seen: Arc<Seen>,
}

impl Slow {
    fn new(millis: u64) -> Self {
        let pause = Duration::from_millis(millis);
        Self { pause, held: None, failing: None, seen: Arc::default() }
    }
}

/// A key that is being transformed, which may be dropped at any await.
struct Busy<'a>(&'a Seen, String);

impl<'a> Busy<'a> {
    fn new(seen: &'a Seen, key: String) -> Self {
        let mut busy = seen.busy.lock().unwrap();
        let of_key = busy.entry(key.clone()).or_default();
        *of_key += 1;
        seen.most_of_one_key.fetch_max(*of_key, SeqCst);
        seen.most_at_once.fetch_max(busy.values().sum(), SeqCst);
        Self(seen, key)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        *self.0.busy.lock().unwrap().get_mut(&self.1).unwrap() -= 1;
    }
}

impl Transform for Slow {
    type Effect = String;

    async fn transform(&mut self, message: &Incoming<'_>) -> anyhow::Result<Verdict<String>> {
        let key = String::from_utf8(message.key().unwrap().to_vec())?;
        let payload = String::from_utf8(message.payload().unwrap().to_vec())?;
        let id: usize = payload.parse()?;
        let _busy = Busy::new(&self.seen, key.clone());
        self.seen.ids.lock().unwrap().insert(id);
        sleep(self.pause).await;
        if self.failing == Some(id) {
            // Until messages behind it are done.
            sleep(Duration::from_millis(500)).await;
        }
        anyhow::ensure!(self.failing != Some(id), "no more");
        if self.held == Some(id) && !self.seen.is_released.load(SeqCst) {
            return Ok(Verdict::Retry("not yet".into()));
        }
        let record = Record::to("out").key(key).payload(payload.clone());
        Ok(Verdict::Forward(Output::new().record(record).effect(payload)))
    }
}

fn start(settings: KafkaSettings, transform: &Slow, sink: &TestSink) -> Running {
    let producer = Producer::new(&settings).unwrap();
    let task = KafkaTask::parallel(settings, producer, transform.clone(), sink.clone()).unwrap();
    Running::start(task)
}

async fn settled(running: &Running, count: u64) {
    until("all settled", || {
        assert!(!running.handle.is_finished(), "it ended: {:?}", running.scope.failures());
        running.counters.get().settled >= count
    })
    .await;
}

/// Asserts that each of `0..count` is among the rows once, each key's in order.
fn assert_rows(sink: &TestSink, count: usize) {
    let rows = sink.rows.lock().unwrap();
    let mut last = HashMap::new();
    for id in rows.iter().map(|row| row.parse::<usize>().unwrap()) {
        let before = last.insert(id % 10, id);
        assert!(before < Some(id), "row of key {} out of order: {before:?}, {id}", id % 10);
    }
    assert_eq!(rows.len(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_transformed_at_once_and_those_of_one_key_in_order() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 300).await;
        let (slow, sink) = (Slow::new(20), TestSink::new(Mode::Keep));
        let running = start(settings(&broker).concurrency(50), &slow, &sink);
        settled(&running, 300).await;
        assert_eq!(running.counters.get().in_flight, 0);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_exactly(&broker, "out", 300).await;
        assert_rows(&sink, 300);
        let at_once = slow.seen.most_at_once.load(SeqCst);
        assert!((4..=10).contains(&at_once), "there are ten keys: {at_once}");
        assert_eq!(slow.seen.most_of_one_key.load(SeqCst), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_and_the_window_limit_what_is_transformed_at_once() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 60).await;
        for (group, order, concurrency, bytes, range) in [
            ("by-partition", Order::Partition, 50, 1 << 20, 2..=4),
            ("unordered", Order::None, 50, 1 << 20, 11..=50),
            ("few", Order::None, 3, 1 << 20, 3..=3),
            ("small", Order::None, 50, 1, 1..=1),
        ] {
            let slow = Slow::new(30);
            let sink = TestSink::new(Mode::Keep);
            let settings = settings(&broker).group(group).order(order).concurrency(concurrency);
            let running = start(settings.window_bytes(bytes), &slow, &sink);
            settled(&running, 60).await;
            running.stop(Duration::from_secs(20)).await.0.unwrap();
            let at_once = slow.seen.most_at_once.load(SeqCst);
            assert!(range.contains(&at_once), "{group}: {at_once}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_retried_holds_its_key_and_its_offset_alone() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 200).await;
        let mut slow = Slow::new(0);
        slow.held = Some(7);
        let sink = TestSink::new(Mode::Keep);
        let running = start(settings(&broker).concurrency(20), &slow, &sink);
        // All but the 20 of its key.
        until("the others are done", || sink.rows.lock().unwrap().len() == 180).await;
        let counts = running.counters.get();
        assert!(counts.settled < 180, "offsets behind it are not stored: {counts:?}");
        slow.seen.is_released.store(true, SeqCst);
        settled(&running, 200).await;
        assert!(running.counters.get().retried > 0);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_exactly(&broker, "out", 200).await;
        assert_rows(&sink, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stop_leaves_behind_a_retry_is_named_and_read_again_in_order() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 200).await;
        let mut slow = Slow::new(0);
        slow.held = Some(7);
        let sink = TestSink::new(Mode::Keep);
        let running = start(settings(&broker).concurrency(20), &slow, &sink);
        until("the others are done", || sink.rows.lock().unwrap().len() == 180).await;
        let (scope, counters) = (running.scope.clone(), running.counters.clone());
        let (result, took) = running.stop(Duration::from_secs(20)).await;
        assert!(took < Duration::from_secs(8), "the retry was waited for: {took:?}");
        let left = counters.get().in_flight;
        assert!(left > 0);
        let failures = failures_and(&scope, result.unwrap_err());
        assert_eq!(failures[0], format!("{left} messages were abandoned and will be read again"));

        slow.seen.is_released.store(true, SeqCst);
        let running = start(settings(&broker).concurrency(20), &slow, &sink);
        settled(&running, 200 - counters.get().settled).await;
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_none_lost(&broker, "out", 200).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_in_mid_stream_lose_and_repeat_nothing() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 600).await;
        let (slow, sink) = (Slow::new(15), TestSink::new(Mode::Keep));
        let mut done = 0;
        for stop_after in [50, 120, 600] {
            let settings = settings(&broker).concurrency(30).batch(16);
            let running = start(settings, &slow, &sink);
            let counters = running.counters.clone();
            settled(&running, (stop_after - done).min(600 - done)).await;
            running.stop(Duration::from_secs(20)).await.0.unwrap();
            assert_eq!(counters.get().in_flight, 0);
            done += counters.get().settled;
        }
        assert_eq!(done, 600);
        assert_exactly(&broker, "out", 600).await;
        assert_rows(&sink, 600);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transform_that_fails_fails_the_task_and_nothing_behind_it_is_stored() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        let mut slow = Slow::new(5);
        slow.failing = Some(7);
        let sink = TestSink::new(Mode::Keep);
        // Some workers are idle: they would take the next message of the key at once.
        let running = start(settings(&broker).concurrency(20), &slow, &sink);
        let error = running.handle.await.unwrap().unwrap_err();
        let failures = failures_and(&running.scope, error);
        assert!(failures[0].starts_with("failed to transform in["), "{failures:?}");
        assert!(failures[0].ends_with(": no more"), "{failures:?}");
        // Of its key, nothing after it was transformed. Its partition has other keys, too.
        assert!(!slow.seen.ids.lock().unwrap().contains(&17));

        slow.failing = None;
        let before = running.counters.get().settled;
        let running = start(settings(&broker).concurrency(8), &slow, &sink);
        settled(&running, 100 - before).await;
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_none_lost(&broker, "out", 100).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebalance_waits_for_what_runs_and_loses_and_repeats_nothing() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 1000).await;
        let (slow, sink) = (Slow::new(100), TestSink::new(Mode::Keep));
        let settings = || settings(&broker).concurrency(30);
        let first = start(settings(), &slow, &sink);
        settled(&first, 50).await;
        let second = start(settings(), &slow, &sink);
        let total = || first.counters.get().settled + second.counters.get().settled;
        until("both have partitions", || second.counters.get().assigned > 0).await;
        until("all settled", || total() >= 1000).await;
        let counts = first.counters.get();
        assert_eq!((counts.unclean_revocations, counts.rewound), (0, 0), "{counts:?}");
        first.stop(Duration::from_secs(20)).await.0.unwrap();
        second.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_exactly(&broker, "out", 1000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transform_that_outlasts_the_revocation_is_dropped_and_left_to_the_next_owner() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 200).await;
        let (stuck, sink) = (Slow::new(1_000_000), TestSink::new(Mode::Keep));
        let settings = || {
            let settings = settings(&broker).concurrency(30);
            settings.revoke_timeout(Duration::from_millis(300))
        };
        let first = start(settings(), &stuck, &sink);
        until("ten keys", || stuck.seen.busy.lock().unwrap().len() == 10).await;
        let second = start(settings(), &Slow::new(1), &sink);
        until("the other member has its share", || second.counters.get().settled > 0).await;
        let busy = || stuck.seen.busy.lock().unwrap().values().sum::<usize>();
        until("those of revoked partitions are dropped", || busy() < 10).await;
        assert!(busy() > 0, "those of kept partitions are not");
        assert_eq!(first.counters.get().unclean_revocations, 1);
        first.stop(Duration::from_secs(4)).await.0.unwrap();
        settled(&second, 200).await;
        second.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_exactly(&broker, "out", 200).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_hold_what_was_transformed_at_once() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 600).await;
        let (slow, sink) = (Slow::new(10), TestSink::new(Mode::Keep));
        let settings = || {
            let settings = settings(&broker).transactional_id("test-0").concurrency(30);
            settings.commit_interval(Duration::from_millis(200)).window(150)
        };
        let running = start(settings(), &slow, &sink);
        settled(&running, 200).await;
        let counters = running.counters.clone();
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        let counts = counters.get();
        assert_eq!((counts.in_flight, counts.rewound), (0, 0), "{counts:?}");
        assert!(counts.commits >= 2, "{counts:?}");
        // The mock cluster forgets offsets of transactions: the second run reads all again.
        let rows = sink.rows.lock().unwrap().len();
        assert_eq!(rows as u64, counts.settled);
        assert_eq!(read_all(&broker, "out").await.concat().len(), rows);
        let at_once = slow.seen.most_at_once.load(SeqCst);
        // A transaction may hold messages of one partition alone, which has few of the ten keys.
        assert!((2..=10).contains(&at_once), "{at_once}");
        assert_eq!(slow.seen.most_of_one_key.load(SeqCst), 1);
        assert_rows(&sink, rows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_workers_that_is_aborted_is_repeated_as_a_whole() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 300).await;
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        broker.answer(RDKafkaApiKey::TxnOffsetCommit, &[refusal]);
        let (slow, sink) = (Slow::new(2), TestSink::new(Mode::Keep));
        let settings = settings(&broker).transactional_id("test-0").concurrency(30);
        let running = start(settings.commit_interval(Duration::from_millis(200)), &slow, &sink);
        settled(&running, 300).await;
        let counts = running.counters.get();
        assert!(counts.rewound > 0 && counts.commit_failures == 1, "{counts:?}");
        assert_eq!(counts.consumed, counts.settled + counts.rewound);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_none_lost(&broker, "out", 300).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_worker_aborts_the_transaction() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        let mut slow = Slow::new(5);
        slow.failing = Some(42);
        let sink = TestSink::new(Mode::Keep);
        let settings = settings(&broker).transactional_id("test-0").concurrency(8);
        let running = start(settings, &slow, &sink);
        let error = running.handle.await.unwrap().unwrap_err();
        let failures = failures_and(&running.scope, error);
        assert!(failures[0].starts_with("failed to transform in["), "{failures:?}");
        assert_eq!(running.counters.get().settled, 0);
    })
    .await;
}
