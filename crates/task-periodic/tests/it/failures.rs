//! Failed runs: the task backs off and continues, or ends.

use std::time::Duration;

use task_periodic::{Backoff, LoopTask, MissedTicks, OnFailure, PollTask};
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

fn gaps(starts: &[u64]) -> Vec<u64> {
    starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failing_loop_without_delay_backs_off_to_a_minute() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            anyhow::bail!("no")
        }
    });
    rig.run_for(secs(3600), task.unwrap()).await.unwrap();
    let gaps = gaps(&rig.starts());
    for (index, gap) in gaps.iter().enumerate() {
        let whole = 60_000.min(1000 << index.min(20));
        assert!((whole / 2..=whole + 1).contains(gap), "wait {index} took {gap} ms of {whole}");
    }
    assert!(gaps.len() >= 60, "{}", gaps.len());
    // The random half: equal waits would mean that there is none.
    assert!(gaps[10..].windows(2).any(|pair| pair[0] != pair[1]));
}

#[tokio::test(start_paused = true)]
async fn a_back_off_doubles_from_a_nanosecond_to_an_hour() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            anyhow::bail!("no")
        }
    });
    let task = task.unwrap().backoff(Backoff::new(Duration::from_nanos(1), secs(3600)).unwrap());
    rig.run_for(secs(100 * 3600), task).await.unwrap();
    let gaps = gaps(&rig.starts());
    for (index, gap) in gaps.iter().enumerate() {
        let whole = 3_600_000.min((1 << index.min(50)) / 1_000_000);
        assert!((whole / 2..=whole + 1).contains(gap), "wait {index} took {gap} ms of {whole}");
    }
    assert!(gaps.len() >= 100, "{}", gaps.len());
}

#[tokio::test(start_paused = true)]
async fn a_successful_run_resets_the_back_off() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(10), {
        let rig = rig.clone();
        async move |_| if rig.mark() % 5 == 4 { Ok(()) } else { anyhow::bail!("no") }
    });
    rig.run_for(secs(600), task.unwrap()).await.unwrap();
    for gaps in gaps(&rig.starts()).chunks_exact(5) {
        assert!((500..=1001).contains(&gaps[0]) && gaps[3] >= 4000 && gaps[4] == 10, "{gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_back_off_never_shortens_the_delay() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", secs(300), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            anyhow::bail!("no")
        }
    });
    rig.run_for(secs(1000), task.unwrap()).await.unwrap();
    assert_eq!(rig.starts(), [0, 300_000, 600_000, 900_000]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_poll_stays_on_its_clock() {
    let rig = Rig::new();
    let task = PollTask::new("poll", ms(100), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            anyhow::bail!("no")
        }
    });
    rig.run_for(secs(100), task.unwrap()).await.unwrap();
    let starts = rig.starts();
    assert!(starts.iter().all(|start| start % 100 == 0), "{starts:?}");
    assert!((5..=10).contains(&starts.len()), "{starts:?}");
    // The ticks within the back-off do not count as dropped.
    assert!(!rig.last_status().contains("dropped"), "{}", rig.last_status());
}

#[tokio::test(start_paused = true)]
async fn ticks_in_the_back_off_are_made_up_for_by_a_burst() {
    let rig = Rig::new();
    let backoff = Backoff::new(secs(10), secs(10)).unwrap();
    let task = PollTask::new("poll", secs(1), {
        let rig = rig.clone();
        async move |_| if rig.mark() == 0 { anyhow::bail!("no") } else { Ok(()) }
    });
    let task = task.unwrap().missed_ticks(MissedTicks::Burst).backoff(backoff);
    rig.run_for(ms(20_500), task).await.unwrap();
    // One run for each tick from 0 s to 20 s.
    assert_eq!(rig.starts().len(), 21);
    assert!((5000..=10_001).contains(&rig.starts()[1]), "{:?}", rig.starts());
}

#[tokio::test(start_paused = true)]
async fn ticks_in_the_back_off_are_made_up_for_by_one_delayed_run() {
    let rig = Rig::new();
    let backoff = Backoff::new(secs(10), secs(10)).unwrap();
    let task = PollTask::new("poll", secs(4), {
        let rig = rig.clone();
        async move |_| if rig.mark() == 0 { anyhow::bail!("no") } else { Ok(()) }
    });
    let task = task.unwrap().missed_ticks(MissedTicks::Delay).backoff(backoff).seed(1);
    rig.run_for(secs(30), task).await.unwrap();
    // As soon as the back-off is over, between two ticks; the period restarts from there.
    let starts = rig.starts();
    assert!((5000..=10_001).contains(&starts[1]) && !starts[1].is_multiple_of(4000), "{starts:?}");
    assert!(gaps(&starts)[1..].iter().all(|gap| (4000..=4001).contains(gap)), "{starts:?}");
    assert!(starts.len() >= 6, "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_ends_the_task_with_on_failure_fail() {
    for on_failure in [OnFailure::Fail, OnFailure::FailAfter(0), OnFailure::FailAfter(1)] {
        let rig = Rig::new();
        let task = LoopTask::new("loop", ms(1), {
            let rig = rig.clone();
            async move |_| if rig.mark() == 2 { anyhow::bail!("disk full") } else { Ok(()) }
        });
        let error = rig.run(task.unwrap().on_failure(on_failure)).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "disk full");
        assert_eq!(rig.starts().len(), 3);
        assert_eq!(rig.last_status(), "3 runs, 1 failed, 1 in a row; last: disk full");
    }
}

#[derive(Debug, thiserror::Error)]
#[error("connection lost")]
struct Lost;

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_end_the_task_with_the_last_error() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(1), {
        let rig = rig.clone();
        // Two failures, a success, then only failures.
        async move |_| if rig.mark() == 2 { Ok(()) } else { Err(Lost.into()) }
    });
    let error = rig.run(task.unwrap().on_failure(OnFailure::FailAfter(3))).await.unwrap_err();
    assert_eq!(rig.starts().len(), 6);
    assert_eq!(format!("{error:#}"), "3 runs in a row failed: connection lost");
    assert!(error.is::<Lost>());
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_does_not_end_the_task_leaves_the_report_clean() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), async |_| anyhow::bail!("no")).unwrap();
    rig.run_for(secs(60), task).await.unwrap();
    assert_eq!(rig.recorded_failures(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_waits() {
    let mut all = vec![];
    for seed in [7, 7, 8] {
        let rig = Rig::new();
        let task = LoopTask::new("loop", ms(0), {
            let rig = rig.clone();
            async move |_| {
                rig.mark();
                sleep(ms(3)).await;
                anyhow::bail!("no")
            }
        });
        rig.run_for(secs(600), task.unwrap().seed(seed)).await.unwrap();
        all.push(rig.starts());
    }
    assert_eq!(all[0], all[1]);
    assert_ne!(all[0], all[2]);
}

/// An error that panics when it is formatted or dropped.
struct PanickingError;

impl std::fmt::Debug for PanickingError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("debug")
    }
}

impl std::fmt::Display for PanickingError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("display")
    }
}

impl std::error::Error for PanickingError {}

impl Drop for PanickingError {
    fn drop(&mut self) {
        panic!("drop")
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_formatted_or_dropped_does_not_end_the_task() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(1), {
        let rig = rig.clone();
        async move |_| if rig.mark() == 0 { Err(PanickingError.into()) } else { Ok(()) }
    });
    rig.run_for(secs(5), task.unwrap()).await.unwrap();
    assert!(rig.starts().len() > 1);
    assert!(
        rig.statuses().iter().any(|status| status.ends_with("(its Display panicked)")),
        "{:?}",
        rig.statuses()
    );
}
