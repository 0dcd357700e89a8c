//! Settings that the constructors reject.

use std::time::Duration;

use task_kafka::{KafkaError, KafkaSettings, KafkaTask, NoSink, Producer};

use crate::rig::Copy;

fn valid() -> KafkaSettings {
    KafkaSettings::new("127.0.0.1:1").group("test").topics(["in"]).dead_letter_topic("dead")
}

fn create(settings: KafkaSettings) -> Result<(), KafkaError> {
    let producer = Producer::new(&settings)?;
    KafkaTask::new(settings, producer, Copy { pause: Duration::ZERO }, NoSink).map(drop)
}

#[tokio::test]
async fn invalid_settings_are_rejected_and_named() {
    create(valid()).unwrap();
    for (settings, named) in [
        (KafkaSettings::new(" "), "no broker"),
        (valid().group(""), "the group has no name"),
        (KafkaSettings::new("127.0.0.1:1").topics(["in"]), "the group has no name"),
        (valid().topics([""; 0]), "no topic"),
        (valid().topics(["in", "^o.*"]), "`^o.*`"),
        (valid().topics(["in", "dead"]), "`dead`, which is read"),
        (valid().window(0), "the window is zero"),
        (valid().window_bytes(0), "the window's limit in bytes is zero"),
        (valid().concurrency(0), "the concurrency is zero"),
        (valid().concurrency(2), "`KafkaTask::parallel`"),
        (valid().batch(0), "the batch is zero"),
        (valid().commit_interval(Duration::ZERO), "the commit interval is zero"),
        (valid().session_timeout(Duration::ZERO), "the session timeout is zero"),
        (valid().message_timeout(Duration::from_micros(999)), "the message timeout is zero"),
        (valid().setting("enable.idempotence", "false"), "`enable.idempotence`"),
        (valid().producer_setting("delivery.timeout.ms", "1"), "`delivery.timeout.ms`"),
        (valid().consumer_setting("enable.auto.commit", "false"), "`enable.auto.commit`"),
        (valid().setting("metadata.broker.list", "x:1"), "`metadata.broker.list`"),
        (valid().setting("delivery.report.only.error", "true"), "`delivery.report.only.error`"),
        (valid().consumer_setting("offset.store.method", "none"), "`offset.store.method`"),
    ] {
        let error = create(settings).unwrap_err();
        assert!(error.is_settings() && error.to_string().contains(named), "{named}: {error}");
    }
    for settings in [
        valid().setting("no.such", "1"),
        valid().session_timeout(Duration::from_secs(100_000)),
        valid().producer_setting("acks", "1"),
    ] {
        let error = create(settings).unwrap_err();
        assert!(!error.is_no_runtime(), "{error}");
    }
}

#[tokio::test]
async fn the_new_group_protocol_can_be_chosen() {
    create(valid().consumer_setting("group.protocol", "consumer")).unwrap();
    // The task does not set what the protocol forbids; setting it is an error.
    let both = valid()
        .consumer_setting("group.protocol", "consumer")
        .consumer_setting("partition.assignment.strategy", "range");
    assert!(create(both).is_err());
    // Of two the later counts, and the producer's is not the consumer's.
    let classic = valid()
        .consumer_setting("group.protocol", "consumer")
        .consumer_setting("group.protocol", "classic")
        .producer_setting("group.protocol", "consumer")
        .consumer_setting("partition.assignment.strategy", "range");
    create(classic).unwrap();
}

#[test]
fn a_task_is_rejected_outside_a_runtime() {
    assert!(create(valid()).unwrap_err().is_no_runtime());
}

#[test]
fn a_password_among_the_settings_is_not_shown() {
    assert!(!format!("{:?}", valid().setting("sasl.password", "hunter2")).contains("hunter2"));
}

#[tokio::test]
async fn no_time_or_number_is_too_large_to_be_checked() {
    const FOREVER: Duration = Duration::MAX;
    let all = valid()
        .window(usize::MAX)
        .batch(usize::MAX)
        .commit_interval(FOREVER)
        .retry_timeout(FOREVER)
        .stop_timeout(FOREVER)
        .revoke_timeout(FOREVER);
    create(all.clone()).unwrap();
    create(all.clone().message_timeout(FOREVER).transactional_id("test-0")).unwrap();
    Producer::new(&valid()).unwrap().close(FOREVER).await.unwrap();
    // librdkafka limits it to an hour.
    assert!(create(all.session_timeout(FOREVER)).unwrap_err().is_settings());
}
