//! Transactions, as far as the mock cluster can show them: it answers every call of a transaction,
//! hides nothing of an aborted one, and forgets the offsets of a committed one.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use task_kafka::{
    Incoming, KafkaSettings, KafkaTask, Output, Producer, Record, Transform, Verdict,
};
use tokio::sync::Semaphore;

use crate::{
    broker::TestBroker,
    rig::{
        self, Copy, Mode, Running, TestSink, assert_exactly, assert_none_lost, failures_and, fill,
        within_two_minutes,
    },
};

const AT_ONCE: Copy = Copy { pause: Duration::ZERO };

fn settings(broker: &TestBroker) -> KafkaSettings {
    rig::settings(broker).transactional_id("test-0").commit_interval(Duration::from_millis(100))
}

fn start(settings: KafkaSettings, transform: Copy, sink: TestSink) -> Running {
    let producer = Producer::new(&settings).unwrap();
    Running::start(KafkaTask::new(settings, producer, transform, sink).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_offsets_and_effects_are_committed_with_transactions() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 1000).await;
        let sink = TestSink::new(Mode::Keep);
        let running = start(settings(&broker).window(300), AT_ONCE, sink.clone());
        until("all settled", &running, |it| it.counters.get().settled == 1000).await;
        assert!(running.scope.is_ready());
        let counts = running.counters.get();
        assert!(counts.commits >= 4, "no transaction holds more than the window: {counts:?}");
        assert_eq!(counts.commits, counts.commit_latency.count());
        assert_eq!((counts.produced, counts.rewound, counts.in_flight), (1000, 0, 0));
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_eq!(sink.rows.lock().unwrap().len(), 1000);
        assert_exactly(&broker, "out", 1000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_commits_the_transaction_that_is_open() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 10).await;
        let settings = settings(&broker).commit_interval(Duration::from_secs(3600));
        let running = start(settings, AT_ONCE, TestSink::new(Mode::Keep));
        until("all in flight", &running, |it| it.counters.get().in_flight == 10).await;
        let counters = running.counters.clone();
        let (result, took) = running.stop(Duration::from_secs(20)).await;
        result.unwrap();
        assert!(took < Duration::from_secs(5), "took {took:?}");
        assert_eq!((counters.get().settled, counters.get().commits), (10, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_fails_is_aborted_and_its_messages_are_read_again() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 200).await;
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        broker.answer(RDKafkaApiKey::TxnOffsetCommit, &[refusal]);
        let running = start(settings(&broker), AT_ONCE, TestSink::new(Mode::Keep));
        until("all settled", &running, |it| it.counters.get().settled == 200).await;
        let counts = running.counters.get();
        assert!(counts.rewound > 0 && counts.commit_failures == 1, "{counts:?}");
        assert_eq!(counts.consumed, counts.settled + counts.rewound);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_none_lost(&broker, "out", 200).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_fails_while_it_is_filled_is_aborted_and_repeated() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 400).await;
        let slow = Copy { pause: Duration::from_millis(5) };
        let settings = settings(&broker).commit_interval(Duration::from_secs(1));
        let running = start(settings, slow, TestSink::new(Mode::Keep));
        until("some are in flight", &running, |it| it.counters.get().in_flight > 0).await;
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        broker.answer(RDKafkaApiKey::Produce, &[refusal]);
        until("all settled", &running, |it| it.counters.get().settled == 400).await;
        assert!(running.counters.get().rewound > 0);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_none_lost(&broker, "out", 400).await;
    })
    .await;
}

/// As with every other rebalance, the owners of the partitions read the messages again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_fail_because_the_group_changes_meanwhile() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 50).await;
        let settings = settings(&broker).commit_interval(Duration::from_secs(3600));
        let running = start(settings, AT_ONCE, TestSink::new(Mode::Keep));
        until("all are in flight", &running, |it| it.counters.get().in_flight == 50).await;
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
        broker.answer(RDKafkaApiKey::TxnOffsetCommit, &[refusal]);
        let (counters, scope) = (running.counters.clone(), running.scope.clone());
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_eq!(scope.failures(), [""; 0]);
        let counts = counters.get();
        assert_eq!((counts.settled, counts.rewound, counts.commit_failures), (0, 50, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_producer_fails_the_task() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 20).await;
        let fenced = RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED;
        broker.answer(RDKafkaApiKey::EndTxn, &[fenced]);
        let running = start(settings(&broker), AT_ONCE, TestSink::new(Mode::Keep));
        let error = running.handle.await.unwrap().unwrap_err();
        let failures = failures_and(&running.scope, error);
        assert!(failures[0].starts_with("failed to commit a transaction"), "{failures:?}");
        // Nor can it abort, which is in between.
        let last = failures.last().unwrap();
        assert!(last.ends_with("messages were abandoned and will be read again"), "{failures:?}");
        assert_eq!(running.counters.get().settled, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_fails_aborts_the_transaction_and_fails_the_task() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 20).await;
        let running = start(settings(&broker), AT_ONCE, TestSink::new(Mode::Fail));
        let error = running.handle.await.unwrap().unwrap_err();
        let failures = failures_and(&running.scope, error);
        assert_eq!(failures[0], "failed to write to the sink: disk full");
        let counts = running.counters.get();
        assert_eq!((counts.settled, counts.in_flight, counts.commits), (0, 0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_aborts_the_transaction_and_is_resumed() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 20).await;
        let running = start(settings(&broker), AT_ONCE, TestSink::new(Mode::Panic));
        let error = running.handle.await.unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&"sink gone"));
        let failures = running.scope.failures();
        // The panic is the task's at once, and resumed after the steps that must not be skipped.
        assert_eq!(failures.len(), 2, "{failures:?}");
        assert_eq!(failures[0], "panicked: sink gone");
        assert!(failures[1].ends_with("messages were abandoned and will be read again"));
        let counts = running.counters.get();
        assert!(counts.rewound > 0 && counts.in_flight == 0, "{counts:?}");
    })
    .await;
}

/// Invariant 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_that_fails_does_not_hide_its_cause() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 20).await;
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        broker.answer(RDKafkaApiKey::TxnOffsetCommit, &[refusal]);
        let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        broker.answer(RDKafkaApiKey::EndTxn, &[denied]);
        let running = start(settings(&broker), AT_ONCE, TestSink::new(Mode::Keep));
        let error = running.handle.await.unwrap().unwrap_err();
        let failures = failures_and(&running.scope, error);
        assert_eq!(failures.len(), 3, "{failures:?}");
        assert!(failures[0].starts_with("failed to send the offsets"), "{failures:?}");
        assert!(failures[1].starts_with("failed to abort a transaction"), "{failures:?}");
        assert!(failures[2].ends_with("messages were abandoned and will be read again"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_open_when_partitions_are_revoked_is_aborted() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 4000).await;
        let slow = || Copy { pause: Duration::from_millis(1) };
        // A transaction that ends by itself could end just before the revocation, which then would
        // find none open.
        let open = settings(&broker).window(8000).commit_interval(Duration::from_secs(3600));
        let first = start(open.clone(), slow(), TestSink::new(Mode::Keep));
        until("the first has begun", &first, |it| it.counters.get().in_flight > 0).await;
        let second = start(open.transactional_id("test-1"), slow(), TestSink::new(Mode::Keep));
        until("the first gave back", &first, |it| it.counters.get().rewound > 0).await;
        assert_eq!(first.counters.get().commits, 0);
        until("both have some", &first, |it| {
            it.counters.get().assigned == 2 && second.counters.get().assigned == 2
        })
        .await;
        // Not by the count: the second member starts at the beginning, since the mock forgets the
        // committed offsets.
        let last = Cell::new((0, Instant::now()));
        until("nothing is left", &first, |_| {
            let consumed = first.counters.get().consumed + second.counters.get().consumed;
            if last.get().0 != consumed {
                last.set((consumed, Instant::now()));
            }
            last.get().1.elapsed() > Duration::from_secs(3)
        })
        .await;
        let grace = Duration::from_secs(20);
        let (first, second) = tokio::join!(first.stop(grace), second.stop(grace));
        first.0.unwrap();
        second.0.unwrap();
        assert_none_lost(&broker, "out", 4000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_unknown_fate_is_resolved_by_a_new_producer() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 50).await;
        // A commit is abandoned after two seconds; the brokers may still have made it.
        let settings = settings(&broker).message_timeout(Duration::from_secs(2));
        let running = start(settings, AT_ONCE, TestSink::new(Mode::Keep));
        until("it commits", &running, |it| it.counters.get().commits > 0).await;
        let before = running.counters.get();
        let passing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
        broker.answer(RDKafkaApiKey::EndTxn, &[passing; 8]);
        fill(&broker, 50).await;
        until("it has a new producer", &running, |it| it.counters.get().renewals > 0).await;
        until("it commits again", &running, |it| {
            let counts = it.counters.get();
            counts.commits > before.commits && counts.in_flight == 0
        })
        .await;
        let counts = running.counters.get();
        assert_eq!(counts.consumed, counts.settled + counts.rewound);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_none_lost(&broker, "out", 50).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_brokers_away_a_stop_of_a_transaction_ends_in_time() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 50).await;
        let settings = settings(&broker).commit_interval(Duration::from_secs(3600));
        let running = start(settings, AT_ONCE, TestSink::new(Mode::Keep));
        until("all in flight", &running, |it| it.counters.get().in_flight == 50).await;
        broker.set_up(false);
        let grace = Duration::from_secs(6);
        let (result, took) = running.stop(grace).await;
        assert!(took < grace, "took {took:?}");
        result.unwrap_err();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_steps_of_a_stop_share_the_stop_timeout() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 50).await;
        let settings = settings(&broker)
            .commit_interval(Duration::from_secs(3600))
            .stop_timeout(Duration::from_secs(2));
        let running = start(settings, AT_ONCE, TestSink::new(Mode::Keep));
        until("all in flight", &running, |it| it.counters.get().in_flight == 50).await;
        broker.set_up(false);
        let (result, took) = running.stop(Duration::from_secs(60)).await;
        result.unwrap_err();
        assert!(took < Duration::from_secs(7), "took {took:?}");
    })
    .await;
}

/// Makes ten records of a message: takes one permit when it begins, and waits for another.
struct Burst(Arc<Semaphore>);

impl Transform for Burst {
    type Effect = String;

    async fn transform(&mut self, _: &Incoming<'_>) -> anyhow::Result<Verdict<String>> {
        for _ in 0..2 {
            self.0.acquire().await?.forget();
        }
        let records = (0..10).map(|id| Record::to("out").payload(id.to_string()));
        Ok(Verdict::Forward(Output::new().records(records)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_in_time_while_the_records_of_a_message_fill_the_queue() {
    within_two_minutes(async {
        let broker = rig::broker().await;
        fill(&broker, 1).await;
        let settings = settings(&broker)
            .message_timeout(Duration::from_secs(60))
            .stop_timeout(Duration::from_secs(2))
            .producer_setting("queue.buffering.max.messages", "2");
        let producer = Producer::new(&settings).unwrap();
        let gate = Arc::new(Semaphore::new(1));
        let burst = Burst(Arc::clone(&gate));
        let sink = TestSink::new(Mode::Keep);
        let task = KafkaTask::new(settings, producer.clone(), burst, sink).unwrap();
        let running = Running::start(task);
        until("it transforms", &running, |_| gate.available_permits() == 0).await;
        broker.set_up(false);
        gate.add_permits(1);
        until("the queue is full", &running, |_| format!("{producer:?}").contains(": 2")).await;
        let (result, took) = running.stop(Duration::from_secs(60)).await;
        result.unwrap_err();
        assert!(took < Duration::from_secs(20), "took {took:?}");
    })
    .await;
}

#[tokio::test]
async fn a_producer_with_another_transactional_id_is_rejected() {
    let settings = KafkaSettings::new("127.0.0.1:1").group("test").topics(["in"]);
    let producer = Producer::new(&settings).unwrap();
    let settings = settings.transactional_id("test-0");
    let error = KafkaTask::new(settings.clone(), producer, AT_ONCE, TestSink::new(Mode::Keep));
    assert!(error.unwrap_err().is_settings());
    assert!(Producer::new(&settings.transactional_id("")).unwrap_err().is_settings());
}

async fn until(what: &str, running: &Running, holds: impl Fn(&Running) -> bool) {
    rig::until(what, || {
        assert!(!running.handle.is_finished(), "it ended before: {what}");
        holds(running)
    })
    .await;
}
