//! The schedules against a model that walks from tick to tick.

use std::time::Duration;

use proptest::{collection::vec, prelude::*};
use task_periodic::{FirstRun, LoopTask, MissedTicks, PollTask};
use tokio::{runtime::Builder, time::sleep};

use crate::rig::{Rig, ms};

const RUNS: usize = 12;

/// When each run begins, for runs that take `works`.
fn model_of_a_poll(period: u64, missed: MissedTicks, first: u64, works: &[u64]) -> Vec<u64> {
    let mut begins = vec![];
    let (mut tick, mut free) = (first, 0);
    for work in works {
        let begin = tick.max(free);
        begins.push(begin);
        free = begin + work;
        let following = tick + period;
        tick = match missed {
            MissedTicks::Skip => (1..).map(|n| tick + n * period).find(|at| *at >= free).unwrap(),
            MissedTicks::Delay if following < free => free,
            _ => following,
        };
    }
    begins
}

fn model_of_a_loop(delay: u64, first: u64, works: &[u64]) -> Vec<u64> {
    let mut begin = first;
    let mut begins = vec![];
    for work in works {
        begins.push(begin);
        begin += work + delay;
    }
    begins
}

fn first_run() -> impl Strategy<Value = FirstRun> {
    prop_oneof![
        Just(FirstRun::Immediately),
        Just(FirstRun::OnSchedule),
        (0..5000_u64).prop_map(|wait| FirstRun::After(ms(wait))),
    ]
}

fn begin_of(first_run: FirstRun, interval: u64) -> u64 {
    match first_run {
        FirstRun::After(wait) => u64::try_from(wait.as_millis()).unwrap(),
        FirstRun::OnSchedule => interval,
        _ => 0,
    }
}

fn missed_ticks() -> impl Strategy<Value = MissedTicks> {
    prop_oneof![Just(MissedTicks::Skip), Just(MissedTicks::Delay), Just(MissedTicks::Burst)]
}

/// How long runs take: often until just about a tick, for off-by-one mistakes.
fn works(interval: u64) -> impl Strategy<Value = Vec<u64>> {
    let work = prop_oneof![
        0..=3 * interval,
        (0..4_u64).prop_map(move |n| n * interval),
        (1..4_u64).prop_map(move |n| n * interval - 1),
        (0..4_u64).prop_map(move |n| n * interval + 1),
    ];
    vec(work, RUNS)
}

/// Runs the task that `make` creates, whose runs take `works`, and returns when each run began.
fn begins_of<T: task_core::Task>(works: &[u64], make: impl FnOnce(Rig, Vec<u64>) -> T) -> Vec<u64> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let rig = Rig::new();
        rig.run(make(rig.clone(), works.to_vec())).await.unwrap();
        rig.starts()
    })
}

/// Performs one run: takes its time from `works`, and stops the task after the last.
async fn work(rig: &Rig, works: &[u64]) -> anyhow::Result<()> {
    let index = rig.mark();
    if works[index] > 0 {
        sleep(ms(works[index])).await;
    }
    if index + 1 == works.len() {
        rig.cancel();
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_poll_runs_when_the_model_says(
        (period, works) in (1..2000_u64).prop_flat_map(|period| (Just(period), works(period))),
        missed in missed_ticks(),
        first_run in first_run(),
    ) {
        let begins = begins_of(&works, |rig, works| {
            PollTask::new("poll", ms(period), async move |_| work(&rig, &works).await)
                .unwrap()
                .missed_ticks(missed)
                .first_run(first_run)
        });
        let first = begin_of(first_run, period);
        prop_assert_eq!(begins, model_of_a_poll(period, missed, first, &works));
    }

    #[test]
    fn a_loop_runs_when_the_model_says(
        (delay, works) in (1..2000_u64).prop_flat_map(|delay| (Just(delay), works(delay))),
        first_run in first_run(),
    ) {
        let begins = begins_of(&works, |rig, works| {
            LoopTask::new("loop", ms(delay), async move |_| work(&rig, &works).await)
                .unwrap()
                .first_run(first_run)
        });
        prop_assert_eq!(begins, model_of_a_loop(delay, begin_of(first_run, delay), &works));
    }
}

/// The table in the docs of `MissedTicks`.
#[test]
fn missed_ticks_are_as_the_table_says() {
    let begins = |missed| {
        begins_of(&[34_000, 0, 0, 0, 0, 0], |rig, works| {
            PollTask::new("poll", Duration::from_secs(10), async move |_| work(&rig, &works).await)
                .unwrap()
                .missed_ticks(missed)
        })
    };
    assert_eq!(begins(MissedTicks::Skip)[..4], [0, 40_000, 50_000, 60_000]);
    assert_eq!(begins(MissedTicks::Delay)[..4], [0, 34_000, 44_000, 54_000]);
    assert_eq!(begins(MissedTicks::Burst), [0, 34_000, 34_000, 34_000, 40_000, 50_000]);
}
