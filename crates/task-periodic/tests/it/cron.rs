//! Cron tasks, and a system clock that is set while they wait.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use task_core::{Context, Task};
use task_periodic::{Action, CronSchedule, CronTask, FirstRun, Jitter, MissedTicks};
use tokio::time::{Instant, sleep};

use crate::rig::{Rig, ms, secs};

fn time(text: &str) -> SystemTime {
    text.parse::<Timestamp>().unwrap().into()
}

/// A wall clock that advances with Tokio's paused one, and can be set.
#[derive(Clone)]
pub(crate) struct Clock {
    base: SystemTime,
    born: Instant,
    set_by: Arc<AtomicI64>,
}

impl Clock {
    pub(crate) fn at(text: &str) -> Self {
        Self { base: time(text), born: Instant::now(), set_by: Arc::default() }
    }

    pub(crate) fn set(&self, seconds: i64) {
        self.set_by.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> SystemTime {
        let set_by = self.set_by.load(Ordering::SeqCst);
        let now = self.base + self.born.elapsed();
        let by = secs(set_by.unsigned_abs());
        if set_by < 0 { now - by } else { now + by }
    }

    pub(crate) fn text(&self) -> String {
        Timestamp::try_from(self.now()).unwrap().strftime("%F %T").to_string()
    }
}

/// Runs a cron task whose runs take `work`, and returns the times of the clock at which they began.
pub(crate) async fn runs(
    clock: &Clock,
    pattern: &str,
    life: Duration,
    work: Duration,
    adjust: impl FnOnce(CronTask<Recorder>) -> CronTask<Recorder>,
) -> Vec<String> {
    let rig = Rig::new();
    let begins = Arc::default();
    let recorder = Recorder { clock: clock.clone(), work, begins: Arc::clone(&begins) };
    let schedule = CronSchedule::utc(pattern).unwrap();
    let task = CronTask::with_action("cron", schedule, recorder).time_of_day({
        let clock = clock.clone();
        move || clock.now()
    });
    rig.run_for(life, adjust(task)).await.unwrap();
    begins.lock().unwrap().clone()
}

pub(crate) struct Recorder {
    clock: Clock,
    work: Duration,
    begins: Arc<Mutex<Vec<String>>>,
}

impl Action for Recorder {
    async fn run(&mut self, _: Context) -> anyhow::Result<()> {
        self.begins.lock().unwrap().push(self.clock.text());
        if !self.work.is_zero() {
            sleep(self.work).await;
        }
        Ok(())
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const NIGHTLY: &str = "0 3 * * *";

#[tokio::test(start_paused = true)]
async fn a_cron_task_runs_at_the_times_of_its_pattern() {
    let clock = Clock::at("2026-05-05T12:00:00.250Z");
    let begins = runs(&clock, "*/20 * * * *", HOUR, ms(0), |task| task).await;
    assert_eq!(begins, ["2026-05-05 12:20:00", "2026-05-05 12:40:00", "2026-05-05 13:00:00"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_run_may_be_immediate() {
    let clock = Clock::at("2026-05-05T12:00:30Z");
    let begins =
        runs(&clock, "*/20 * * * *", HOUR / 2, ms(0), |task| task.first_run(FirstRun::Immediately))
            .await;
    assert_eq!(begins, ["2026-05-05 12:00:30", "2026-05-05 12:20:00"]);
}

#[tokio::test(start_paused = true)]
async fn missed_ticks_apply_to_ticks_that_pass_during_a_run() {
    let all = async |missed| {
        let clock = Clock::at("2026-05-05T12:00:00Z");
        runs(&clock, "*/10 * * * *", HOUR - secs(1), secs(25 * 60), |task| {
            task.missed_ticks(missed)
        })
        .await
    };
    let minutes =
        |begins: Vec<String>| begins.iter().map(|at| at[14..].to_owned()).collect::<Vec<_>>();
    assert_eq!(minutes(all(MissedTicks::Skip).await), ["00:00", "30:00"]);
    assert_eq!(minutes(all(MissedTicks::Delay).await), ["00:00", "25:00", "50:00"]);
    assert_eq!(minutes(all(MissedTicks::Burst).await), ["00:00", "25:00", "50:00"]);
}

#[tokio::test(start_paused = true)]
async fn delay_makes_up_once_and_burst_makes_up_for_each() {
    let all = async |missed| {
        let clock = Clock::at("2026-05-05T12:00:00Z");
        let rig = Rig::new();
        let task = CronTask::new("cron", CronSchedule::utc("*/10 * * * *").unwrap(), {
            let rig = rig.clone();
            async move |_| {
                if rig.mark() == 0 {
                    sleep(secs(35 * 60)).await;
                }
                Ok(())
            }
        });
        let task = task.missed_ticks(missed).time_of_day(move || clock.now());
        rig.run_for(HOUR + secs(1), task).await.unwrap();
        rig.starts().iter().map(|start| start / 60_000).collect::<Vec<_>>()
    };
    assert_eq!(all(MissedTicks::Skip).await, [0, 40, 50, 60]);
    assert_eq!(all(MissedTicks::Delay).await, [0, 35, 40, 50, 60]);
    assert_eq!(all(MissedTicks::Burst).await, [0, 35, 35, 35, 40, 50, 60]);
}

/// Sets the clock after a while.
async fn with_a_step(clock: &Clock, after: Duration, by_hours: f64, life: Duration) -> Vec<String> {
    let step = async {
        sleep(after).await;
        #[allow(clippy::cast_possible_truncation, reason = "a few hours")]
        clock.set((by_hours * 3600.0) as i64);
    };
    tokio::join!(runs(clock, NIGHTLY, life, ms(0), |task| task), step).0
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_over_a_tick_makes_it_run_within_a_minute() {
    let clock = Clock::at("2026-05-05T02:00:00Z");
    let begins = with_a_step(&clock, secs(600), 2.0, 30 * HOUR).await;
    assert_eq!(begins.len(), 2, "{begins:?}");
    assert!(("2026-05-05 04:10:01"..="2026-05-05 04:11:01").contains(&begins[0].as_str()));
    assert_eq!(begins[1], "2026-05-06 03:00:00");
}

#[tokio::test(start_paused = true)]
async fn of_the_ticks_that_a_clock_set_forward_passes_over_one_runs_or_all() {
    let all = async |missed| {
        let clock = Clock::at("2026-05-05T12:50:00Z");
        let step = async {
            sleep(secs(60)).await;
            clock.set(3 * 3600 + 60);
        };
        let run = runs(&clock, "0 * * * *", HOUR, ms(0), |task| task.missed_ticks(missed));
        tokio::join!(run, step).0.iter().map(|at| at[11..16].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(all(MissedTicks::Skip).await, ["15:52", "16:00"]);
    assert_eq!(all(MissedTicks::Burst).await, ["15:52", "15:52", "15:52", "16:00"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_a_little_after_a_run_does_not_run_it_again() {
    let clock = Clock::at("2026-05-05T02:50:00Z");
    let begins = with_a_step(&clock, HOUR, -1.5, 30 * HOUR).await;
    assert_eq!(begins, ["2026-05-05 03:00:00", "2026-05-06 03:00:00"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_a_little_before_a_run_delays_it() {
    let clock = Clock::at("2026-05-05T02:50:00Z");
    let begins = with_a_step(&clock, secs(60), -1.0, 2 * HOUR).await;
    assert_eq!(begins, ["2026-05-05 03:00:00"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_by_days_makes_the_schedule_start_over() {
    let clock = Clock::at("2026-05-05T02:50:00Z");
    let begins = with_a_step(&clock, HOUR, -240.0, 25 * HOUR).await;
    assert_eq!(begins, ["2026-05-05 03:00:00", "2026-04-26 03:00:00"]);
}

#[tokio::test(start_paused = true)]
async fn small_steps_back_add_up_to_a_correction() {
    let clock = Clock::at("2026-05-05T02:50:00Z");
    let step = async {
        sleep(HOUR).await;
        for _ in 0..100 {
            clock.set(-4000);
            sleep(secs(120)).await;
        }
    };
    // More than four days back in all; it must not take four days to run again.
    let begins = tokio::join!(runs(&clock, NIGHTLY, 30 * HOUR, ms(0), |task| task), step).0;
    assert_eq!(begins.len(), 2, "{begins:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_during_a_run_runs_nothing_twice() {
    let clock = Clock::at("2026-05-05T02:59:00Z");
    let step = async {
        sleep(secs(600)).await;
        clock.set(-1800);
    };
    let begins = tokio::join!(runs(&clock, NIGHTLY, 25 * HOUR, secs(1200), |task| task), step).0;
    assert_eq!(begins, ["2026-05-05 03:00:00", "2026-05-06 03:00:00"]);
}

#[tokio::test(start_paused = true)]
async fn jitter_of_a_schedule_is_a_part_of_the_time_to_its_next_tick() {
    let clock = Clock::at("2026-05-05T12:30:00Z");
    let begins = runs(&clock, "0 * * * *", 200 * HOUR, ms(0), |task| {
        task.jitter(Jitter::fraction(0.25).unwrap()).seed(5)
    })
    .await;
    assert!(begins.len() >= 198, "{}", begins.len());
    let minutes: Vec<_> = begins.iter().map(|at| at[14..16].parse::<u32>().unwrap()).collect();
    assert!(minutes.iter().all(|minute| *minute <= 15), "{minutes:?}");
    assert!(minutes.iter().any(|minute| *minute > 12) && minutes.iter().any(|minute| *minute < 3));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_of_a_cron_task_at_once() {
    let rig = Rig::new();
    let task = CronTask::new("cron", CronSchedule::utc("0 0 1 1 *").unwrap(), async |_| Ok(()));
    assert_eq!(task.name(), "cron");
    rig.run_for(secs(90), task).await.unwrap();
    assert_eq!(rig.now(), 90_000);
}
