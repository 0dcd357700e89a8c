//! Commits and membership, and their counters.

use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use task_kafka::{KafkaTask, NoSink, Producer};

use crate::rig::{
    Copy, Mode, Running, TestSink, assert_exactly, assert_none_lost, broker, fill, settings, until,
    within_two_minutes,
};

const AT_ONCE: Copy = Copy { pause: Duration::ZERO };
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_offsets_are_committed_at_the_interval_and_measured() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        let settings = settings(&broker).commit_interval(Duration::from_millis(50));
        let producer = Producer::new(&settings).unwrap();
        let task = KafkaTask::new(settings.clone(), producer, AT_ONCE, NoSink).unwrap();
        let running = Running::start(task);
        until("all settled", || running.counters.get().settled == 100).await;
        until("committed", || running.counters.get().commits >= 1).await;
        let commits = running.counters.get().commits;
        fill(&broker, 100).await;
        until("all settled again", || running.counters.get().settled == 200).await;
        until("committed again", || running.counters.get().commits > commits).await;
        let counts = running.counters.get();
        assert_eq!(counts.commit_latency.count(), counts.commits);
        assert_eq!(counts.delivery_latency.count(), 200);
        until("no lag is left", || running.counters.get().lag == 0).await;
        running.handle.abort();

        let producer = Producer::new(&settings).unwrap();
        let task = KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap();
        let next = Running::start(task);
        until("assigned", || next.counters.get().assigned == 4).await;
        fill(&broker, 10).await;
        until("the new are settled", || next.counters.get().settled >= 10).await;
        assert!(next.counters.get().settled < 200, "nothing was committed");
        next.stop(Duration::from_secs(20)).await.0.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_commit_is_retried_while_the_group_rebalances() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
        for (errors, settled) in [(&[refusal, refusal][..], 100), (&[][..], 1)] {
            let settings = settings(&broker).commit_interval(HOUR);
            let producer = Producer::new(&settings).unwrap();
            let task = KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap();
            let running = Running::start(task);
            if errors.is_empty() {
                until("assigned", || running.counters.get().assigned == 4).await;
                fill(&broker, 1).await;
            }
            until("all settled", || running.counters.get().settled >= settled).await;
            broker.answer(RDKafkaApiKey::OffsetCommit, errors);
            let counters = running.counters.clone();
            running.stop(Duration::from_secs(20)).await.0.unwrap();
            assert_eq!(counters.get().settled, settled, "the commit before was lost");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_commit_that_is_refused_permanently_fails_the_task() {
    within_two_minutes(async {
        use RDKafkaRespErr::{
            RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as NOT_ALLOWED,
            RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION as ILLEGAL_GENERATION,
        };
        let broker = broker().await;
        // The second refusal costs the assignment, and the stored offsets with it: the next commit
        // finds nothing to commit.
        for refusal in [NOT_ALLOWED, ILLEGAL_GENERATION] {
            fill(&broker, 10).await;
            let settings = settings(&broker).commit_interval(HOUR);
            let producer = Producer::new(&settings).unwrap();
            let task = KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap();
            let running = Running::start(task);
            until("all settled", || running.counters.get().settled >= 10).await;
            broker.answer(RDKafkaApiKey::OffsetCommit, &[refusal]);
            let (result, took) = running.stop(Duration::from_secs(20)).await;
            let error = format!("{:#}", result.unwrap_err());
            assert!(
                error.starts_with("failed to commit: the last messages will be read"),
                "{error}"
            );
            assert!(took < Duration::from_secs(15), "took {took:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_refused_for_good_fails_the_task_at_once() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 10).await;
        let settings = settings(&broker).commit_interval(Duration::from_millis(50));
        let producer = Producer::new(&settings).unwrap();
        broker.answer(
            RDKafkaApiKey::OffsetCommit,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED],
        );
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        until("it has failed", || running.handle.is_finished()).await;
        let failures = running.failures().await;
        assert!(failures[0].contains("Group authorization failed"), "{failures:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_commit_is_retried_while_its_coordinator_loads() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 10).await;
        let settings = settings(&broker).commit_interval(HOUR);
        let producer = Producer::new(&settings).unwrap();
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        until("all settled", || running.counters.get().settled == 10).await;
        let loading = RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
        // More often than librdkafka asks again by itself.
        broker.answer(RDKafkaApiKey::OffsetCommit, &[loading; 12]);
        let counters = running.counters.clone();
        running.stop(Duration::from_secs(60)).await.0.unwrap();
        assert!(counters.get().commit_failures > 0, "librdkafka has retried it alone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_stays_full_fails_the_task_after_its_retry_timeout() {
    within_two_minutes(async {
        let broker = broker().await;
        let settings = settings(&broker).retry_timeout(Duration::from_secs(1));
        let producer = Producer::new(&settings).unwrap();
        let full = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED;
        broker.answer(RDKafkaApiKey::JoinGroup, &[full; 1000]);
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        until("it has failed", || running.handle.is_finished()).await;
        let failures = running.failures().await;
        assert!(failures[0].starts_with("failed to receive: "), "{failures:?}");
        assert!(failures[0].contains("JoinGroup failed"), "the reason is lost: {failures:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetches_that_go_on_failing_fail_a_member_that_has_partitions() {
    within_two_minutes(async {
        let broker = broker().await;
        let settings = settings(&broker).retry_timeout(Duration::from_secs(2));
        let producer = Producer::new(&settings).unwrap();
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        until("assigned", || running.counters.get().assigned == 4).await;
        let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN;
        broker.answer(RDKafkaApiKey::Fetch, &[unknown; 1000]);
        let begun = Instant::now();
        until("it has failed", || running.handle.is_finished()).await;
        // Long after the 2 s, and well before the half minute that it took when each look at the
        // assignment began the time anew.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let failures = running.failures().await;
        assert!(failures[0].starts_with("failed to receive: "), "{failures:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_are_refused_at_each_interval_fail_the_task() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 10).await;
        // The interval is longer than errors may last.
        let settings = settings(&broker)
            .commit_interval(Duration::from_secs(1))
            .retry_timeout(Duration::from_millis(300));
        let producer = Producer::new(&settings).unwrap();
        let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN;
        broker.answer(RDKafkaApiKey::OffsetCommit, &[unknown; 1000]);
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        until("it has failed", || running.handle.is_finished()).await;
        let failures = running.failures().await;
        assert!(failures[0].starts_with("failed to commit: "), "{failures:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_may_not_join_again_after_a_revocation_fails() {
    within_two_minutes(async {
        let broker = broker().await;
        // With this strategy, all partitions are revoked before the member joins again.
        let settings = settings(&broker)
            .retry_timeout(Duration::from_secs(1))
            .consumer_setting("partition.assignment.strategy", "range")
            .consumer_setting("heartbeat.interval.ms", "200");
        let producer = Producer::new(&settings).unwrap();
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        until("assigned", || running.counters.get().assigned == 4).await;
        let full = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED;
        broker.answer(RDKafkaApiKey::JoinGroup, &[full; 1000]);
        let rebalance = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
        broker.answer(RDKafkaApiKey::Heartbeat, &[rebalance]);
        until("it has failed", || running.handle.is_finished()).await;
        assert_eq!(running.counters.get().unclean_revocations, 0, "they were lost");
        let failures = running.failures().await;
        assert!(failures[0].contains("JoinGroup failed"), "{failures:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_partitions_are_reported_and_assigned_again() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 300).await;
        let settings = settings(&broker).consumer_setting("heartbeat.interval.ms", "200");
        let producer = Producer::new(&settings).unwrap();
        let slow = Copy { pause: Duration::from_millis(10) };
        let task = KafkaTask::new(settings, producer, slow, NoSink).unwrap();
        let running = Running::start(task);
        until("some settled", || running.counters.get().settled > 20).await;
        let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
        broker.answer(RDKafkaApiKey::Heartbeat, &[unknown]);
        until("they are lost", || !running.scope.is_ready()).await;
        assert!(running.counters.get().unclean_revocations > 0);
        until("ready again", || running.scope.is_ready()).await;
        assert_eq!(running.counters.get().assigned, 4);
        until("all settled", || running.counters.get().settled >= 300).await;
        until("no lag is left", || running.counters.get().lag == 0).await;
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_none_lost(&broker, "out", 300).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_offset_fails_the_task_if_the_settings_ask_for_it() {
    within_two_minutes(async {
        let broker = broker().await;
        let settings = settings(&broker).consumer_setting("auto.offset.reset", "error");
        let producer = Producer::new(&settings).unwrap();
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        let failures = running.failures().await;
        assert!(failures[0].starts_with("failed to receive: "), "{failures:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_produce_errors_neither_lose_nor_repeat_nor_reorder() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 1000).await;
        let settings = settings(&broker);
        let producer = Producer::new(&settings).unwrap();
        broker.delay(Duration::from_millis(20));
        let running = Running::start(KafkaTask::new(settings, producer, AT_ONCE, NoSink).unwrap());
        until("some consumed", || running.counters.get().consumed > 0).await;
        let passing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
        broker.answer(RDKafkaApiKey::Produce, &[passing; 8]);
        until("all settled", || running.counters.get().settled == 1000).await;
        let latency = running.counters.get().delivery_latency;
        assert!(latency.mean().unwrap() > Duration::from_millis(20), "{latency:?}");
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_exactly(&broker, "out", 1000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_the_window_is_in_flight() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 500).await;
        let settings = settings(&broker).window(8);
        let producer = Producer::new(&settings).unwrap();
        let sink = TestSink::new(Mode::Hang);
        let task = KafkaTask::new(settings, producer, AT_ONCE, sink).unwrap();
        let running = Running::start(task);
        until("the window is full", || running.counters.get().in_flight == 8).await;
        let counters = running.counters.clone();
        running.stop(Duration::from_secs(2)).await.0.unwrap_err();
        assert_eq!((counters.get().consumed, counters.get().settled), (8, 0));
    })
    .await;
}
