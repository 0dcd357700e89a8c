//! The random part of waits.

use task_periodic::{FirstRun, Jitter, LoopTask, PollTask};

use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

async fn poll_starts(jitter: Jitter, first_run: FirstRun) -> Vec<u64> {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(10), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            Ok(())
        }
    });
    let task = task.unwrap().jitter(jitter).first_run(first_run).seed(1);
    rig.run_for(secs(2000), task).await.unwrap();
    rig.starts()
}

#[tokio::test(start_paused = true)]
async fn a_poll_runs_once_in_the_window_after_each_tick() {
    let starts = poll_starts(Jitter::fraction(0.3).unwrap(), FirstRun::Immediately).await;
    assert_eq!(starts[0], 0);
    let late: Vec<_> =
        starts.iter().zip((0..).step_by(10_000)).map(|(at, tick)| at - tick).collect();
    assert!(late.iter().all(|late| *late <= 3001), "{late:?}");
    assert!(late.iter().any(|late| *late > 2500) && late.iter().any(|late| *late < 500));
}

#[tokio::test(start_paused = true)]
async fn even_a_whole_period_of_jitter_costs_no_tick() {
    for jitter in [Jitter::fraction(1.0).unwrap(), Jitter::up_to(secs(99))] {
        let starts = poll_starts(jitter, FirstRun::OnSchedule).await;
        for (at, tick) in starts.iter().zip((10_000..).step_by(10_000)) {
            assert!((tick..=tick + 10_001).contains(at), "{at} is not in the window of {tick}");
        }
        assert!(starts.len() >= 198, "{}", starts.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_in_the_next_window_costs_no_tick() {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(10), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            sleep(secs(3)).await;
            Ok(())
        }
    });
    let task = task.unwrap().jitter(Jitter::fraction(1.0).unwrap()).seed(2);
    rig.run_for(secs(2000), task).await.unwrap();
    assert!(rig.starts().len() >= 199, "{}", rig.starts().len());
    assert!(!rig.last_status().contains("dropped"), "{}", rig.last_status());
}

#[tokio::test(start_paused = true)]
async fn a_loop_waits_longer_never_shorter() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            Ok(())
        }
    });
    let task = task.unwrap().jitter(Jitter::up_to(ms(100))).seed(3);
    rig.run_for(secs(100), task).await.unwrap();
    let mean = 100_000 / rig.starts().len();
    assert!((40..60).contains(&mean), "{mean} ms");
}

#[tokio::test(start_paused = true)]
async fn the_first_run_has_jitter_unless_it_is_immediate() {
    let jitter = Jitter::fraction(0.5).unwrap();
    assert_eq!(poll_starts(jitter, FirstRun::Immediately).await[0], 0);
    let first = poll_starts(jitter, FirstRun::After(secs(1))).await[0];
    assert!(first > 1000 && first <= 6001, "{first}");
}
