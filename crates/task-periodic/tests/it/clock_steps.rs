//! Steps of the system's clock: what they mean to patterns, back-offs and waits, and to the log.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::{collection::vec, prelude::*};
use task_core::Task as _;
use task_periodic::{Backoff, CronSchedule, CronTask, FirstRun, MissedTicks};
use tokio::{runtime::Builder, time::sleep};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    cron::{Clock, runs},
    log::Lines,
    rig::{Rig, ms, secs},
};

const MINUTE: Duration = Duration::from_secs(60);

/// The times of the clock, without the day and the seconds, at which runs begin if it is set by
/// `seconds` after a while.
async fn minutes(
    clock: &Clock,
    pattern: &str,
    work: Duration,
    (after, seconds): (Duration, i64),
    life: Duration,
) -> Vec<String> {
    let step = async {
        sleep(after).await;
        clock.set(seconds);
    };
    let begins = tokio::join!(runs(clock, pattern, life, work, |task| task), step).0;
    begins.iter().map(|at| at[11..16].to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pattern_that_follows_elapsed_time_goes_on_when_the_clock_is_set_back() {
    for (hours, next) in [(2, "10:05"), (3, "09:05"), (48, "12:05")] {
        let clock = Clock::at("2026-05-05T12:01:00Z");
        let set = (3 * MINUTE, -hours * 3600);
        // 12:04 when it is set, and within two minutes of the next match by the new time.
        let begins = minutes(&clock, "*/5 * * * *", ms(0), set, 10 * MINUTE).await;
        let again = format!("{}10", &next[..3]);
        assert_eq!(begins, [next, &again], "{hours}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interval_goes_on_when_the_clock_is_set_back_during_a_run() {
    let clock = Clock::at("2026-05-05T12:04:00Z");
    let set = (2 * MINUTE, -7200);
    let begins = minutes(&clock, "*/5 * * * *", 2 * MINUTE, set, 12 * MINUTE).await;
    assert_eq!(begins, ["12:05", "10:10", "10:15"]);
}

#[tokio::test(start_paused = true)]
async fn fixed_times_are_not_run_twice_when_the_clock_is_set_back() {
    let clock = Clock::at("2026-05-05T11:50:00Z");
    let set = (130 * MINUTE, -2 * 3600);
    let begins = minutes(&clock, "0 10-14 * * *", ms(0), set, 380 * MINUTE).await;
    // At 14:00 it is 12:00 again.
    assert_eq!(begins, ["12:00", "13:00", "14:00"]);
}

#[tokio::test(start_paused = true)]
async fn no_step_of_the_clock_forgets_or_lengthens_a_back_off() {
    for (pattern, hours) in [("* * * * * *", -2), ("* * * * * *", -4), ("0-59 0-59 * * * *", -4)] {
        let (rig, clock) = (Rig::new(), Clock::at("2026-05-05T12:00:00Z"));
        let task = CronTask::new("cron", CronSchedule::utc(pattern).unwrap(), {
            let rig = rig.clone();
            async move |_| {
                rig.mark();
                anyhow::bail!("refused")
            }
        });
        let wait = Backoff::new(secs(600), secs(600)).unwrap();
        let now = clock.clone();
        let task = task.backoff(wait).seed(1).time_of_day(move || now.now());
        let step = async {
            sleep(secs(10)).await;
            clock.set(hours * 3600);
        };
        tokio::join!(rig.run_for(20 * MINUTE, task), step).0.unwrap();
        // A half of it is random.
        let starts = rig.starts();
        assert!(starts.len() >= 2 && starts[1] >= 300_000, "{pattern} {hours}: {starts:?}");
        assert!(starts[1] <= 601_000, "{pattern} {hours}: {starts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waits_from_the_start_and_made_up_runs_do_not_follow_the_clock() {
    for set in [-7200, 7200] {
        let clock = Clock::at("2026-05-05T12:30:00Z");
        let rig = Rig::new();
        let task = CronTask::new("cron", CronSchedule::utc("0 3 * * *").unwrap(), {
            let rig = rig.clone();
            async move |_| {
                rig.mark();
                Ok(())
            }
        });
        let now = clock.clone();
        let task = task.first_run(FirstRun::After(5 * MINUTE)).time_of_day(move || now.now());
        let step = async {
            sleep(MINUTE).await;
            clock.set(set);
        };
        tokio::join!(rig.run_for(30 * MINUTE, task), step).0.unwrap();
        assert_eq!(rig.starts(), [300_000], "{set}");
    }

    // A failed run misses two ticks, which one run after the back-off makes up for.
    let (rig, clock) = (Rig::new(), Clock::at("2026-05-05T12:00:00Z"));
    let task = CronTask::new("cron", CronSchedule::utc("0,10,20 12 * * *").unwrap(), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            sleep(25 * MINUTE).await;
            anyhow::bail!("refused")
        }
    });
    let now = clock.clone();
    let task = task.missed_ticks(MissedTicks::Delay).time_of_day(move || now.now());
    let task = task.backoff(Backoff::new(secs(100), secs(100)).unwrap());
    let step = async {
        sleep(25 * MINUTE + secs(10)).await;
        clock.set(-7200);
    };
    tokio::join!(rig.run_for(40 * MINUTE, task), step).0.unwrap();
    let starts = rig.starts();
    assert!(starts.len() == 2 && starts[1] <= 1_601_000, "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_step_is_a_line_in_the_log_with_its_length_and_what_it_skipped() {
    let lines = Lines::default();
    let _guard = lines.capture(LevelFilter::WARN);
    let clock = Clock::at("2026-05-05T12:01:00Z");
    let set = (3 * MINUTE, -7200);
    minutes(&clock, "*/5 * * * *", ms(0), set, 10 * MINUTE).await;
    let back = lines.with("the system's clock was set back");
    assert_eq!(back.len(), 1, "{back:?}");
    assert!(back[0].contains("by=7200.0 is_planned_anew=true"), "{back:?}");
    assert!(back[0].contains("WARN"), "{back:?}");

    let clock = Clock::at("2026-05-05T12:01:00Z");
    // From 12:04 to 12:34: past 12:05 to 12:30.
    minutes(&clock, "*/5 * * * *", ms(0), (3 * MINUTE, 1800), 5 * MINUTE).await;
    let forward = lines.with("the system's clock was set forward");
    assert_eq!(forward.len(), 1, "{forward:?}");
    assert!(forward[0].contains("by=1800.0 ticks=6"), "{forward:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_slewed_has_no_step() {
    let lines = Lines::default();
    let _guard = lines.capture(LevelFilter::WARN);
    let clock = Clock::at("2026-05-05T12:00:00Z");
    // 18 s in a run of ten hours: the most that a system slews its clock.
    let set = (60 * MINUTE, -18);
    minutes(&clock, "0 12 * * *", 600 * MINUTE, set, 30 * 60 * MINUTE).await;
    assert_eq!(lines.with("the system's clock"), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// One step delays a run by no more than one period and the time until it is noticed.
    #[test]
    fn no_step_stops_a_pattern_that_follows_elapsed_time(
        steps in vec(-36_000_i64..36_000, 1..8),
    ) {
        let begins = with_steps("*/5 * * * *", &steps).1;
        let longest = begins.windows(2).map(|pair| pair[1] - pair[0]).max();
        prop_assert!(longest <= Some(11 * 60_000 + 1000), "{longest:?} ms without a run");
    }

    #[test]
    fn no_small_step_back_runs_a_fixed_time_twice(steps in vec(-1300_i64..=0, 1..8)) {
        let begins = with_steps("0,20,40 0-23 * * *", &steps).0;
        let once: BTreeSet<_> = begins.iter().map(|at| at[..16].to_owned()).collect();
        prop_assert_eq!(once.len(), begins.len(), "{:?}", begins);
    }
}

/// Sets the clock every half an hour. Returns when runs begin, by the clock and in milliseconds
/// since the start.
fn with_steps(pattern: &str, steps: &[i64]) -> (Vec<String>, Vec<u64>) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (rig, clock) = (Rig::new(), Clock::at("2026-05-05T12:01:00Z"));
        let texts = Arc::new(Mutex::new(vec![]));
        let task = CronTask::new("cron", CronSchedule::utc(pattern).unwrap(), {
            let (rig, clock, texts) = (rig.clone(), clock.clone(), texts.clone());
            async move |_| {
                rig.mark();
                texts.lock().unwrap().push(clock.text());
                Ok(())
            }
        });
        let now = clock.clone();
        let task = task.time_of_day(move || now.now()).boxed();
        let set = async {
            for step in steps {
                sleep(30 * MINUTE + secs(17)).await;
                clock.set(*step);
            }
        };
        let life = 60 * MINUTE * u32::try_from(steps.len()).unwrap() + 60 * MINUTE;
        tokio::join!(rig.run_for(life, task), set).0.unwrap();
        let texts = texts.lock().unwrap().clone();
        (texts, rig.starts())
    })
}
