//! Two members of one group.

use std::time::Duration;

use pipeline::kafka::{KafkaTask, Producer};

use crate::bench::{
    Copy, Mode, Running, TestSink, assert_exactly, broker, fill, settings, until, within_a_minute,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_change_hands_in_mid_stream_with_nothing_lost_or_repeated() {
    within_a_minute(async {
        const COUNT: usize = 12_000;
        let broker = broker();
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
        until("the second reads the rest", || done + second.counters.get().settled >= COUNT as u64)
            .await;
        second.stop(Duration::from_secs(20)).await.0.unwrap();
        assert_exactly(&broker, "out", COUNT).await;
        broker.stop().await;
    })
    .await;
}
