//! Sinks that refuse single effects.

use std::time::Duration;

use task_kafka::{KafkaSettings, KafkaTask, OnPoison, Producer, RefusedEffects};

use crate::{
    broker::TestBroker,
    rig::{
        Copy, Mode, Running, TestSink, broker, fill, read_all, settings, until, within_two_minutes,
    },
};

const AT_ONCE: Copy = Copy { pause: Duration::ZERO };

/// The task, with a sink that refuses what ends with a 7.
fn refusing(settings: KafkaSettings) -> (Running, TestSink) {
    let sink = TestSink::new(Mode::Refuse);
    let producer = Producer::new(&settings).unwrap();
    let task = KafkaTask::parallel(settings, producer, AT_ONCE, sink.clone()).unwrap();
    (Running::start(task), sink)
}

fn without_letters(broker: &TestBroker) -> KafkaSettings {
    KafkaSettings::new(broker.bootstrap_servers()).group("test").topics(["in"]).batch(10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_effect_is_dead_lettered_and_the_others_are_written() {
    within_two_minutes(async {
        const COUNT: usize = 100;
        let broker = broker().await;
        fill(&broker, COUNT).await;
        let mut runs = 0;
        for transactional in [false, true] {
            for concurrency in [1, 8] {
                let group = format!("{transactional}-{concurrency}");
                let mut settings = settings(&broker).concurrency(concurrency).group(&group);
                if transactional {
                    settings = settings.transactional_id(&group);
                }
                let (running, sink) = refusing(settings);
                until("it ends or all are settled", || {
                    running.handle.is_finished() || running.counters.get().settled == 100
                })
                .await;
                let counts = running.counters.get();
                assert_eq!((counts.produced, counts.dead_lettered), (100, 10), "{group}");
                running.stop(Duration::from_secs(20)).await.0.unwrap();
                runs += 1;
                let rows: Vec<_> = sink.rows.lock().unwrap().clone();
                assert!(rows.len() == 90 && !rows.iter().any(|it| it.ends_with('7')), "{rows:?}");
                let mut letters = read_all(&broker, "dead").await.concat();
                letters.sort_by_key(|it| it.parse::<usize>().unwrap());
                let expected: Vec<_> =
                    (7..COUNT).step_by(10).flat_map(|id| vec![id.to_string(); runs]).collect();
                assert_eq!(letters, expected, "{group}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_and_cannot_be_dead_lettered_follows_the_policy() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 100).await;
        for transactional in [false, true] {
            let group = format!("test-{transactional}");
            let mut settings = without_letters(&broker).group(&group);
            if transactional {
                settings = settings.transactional_id(&group);
            }
            let (running, first) = refusing(settings.clone());
            let of_first = running.counters.clone();
            let failures = running.failures().await;
            let why = "was refused, and there is no dead-letter topic: the sink has refused its \
                       effect: a 7";
            assert!(failures[0].starts_with("in[") && failures[0].ends_with(why), "{failures:?}");

            let (running, sink) = refusing(settings.on_poison(OnPoison::Skip));
            let settled = of_first.get().settled;
            until("all settled", || {
                let counts = running.counters.get();
                running.handle.is_finished() || settled + counts.settled >= 100
            })
            .await;
            assert_eq!(running.counters.get().skipped, 10);
            running.stop(Duration::from_secs(20)).await.0.unwrap();
            let mut rows = std::mem::take(&mut *first.rows.lock().unwrap());
            rows.append(&mut sink.rows.lock().unwrap());
            rows.sort();
            rows.dedup();
            assert!(rows.len() == 90 && !rows.iter().any(|it| it.ends_with('7')), "{rows:?}");
        }
    })
    .await;
}

/// Refuses effects, or none of them, though it says that it does not.
struct Liar {
    sink: TestSink,
    is_empty: bool,
}

impl task_kafka::Sink<String> for Liar {
    async fn write(&mut self, effects: Vec<String>) -> anyhow::Result<()> {
        if self.is_empty {
            return Err(RefusedEffects::new().into());
        }
        self.sink.write(effects).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_refuses_an_effect_though_it_may_not_fails_the_task() {
    within_two_minutes(async {
        let broker = broker().await;
        fill(&broker, 10).await;
        for (transactional, is_empty) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let group = format!("{transactional}-{is_empty}");
            let mut settings = settings(&broker).group(&group);
            if transactional {
                settings = settings.transactional_id(&group);
            }
            let producer = Producer::new(&settings).unwrap();
            let sink = Liar { sink: TestSink::new(Mode::Refuse), is_empty };
            let task = KafkaTask::new(settings.clone(), producer, AT_ONCE, sink).unwrap();
            let running = Running::start(task);
            let counters = running.counters.clone();
            let failures = running.failures().await;
            let (why, end) = match is_empty {
                true => ("failed to write to the sink: the sink has refused effects: {", "{}"),
                false => ("failed to write to the sink: in a transaction: ", ": \"a 7\"}"),
            };
            let [failure, ..] = &failures[..] else { panic!("{group}: it did not fail") };
            assert!(failure.starts_with(why) && failure.ends_with(end), "{group}: {failures:?}");
            assert!(counters.get().settled < 10, "{group}");
            assert_eq!(read_all(&broker, "dead").await.concat().len(), 0, "{group}");

            // It is read again.
            let sink = TestSink::new(Mode::Keep);
            let producer = Producer::new(&settings).unwrap();
            let task = KafkaTask::new(settings, producer, AT_ONCE, sink.clone()).unwrap();
            let running = Running::start(task);
            let has_7 = || sink.rows.lock().unwrap().iter().any(|it| it == "7");
            until("it is read again", || running.handle.is_finished() || has_7()).await;
            running.stop(Duration::from_secs(20)).await.0.unwrap();
            assert!(has_7(), "{group}");
        }
    })
    .await;
}
