//! Delivery while the task works, and when it is stopped and started again.

use std::time::Duration;

use rdkafka::{
    Message as _,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use task_kafka::{KafkaSettings, KafkaTask, NoSink, Producer, Record};

use crate::rig::{
    Copy, Mode, Running, TestSink, assert_exactly, broker, fill, read_all, settings, until,
    within_two_minutes,
};

const AT_ONCE: Copy = Copy { pause: Duration::ZERO };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_produced_and_written_or_dead_lettered() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 500).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        for bad in 0..20 {
            producer.send(&Record::to("in").payload(format!("bad-{bad}"))).unwrap().await.unwrap();
        }
        let sink = TestSink::new(Mode::Keep);
        let task = KafkaTask::new(settings, producer.clone(), AT_ONCE, sink.clone()).unwrap();
        let running = Running::start(task);
        assert!(!running.scope.is_ready(), "ready before it was assigned anything");
        until("all settled", || running.counters.get().settled == 520).await;
        assert!(running.scope.is_ready());

        let counters = running.counters.clone();
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        let counts = counters.get();
        assert_eq!((counts.consumed, counts.produced, counts.dead_lettered), (520, 500, 20));
        assert_eq!(counts.in_flight, 0);
        assert_eq!(sink.rows.lock().unwrap().len(), 500);
        assert_exactly(&broker, "out", 500).await;
        assert_eq!(read_all(&broker, "dead").await.concat().len(), 20);
        producer.close(Duration::from_secs(5)).await.unwrap();
        broker.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_record_overtakes_one_that_was_refused() {
    within_two_minutes(async {
        let broker = broker().await;
        // Each request has one record, so that the refused one has others behind it.
        let settings = settings(&broker)
            .producer_setting("batch.num.messages", "1")
            .producer_setting("max.in.flight.requests.per.connection", "1");
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD;
        let producer = Producer::new(&settings).unwrap();
        broker.answer(RDKafkaApiKey::Produce, &[refusal]);
        let send = |id: u8| producer.send(&Record::to("out").partition(0).payload([id]));
        let deliveries: Vec<_> = (0..12).map(|id| send(id).unwrap()).collect();
        let mut failed = Vec::new();
        for (id, delivery) in deliveries.into_iter().enumerate() {
            match delivery.await {
                // On its way already. Apache's brokers would refuse its sequence number.
                Ok(()) => assert!((1..6).contains(&id), "{id} was delivered"),
                Err(error) => failed.push(format!("{error:#}")),
            }
        }
        assert!(failed[0].contains("failed to validate record"), "{failed:?}");
        broker.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_has_its_origin_and_the_reason_in_headers() {
    within_two_minutes(async {
        use rdkafka::{
            ClientConfig,
            consumer::{Consumer as _, StreamConsumer},
            message::Headers as _,
        };
        let broker = broker().await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        // As it is replayed from the dead-letter topic.
        let record = Record::to("in")
            .key("k")
            .partition(2)
            .payload("bad")
            .timestamp_ms(1_700_000_000_000)
            .header("trace", "7")
            .null_header("nothing")
            .header("dead-letter-timestamp", "1")
            .header("dead-letter-reason", "it was bad before");
        producer.send(&record).unwrap().await.unwrap();
        let task = KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap();
        let running = Running::start(task);
        until("dead-lettered", || running.counters.get().dead_lettered == 1).await;

        let reader: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "reader")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        reader.subscribe(&["dead"]).unwrap();
        let letter = reader.recv().await.unwrap();
        assert_eq!((letter.key(), letter.payload()), (Some(&b"k"[..]), Some(&b"bad"[..])));
        let sent = letter.timestamp().to_millis().unwrap();
        assert!(sent > 1_700_000_000_000, "retention may delete it at once: {sent}");
        let headers: Vec<String> = letter
            .headers()
            .unwrap()
            .iter()
            .map(|it| {
                format!("{}={}", it.key, String::from_utf8_lossy(it.value.unwrap_or(b"null")))
            })
            .collect();
        let expected = [
            "trace=7",
            "nothing=null",
            "dead-letter-timestamp=1700000000000",
            "dead-letter-reason=it is bad",
            "dead-letter-topic=in",
            "dead-letter-partition=2",
            "dead-letter-offset=0",
        ];
        assert_eq!(headers, expected);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_that_is_too_large_is_cut_to_fit() {
    within_two_minutes(async {
        let broker = broker().await;
        let filler = Producer::new(&settings(&broker)).unwrap();
        let payload = format!("bad{}", "x".repeat(20_000));
        filler.send(&Record::to("in").payload(payload)).unwrap().await.unwrap();
        let settings = settings(&broker).producer_setting("message.max.bytes", "6000");
        let producer = Producer::new(&settings).unwrap();
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        until("it has ended or settled", || {
            running.handle.is_finished() || running.counters.get().settled == 1
        })
        .await;
        assert_eq!(running.counters.get().dead_lettered, 1);
        let letters = read_all(&broker, "dead").await.concat();
        assert_eq!(letters.iter().map(String::len).collect::<Vec<_>>(), [20_003 / 4]);
        running.stop(Duration::from_secs(20)).await.0.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_mid_stream_loses_nothing_and_repeats_nothing() {
    within_two_minutes(async {
        const COUNT: usize = 6000;
        let broker = broker().await;
        fill(&broker, COUNT).await;
        let mut settled = 0;
        for goal in [1000, 2500, COUNT] {
            let settings = settings(&broker);
            let producer = Producer::new(&settings).unwrap();
            let slow = Copy { pause: Duration::from_millis(u64::from(goal < COUNT)) };
            let sink = TestSink::new(Mode::Keep);
            let task = KafkaTask::new(settings, producer.clone(), slow, sink).unwrap();
            let running = Running::start(task);
            until("goal reached", || settled + running.counters.get().settled as usize >= goal)
                .await;
            let counters = running.counters.clone();
            let (result, took) = running.stop(Duration::from_secs(20)).await;
            result.unwrap();
            assert!(took < Duration::from_secs(5), "an orderly stop took {took:?}");
            assert_eq!(
                counters.get().consumed,
                counters.get().settled,
                "consumed, but not settled"
            );
            settled += counters.get().settled as usize;
            producer.close(Duration::from_secs(5)).await.unwrap();
        }
        assert_eq!(settled, COUNT);
        assert_exactly(&broker, "out", COUNT).await;
        broker.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_message_without_a_dead_letter_topic_fails_the_task() {
    within_two_minutes(async {
        let broker = broker().await;
        let settings = KafkaSettings::new(broker.bootstrap_servers()).group("test").topics(["in"]);
        let producer = Producer::new(&settings).unwrap();
        producer.send(&Record::to("in").payload("bad")).unwrap().await.unwrap();
        let task = KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap();
        let failures = Running::start(task).failures().await;
        assert!(failures[0].contains("no dead-letter topic: it is bad"), "{failures:?}");
    })
    .await;
}

#[tokio::test]
async fn a_current_thread_runtime_is_supported() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 2000).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        let sink = TestSink::new(Mode::Keep);
        let task = KafkaTask::new(settings, producer, AT_ONCE, sink.clone()).unwrap();
        let running = Running::start(task);
        until("all settled", || running.counters.get().settled == 2000).await;
        let (result, took) = running.stop(Duration::from_secs(20)).await;
        result.unwrap();
        assert!(took < Duration::from_secs(5), "took {took:?}");
        assert_eq!(sink.rows.lock().unwrap().len(), 2000);
        assert_exactly(&broker, "out", 2000).await;
        broker.stop().await;
    })
    .await;
}
