//! Two members of one group.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use task_kafka::{KafkaTask, Producer};

use crate::rig::{
    Copy, Mode, Running, TestSink, assert_exactly, assert_none_lost, broker, fill, settings, until,
    within_two_minutes,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_move_with_nothing_lost_and_every_repetition_reported() {
    within_two_minutes(async {
        const COUNT: usize = 12_000;
        let broker = broker().await;
        fill(&broker, COUNT).await;
        let start = || {
            let settings = settings(&broker);
            let producer = Producer::new(&settings).unwrap();
            let slow = Copy { pause: Duration::from_millis(1) };
            let sink = TestSink::new(Mode::Keep);
            Running::start(KafkaTask::new(settings, producer, slow, sink).unwrap())
        };
        let first = start();
        until("the first reads", || first.counters.get().settled > 500).await;
        let second = start();
        until("both read", || second.counters.get().settled > 500).await;
        assert!(first.counters.get().rebalances >= 2);
        let first_counters = first.counters.clone();
        first.stop(Duration::from_secs(20)).await.0.unwrap();
        let done = first_counters.get().settled;
        assert!(done < COUNT as u64, "the first member has read everything");
        // Not by the count alone, which includes the messages that the second member repeats. Nor
        // by the lag alone, which is updated once a second: the second has to be idle for three.
        let last = Cell::new((0, Instant::now()));
        until("the second reads the rest", || {
            let counts = second.counters.get();
            if counts.lag > 0 || last.get().0 != counts.settled {
                last.set((counts.settled, Instant::now()));
            }
            let is_idle = last.get().1.elapsed() > Duration::from_secs(3);
            is_idle && counts.assigned == 4 && done + counts.settled >= COUNT as u64
        })
        .await;
        let unclean = [&first_counters, &second.counters].map(|it| it.get().unclean_revocations);
        second.stop(Duration::from_secs(20)).await.0.unwrap();
        // Unlike real brokers, the mock refuses commits while members join. The task reports that,
        // and repeats messages.
        if unclean == [0, 0] {
            assert_exactly(&broker, "out", COUNT).await;
        } else {
            eprintln!("commits were refused: {unclean:?} unclean revocations");
            assert_none_lost(&broker, "out", COUNT).await;
        }
        broker.stop().await;
    })
    .await;
}
