//! The verdicts of a transform, and its failures.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use task_kafka::{
    Incoming, KafkaSettings, KafkaTask, NoSink, OnPoison, Output, Producer, Record, Transform,
    Verdict, transform_fn,
};

use crate::rig::{
    Running, assert_exactly, broker, fill, read_all, settings, until, within_two_minutes,
};

/// Makes a transform of a closure that waits for nothing.
fn decide(
    mut closure: impl FnMut(&Incoming<'_>) -> anyhow::Result<Verdict<()>> + Send + 'static,
) -> impl Transform<Effect = ()> {
    transform_fn(move |message| ready(closure(message)))
}

fn id(message: &Incoming<'_>) -> usize {
    std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap()
}

/// Returns the message unchanged, as a record for `out`.
fn copy(message: &Incoming<'_>) -> Record {
    Record::to("out").key(message.key().unwrap()).payload(message.payload().unwrap())
}

fn forward(records: Vec<Record>) -> anyhow::Result<Verdict<()>> {
    Ok(Verdict::Forward(Output::new().records(records)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_becomes_any_number_of_records_in_the_chosen_partitions() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 90).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let fan = decide(|message: &Incoming<'_>| {
            let count = id(message) % 3;
            forward((0..count).map(|_| copy(message).partition(count as i32)).collect())
        });
        let running = Running::start(KafkaTask::new(settings, producer, fan, NoSink).unwrap());
        until("all settled", || running.counters.get().settled == 90).await;
        assert_eq!(running.counters.get().produced, 30 + 60);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        let lengths: Vec<_> = read_all(&broker, "out").await.iter().map(Vec::len).collect();
        assert_eq!(lengths, [0, 30, 60, 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_retried_before_the_next_so_that_the_order_is_kept() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 60).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let most = Arc::new(AtomicU32::new(0));
        let stubborn = decide({
            let most = Arc::clone(&most);
            move |message: &Incoming<'_>| {
                most.fetch_max(message.attempt(), SeqCst);
                if id(message) % 20 == 7 && message.attempt() < 3 {
                    return Ok(Verdict::Retry("not yet".into()));
                }
                forward(vec![copy(message)])
            }
        });
        let running = Running::start(KafkaTask::new(settings, producer, stubborn, NoSink).unwrap());
        until("all settled", || running.counters.get().settled == 60).await;
        let counts = running.counters.get();
        assert_eq!((counts.retried, counts.dead_lettered, most.load(SeqCst)), (6, 0, 3));
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_exactly(&broker, "out", 60).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_dead_lettered_after_the_retry_timeout() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 3).await;
        let settings = settings(&broker).retry_timeout(Duration::from_millis(250));
        let producer = Producer::new(&settings).unwrap();
        let in_vain = decide(|message: &Incoming<'_>| match id(message) {
            1 => Ok(Verdict::Retry("no answer".into())),
            _ => forward(vec![copy(message)]),
        });
        let running = Running::start(KafkaTask::new(settings, producer, in_vain, NoSink).unwrap());
        until("all settled", || running.counters.get().settled == 3).await;
        assert_eq!(running.counters.get().dead_lettered, 1);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_eq!(read_all(&broker, "dead").await.concat(), ["1"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_with_a_record_that_is_too_large_is_dead_lettered() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 3).await;
        let settings = settings(&broker).producer_setting("message.max.bytes", "2000");
        let producer = Producer::new(&settings).unwrap();
        let growing = decide(|message: &Incoming<'_>| match id(message) {
            1 => forward(vec![copy(message), copy(message).payload([b'x'; 3000]), copy(message)]),
            _ => forward(vec![copy(message)]),
        });
        let running = Running::start(KafkaTask::new(settings, producer, growing, NoSink).unwrap());
        until("it ends or all are settled", || {
            running.handle.is_finished() || running.counters.get().settled == 3
        })
        .await;
        let counts = running.counters.get();
        assert_eq!((counts.produced, counts.dead_lettered), (2, 1));
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_eq!(read_all(&broker, "dead").await.concat(), ["1"]);
        // Neither what comes before the record that is too large, nor what comes after it.
        let mut produced = read_all(&broker, "out").await.concat();
        produced.sort();
        assert_eq!(produced, ["0", "2"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_dead_lettered_is_skipped_if_the_settings_say_so() {
    within_two_minutes(async {
        let broker = broker().await;
        let filler = Producer::new(&settings(&broker)).unwrap();
        // Its headers alone are too large for the producer of the task.
        let bad = Record::to("in").key("k").payload("bad").header("h", [b'x'; 3000]);
        filler.send(&bad).unwrap().await.unwrap();
        fill(&broker, 3).await;
        for (group, dead_letter_topic, transactional) in
            [("letters", true, false), ("none", false, false), ("transactions", true, true)]
        {
            let mut settings = KafkaSettings::new(broker.bootstrap_servers())
                .group(group)
                .topics(["in"])
                .on_poison(OnPoison::Skip)
                .producer_setting("message.max.bytes", "2000");
            if dead_letter_topic {
                settings = settings.dead_letter_topic("dead");
            }
            if transactional {
                settings = settings.transactional_id(group);
            }
            let producer = Producer::new(&settings).unwrap();
            let copying = decide(|message: &Incoming<'_>| match message.payload() {
                Some(b"bad") => Ok(Verdict::DeadLetter("it is bad".into())),
                _ => forward(vec![copy(message)]),
            });
            let task = KafkaTask::new(settings, producer, copying, NoSink).unwrap();
            let running = Running::start(task);
            until("it ends or all are settled", || {
                running.handle.is_finished() || running.counters.get().settled == 4
            })
            .await;
            let counts = running.counters.get();
            let counts = (counts.settled, counts.produced, counts.dead_lettered, counts.skipped);
            assert_eq!(counts, (4, 3, 0, 1), "{group}");
            until("the status says so", || {
                running.scope.status().is_some_and(|it| it.ends_with(", 1 skipped"))
            })
            .await;
            running.stop(Duration::from_secs(20)).await.0.unwrap();
        }
        assert!(read_all(&broker, "dead").await.concat().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_dead_lettered_fails_the_task() {
    within_two_minutes(async {
        let broker = broker().await;
        let filler = Producer::new(&settings(&broker)).unwrap();
        let bad = Record::to("in").payload("0").header("h", [b'x'; 3000]);
        filler.send(&bad).unwrap().await.unwrap();
        let settings = settings(&broker).producer_setting("message.max.bytes", "2000");
        let producer = Producer::new(&settings).unwrap();
        let refusing = decide(|_: &Incoming<'_>| Ok(Verdict::DeadLetter("it is bad".into())));
        let task = KafkaTask::new(settings, producer, refusing, NoSink).unwrap();
        let failures = Running::start(task).failures().await;
        let why = "too large for the dead-letter topic: it is bad";
        assert!(failures[0].starts_with("in[") && failures[0].ends_with(why), "{failures:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_retry() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 1).await;
        let settings = settings(&broker).retry_timeout(Duration::from_secs(100));
        let producer = Producer::new(&settings).unwrap();
        let never = decide(|_: &Incoming<'_>| Ok(Verdict::Retry("never".into())));
        let running = Running::start(KafkaTask::new(settings, producer, never, NoSink).unwrap());
        // By then the pauses take seconds.
        until("it waits", || running.counters.get().retried == 5).await;
        let (result, took) = running.stop(Duration::from_secs(20)).await;
        result.unwrap();
        assert!(took < Duration::from_secs(2), "took {took:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_transform_fails_the_task_after_earlier_messages_are_settled() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 50).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let mut count = 0;
        let failing = decide(move |message: &Incoming<'_>| {
            count += 1;
            anyhow::ensure!(count <= 30, "no more");
            forward(vec![copy(message)])
        });
        let running = Running::start(KafkaTask::new(settings, producer, failing, NoSink).unwrap());
        let counters = running.counters.clone();
        let error = running.failures().await.swap_remove(0);
        assert!(error.starts_with("failed to transform in["), "{error}");
        assert!(error.ends_with(": no more"), "{error}");
        let counts = counters.get();
        assert_eq!((counts.settled, counts.in_flight), (30, 0));
        assert_eq!(read_all(&broker, "out").await.concat().len(), 30);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_transform_is_resumed_after_earlier_messages_are_settled() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 50).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let mut count = 0;
        let failing = decide(move |message: &Incoming<'_>| {
            count += 1;
            assert!(count <= 30, "no more");
            forward(vec![copy(message)])
        });
        let running = Running::start(KafkaTask::new(settings, producer, failing, NoSink).unwrap());
        let error = running.handle.await.unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&"no more"));
        let counts = running.counters.get();
        assert_eq!((counts.settled, counts.in_flight), (30, 0));
    })
    .await;
}
