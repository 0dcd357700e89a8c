//! The group goes on while the task cannot take messages.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use task_kafka::{Incoming, KafkaTask, Output, Producer, Sink, Transform, Verdict};

use crate::rig::{
    Copy, Mode, Running, TestSink, assert_exactly, assert_none_lost, broker, fill, settings, until,
    within_two_minutes,
};

const AT_ONCE: Copy = Copy { pause: Duration::ZERO };

/// Never decides.
struct Stuck;

impl Transform for Stuck {
    type Effect = String;

    async fn transform(&mut self, _: &Incoming<'_>) -> anyhow::Result<Verdict<String>> {
        pending().await
    }
}

fn start<T: Transform, S: Sink<T::Effect>>(
    settings: task_kafka::KafkaSettings,
    transform: T,
    sink: S,
) -> Running {
    let producer = Producer::new(&settings).unwrap();
    Running::start(KafkaTask::new(settings, producer, transform, sink).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_hangs_holds_up_no_rebalance() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 400).await;
        let settings = || settings(&broker).window(20).revoke_timeout(Duration::from_millis(300));
        let hanging = TestSink::new(Mode::Hang);
        let first = start(settings(), AT_ONCE, hanging.clone());
        until("the window is full", || first.counters.get().in_flight == 20).await;
        let sink = TestSink::new(Mode::Keep);
        let second = start(settings(), AT_ONCE, sink.clone());
        until("the other member works", || second.counters.get().settled > 0).await;
        // It was assigned all partitions, and took part in the revocation of some.
        let counts = first.counters.get();
        assert!(counts.rebalances > 1 && counts.assigned > 0, "{counts:?}");
        first.stop(Duration::from_secs(4)).await.0.unwrap_err();
        until("all settled", || second.counters.get().settled == 400).await;
        second.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_none_lost(&broker, "out", 400).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transform_that_hangs_holds_up_no_rebalance() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 400).await;
        for transactional in [false, true] {
            let settings = || {
                let settings = settings(&broker).group(format!("test-{transactional}"));
                if transactional { settings.transactional_id("stuck") } else { settings }
            };
            let first = start(settings(), Stuck, TestSink::new(Mode::Keep));
            until("it has all partitions", || first.counters.get().assigned == 4).await;
            let mut others = settings();
            if transactional {
                others = others.transactional_id("other");
            }
            let second = start(others, AT_ONCE, TestSink::new(Mode::Keep));
            until("the other member works", || second.counters.get().settled > 0).await;
            assert!(first.counters.get().rebalances > 1, "it took part in the rebalance");
            first.stop(Duration::from_secs(10)).await.0.unwrap();
            until("all settled", || second.counters.get().settled == 400).await;
            second.stop(Duration::from_secs(20)).await.0.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_window_neither_leaves_the_group_nor_repeats_what_was_paused() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 400).await;
        let settings =
            settings(&broker).window(20).batch(10).consumer_setting("max.poll.interval.ms", "6000");
        let sink = TestSink::new(Mode::Hang);
        let slow = Slowly(sink.clone());
        let running = start(settings, AT_ONCE, slow);
        until("the window is full", || running.counters.get().in_flight == 20).await;
        // Longer than the consumer may go without being polled.
        tokio::time::sleep(Duration::from_secs(8)).await;
        let counts = running.counters.get();
        assert_eq!((counts.assigned, counts.rebalances), (4, 1), "{counts:?}");
        *sink.mode.lock().unwrap() = Mode::Keep;
        until("all settled", || running.counters.get().settled == 400).await;
        running.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_exactly(&broker, "out", 400).await;
        assert_eq!(sink.rows.lock().unwrap().len(), 400);
    })
    .await;
}

/// A sink that waits while its mode is to hang.
struct Slowly(TestSink);

impl Sink<String> for Slowly {
    async fn write(&mut self, effects: Vec<String>) -> anyhow::Result<()> {
        while *self.0.mode.lock().unwrap() == Mode::Hang {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.0.write(effects).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_stands_still_names_the_call_and_is_not_ready_until_it_moves() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        let settings = settings(&broker).stall_timeout(Duration::from_secs(1));
        let sink = TestSink::new(Mode::Hang);
        let running = start(settings, AT_ONCE, Slowly(sink.clone()));
        until("it is ready", || running.scope.is_ready()).await;
        until("it is not ready", || !running.scope.is_ready()).await;
        let counts = running.counters.get();
        assert!(counts.slow_calls == 1 && counts.stalled >= Duration::from_secs(1), "{counts:?}");
        until("the status says why", || {
            let status = running.scope.status().unwrap_or_default();
            status.contains(", nothing moved for ") && status.contains(", writing ")
        })
        .await;
        *sink.mode.lock().unwrap() = Mode::Keep;
        until("it is ready again", || running.scope.is_ready()).await;
        until("all settled", || running.counters.get().settled == 100).await;
        // At the end of the topic nothing moves, and there is nothing to move.
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(running.scope.is_ready());
        let counts = running.counters.get();
        assert_eq!((counts.slow_calls, counts.stalled), (0, Duration::ZERO));
        running.stop(Duration::from_secs(20)).await.0.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transform_that_takes_long_is_named() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 1).await;
        let settings = settings(&broker).stall_timeout(Duration::from_secs(1));
        let running = start(settings, Stuck, TestSink::new(Mode::Keep));
        until("the status names it", || {
            let status = running.scope.status().unwrap_or_default();
            status.contains(", transforming in[")
        })
        .await;
        until("it is not ready", || !running.scope.is_ready()).await;
        running.stop(Duration::from_secs(20)).await.0.unwrap();
    })
    .await;
}

/// Blocks its thread at the first message, until it is let go.
struct Blocking(Arc<AtomicBool>);

impl Transform for Blocking {
    type Effect = String;

    async fn transform(&mut self, _: &Incoming<'_>) -> anyhow::Result<Verdict<String>> {
        while self.0.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Verdict::Forward(Output::new()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_lag_is_right_while_the_consumer_stands_still() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        let sink = TestSink::new(Mode::Hang);
        let is_blocked = Arc::new(AtomicBool::new(true));
        let paused = start(settings(&broker).window(20), AT_ONCE, Slowly(sink.clone()));
        let blocking = Blocking(Arc::clone(&is_blocked));
        let blocked = start(settings(&broker).group("other"), blocking, TestSink::new(Mode::Keep));
        for count in [100, 200] {
            for running in [&paused, &blocked] {
                until("the lag is that of the topic", || {
                    let lags = running.counters.lags();
                    let sum = lags.iter().map(|it| it.lag).sum::<u64>();
                    let status = running.scope.status().unwrap_or_default();
                    (sum, running.counters.get().lag) == (count, count)
                        && status.contains(&format!("4 partitions, lag {count}, "))
                })
                .await;
            }
            fill(&broker, 100).await;
        }
        is_blocked.store(false, Relaxed);
        *sink.mode.lock().unwrap() = Mode::Keep;
        for running in [paused, blocked] {
            until("there is no lag", || running.counters.get().lag == 0).await;
            assert_eq!(running.counters.get().settled, 300);
            running.stop(Duration::from_secs(20)).await.0.unwrap();
        }
    })
    .await;
}
