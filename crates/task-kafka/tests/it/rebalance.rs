//! Two members of one group.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use task_kafka::{KafkaTask, Producer};

use crate::bench::{
    Copy, Mode, Running, TestSink, assert_exactly, assert_none_lost, broker, fill, settings, until,
    within_two_minutes,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_change_hands_with_nothing_lost_and_nothing_repeated_unsaid() {
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
        assert!(done < COUNT as u64, "it was over too soon to tell");
        // Not by the count alone: what the second one repeats of the first one's counts as well.
        // Nor by the lag alone, which is told once a second: it has to have nothing to do for
        // three.
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
        // The mock refuses commits while members join, which brokers accept. The task says so, and
        // then repeats.
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
