//! A stop ends in time, whatever blocks.

use std::time::{Duration, Instant};

use task_kafka::{Incoming, KafkaTask, Output, Producer, Record, Transform, Verdict};

use crate::rig::{
    Copy, Mode, Running, TestSink, broker, failures_and, fill, settings, until, within_two_minutes,
};

const AT_ONCE: Copy = Copy { pause: Duration::ZERO };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_brokers_away_a_stop_ends_in_time_and_names_what_was_abandoned() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 2000).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let slow = Copy { pause: Duration::from_millis(1) };
        let task = KafkaTask::new(settings, producer, slow, TestSink::new(Mode::Keep)).unwrap();
        let running = Running::start(task);
        until("some settled", || running.counters.get().settled > 50).await;
        broker.set_up(false);
        // Messages that were fetched before are still transformed.
        until("some in flight", || running.counters.get().in_flight > 50).await;
        let grace = Duration::from_secs(5);
        let scope = running.scope.clone();
        let (result, took) = running.stop(grace).await;
        assert!(took < grace, "took {took:?}");
        let failures = failures_and(&scope, result.unwrap_err());
        assert!(failures[0].ends_with("messages were abandoned and will be read again"));
        assert!(failures[1].starts_with("failed to produce the records of in["), "{failures:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_hangs_is_aborted_at_the_deadline() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let task = KafkaTask::new(settings, producer, AT_ONCE, TestSink::new(Mode::Hang)).unwrap();
        let running = Running::start(task);
        until("all in flight", || running.counters.get().in_flight == 100).await;
        let scope = running.scope.clone();
        let grace = Duration::from_secs(4);
        let (result, took) = running.stop(grace).await;
        assert!(took < grace, "took {took:?}");
        let expected = [
            "100 messages were abandoned and will be read again",
            "the sink did not return in time",
        ];
        assert_eq!(failures_and(&scope, result.unwrap_err()), expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_fails_fails_the_task_and_its_messages_are_read_again() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        for (mode, settled) in [(Mode::Fail, 0), (Mode::Keep, 100)] {
            let settings = settings(&broker);
            let producer = Producer::new(&settings).unwrap();
            let sink = TestSink::new(mode);
            let task = KafkaTask::new(settings, producer, AT_ONCE, sink.clone()).unwrap();
            let running = Running::start(task);
            if mode == Mode::Fail {
                let error = running.handle.await.unwrap().unwrap_err();
                let failures = failures_and(&running.scope, error);
                assert_eq!(failures[0], "failed to write to the sink: disk full");
                assert!(failures[1].ends_with("messages were abandoned and will be read again"));
                assert_eq!(running.counters.get().settled, settled);
            } else {
                until("all settled", || running.counters.get().settled == settled).await;
                assert_eq!(sink.rows.lock().unwrap().len(), 100);
                running.stop(Duration::from_secs(20)).await.0.unwrap();
            }
        }
    })
    .await;
}

/// Fails at the message `bad`, and forwards the others.
struct FailsAtBad;

impl Transform for FailsAtBad {
    type Effect = String;

    async fn transform(&mut self, message: &Incoming<'_>) -> anyhow::Result<Verdict<String>> {
        anyhow::ensure!(message.payload() != Some(b"bad"), "it cannot be transformed");
        Ok(Verdict::Forward(Output::new().effect(String::from("row"))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_fails_stops_its_group_at_once_and_ends_in_the_time_of_that_stop() {
    within_two_minutes(async {
        for transactional_id in [None, Some("failing")] {
            let broker = broker().await;
            let mut settings = settings(&broker);
            if let Some(id) = transactional_id {
                settings = settings.transactional_id(id);
            }
            let filler = Producer::new(&crate::rig::settings(&broker)).unwrap();
            for payload in ["good", "bad"] {
                let record = Record::to("in").partition(0).payload(payload);
                filler.send(&record).unwrap().await.unwrap();
            }
            let producer = Producer::new(&settings).unwrap();
            let task =
                KafkaTask::new(settings, producer, FailsAtBad, TestSink::new(Mode::Hang)).unwrap();
            let running = Running::start(task);
            let scope = running.scope.clone();
            // The sink hangs with the effect of the first message, so that the end takes long.
            until("the failure is recorded", || !scope.failures().is_empty()).await;
            assert!(scope.context().is_cancelled(), "the group does not stop");
            let start = Instant::now();
            running.scope.cancel_within(Duration::from_secs(3));
            let failures = running.failures().await;
            assert!(failures[0].ends_with("it cannot be transformed"), "{failures:?}");
            // Its own stop timeout is 15 s.
            assert!(start.elapsed() < Duration::from_secs(12), "took {:?}", start.elapsed());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_sink_is_resumed_after_the_group_was_left() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 10).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let task = KafkaTask::new(settings, producer, AT_ONCE, TestSink::new(Mode::Panic)).unwrap();
        let running = Running::start(task);
        let error = running.handle.await.unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&"sink gone"));
        let failures = running.scope.failures();
        // The panic is the task's at once, and resumed after the steps that must not be skipped.
        assert_eq!(failures.len(), 2, "{failures:?}");
        assert_eq!(failures[0], "panicked: sink gone");
        assert!(failures[1].ends_with("messages were abandoned and will be read again"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_stopped_while_it_joins_ends_at_once_and_cleanly() {
    within_two_minutes(async {
        let broker = broker().await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let task = KafkaTask::new(settings, producer, AT_ONCE, TestSink::new(Mode::Keep)).unwrap();
        let (result, took) = Running::start(task).stop(Duration::from_secs(10)).await;
        result.unwrap();
        assert!(took < Duration::from_secs(4), "took {took:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_time_or_number_is_too_large_to_run_and_to_stop() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 10).await;
        let settings = settings(&broker)
            .window(usize::MAX)
            .batch(usize::MAX)
            .commit_interval(Duration::MAX)
            .retry_timeout(Duration::MAX)
            .stop_timeout(Duration::MAX)
            .revoke_timeout(Duration::MAX);
        let producer = Producer::new(&settings).unwrap();
        let task = KafkaTask::new(settings, producer, AT_ONCE, TestSink::new(Mode::Keep)).unwrap();
        let running = Running::start(task);
        until("all settled", || {
            running.handle.is_finished() || running.counters.get().settled == 10
        })
        .await;
        // Without a deadline of the manager's.
        running.scope.cancel();
        running.handle.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aborted_task_is_not_closed_on_a_worker() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 1000).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let slow = Copy { pause: Duration::from_millis(1) };
        let task = KafkaTask::new(settings, producer, slow, TestSink::new(Mode::Keep)).unwrap();
        let running = Running::start(task);
        until("some settled", || running.counters.get().settled > 10).await;
        broker.set_up(false); // now a close on the spot would block
        let start = Instant::now();
        running.handle.abort();
        assert!(running.handle.await.unwrap_err().is_cancelled());
        assert!(start.elapsed() < Duration::from_secs(1), "blocked {:?}", start.elapsed());
    })
    .await;
}
