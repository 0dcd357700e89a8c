//! What is refused before anything runs.

use std::time::Duration;

use task_kafka::{Error, KafkaTask, NoSink, Producer, Settings};

use crate::bench::Copy;

fn good() -> Settings {
    Settings::new("127.0.0.1:1").group("test").topics(["in"]).dead_letter_topic("dead")
}

fn make(settings: Settings) -> Result<(), Error> {
    let producer = Producer::new(&settings)?;
    KafkaTask::new(settings, producer, Copy { pause: Duration::ZERO }, NoSink).map(drop)
}

#[tokio::test]
async fn bad_settings_are_refused_and_named() {
    make(good()).unwrap();
    for (settings, named) in [
        (Settings::new(" "), "no broker"),
        (good().group(""), "the group has no name"),
        (good().topics([""; 0]), "no topic"),
        (good().topics(["in", "^o.*"]), "`^o.*`"),
        (good().topics(["in", "dead"]), "`dead`, which is read"),
        (good().window(0), "the window is zero"),
        (good().batch(0), "the batch is zero"),
        (good().commit_interval(Duration::ZERO), "the commit interval is zero"),
        (good().session_timeout(Duration::ZERO), "the session timeout is zero"),
        (good().message_timeout(Duration::from_micros(999)), "the message timeout is zero"),
        (good().setting("enable.idempotence", "false"), "`enable.idempotence`"),
        (good().producer_setting("delivery.timeout.ms", "1"), "`delivery.timeout.ms`"),
        (good().consumer_setting("enable.auto.commit", "false"), "`enable.auto.commit`"),
        (good().setting("metadata.broker.list", "x:1"), "`metadata.broker.list`"),
    ] {
        let error = make(settings).unwrap_err();
        assert!(error.is_settings() && error.to_string().contains(named), "{named}: {error}");
    }
    for settings in [
        good().setting("no.such", "1"),
        good().session_timeout(Duration::from_secs(100_000)),
        good().producer_setting("acks", "1"),
    ] {
        let error = make(settings).unwrap_err();
        assert!(!error.is_no_runtime(), "{error}");
    }
}

#[tokio::test]
async fn the_new_group_protocol_can_be_chosen() {
    make(good().consumer_setting("group.protocol", "consumer")).unwrap();
    // What it forbids is not set behind the user's back, but is refused if the user does.
    let both = good()
        .consumer_setting("group.protocol", "consumer")
        .consumer_setting("partition.assignment.strategy", "range");
    assert!(make(both).is_err());
}

#[test]
fn a_task_is_refused_outside_a_runtime() {
    assert!(make(good()).unwrap_err().is_no_runtime());
}

#[test]
fn a_password_among_the_settings_is_not_shown() {
    assert!(!format!("{:?}", good().setting("sasl.password", "hunter2")).contains("hunter2"));
}
