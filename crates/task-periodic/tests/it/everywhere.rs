//! A stop, and an abort, at each await of each kind of task.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use task_core::{Context, Task};
use task_periodic::{LoopTask, PollTask, blocking};
use task_testkit::{cancel_everywhere, drop_everywhere};
use tokio::time::sleep;

use crate::rig::{ms, secs};

/// How many runs have begun, and how many of them have ended.
#[derive(Clone, Default)]
struct Runs {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Runs {
    /// A run with three awaits, of which every third fails.
    async fn run(&self) -> anyhow::Result<()> {
        let run = self.begun.fetch_add(1, SeqCst) + 1;
        for _ in 0..3 {
            sleep(ms(300)).await;
        }
        self.ended.fetch_add(1, SeqCst);
        anyhow::ensure!(!run.is_multiple_of(3), "run {run}");
        Ok(())
    }

    fn counts(&self) -> (usize, usize) {
        (self.begun.load(SeqCst), self.ended.load(SeqCst))
    }
}

#[test]
fn a_stop_at_any_await_lets_the_run_in_progress_finish() {
    fn check<T: Task>(make: impl Fn(&Runs) -> T) {
        let sweep = cancel_everywhere(async || {
            let runs = Runs::default();
            let task = make(&runs);
            (runs, task)
        })
        .ends_within(ms(900))
        .lives_for(secs(20))
        .check(async |runs| {
            let (begun, ended) = runs.counts();
            assert_eq!(begun, ended, "runs");
        });
        assert!(sweep.points() > 20 && sweep.is_deterministic(), "{sweep}");
    }
    check(|runs| {
        let runs = runs.clone();
        LoopTask::new("loop", secs(1), async move |_| runs.run().await).unwrap()
    });
    check(|runs| {
        let runs = runs.clone();
        PollTask::new("poll", secs(1), async move |_| runs.run().await).unwrap()
    });
}

#[test]
fn a_last_run_follows_a_stop_at_any_await() {
    cancel_everywhere(async || {
        let runs = Runs::default();
        let task = LoopTask::new("loop", secs(1), {
            let runs = runs.clone();
            async move |_| runs.run().await
        });
        (runs, task.unwrap().run_at_stop())
    })
    .ends_within(ms(1800))
    .lives_for(secs(10))
    .check(async |runs| {
        let (begun, ended) = runs.counts();
        assert!(begun == ended && begun >= 1, "{begun} runs begun, {ended} ended");
    });
}

#[test]
fn an_abort_at_any_await_leaves_at_most_one_run_undone_and_nothing_behind() {
    drop_everywhere(async || {
        let runs = Runs::default();
        let task = PollTask::new("poll", secs(1), {
            let runs = runs.clone();
            async move |_| runs.run().await
        });
        (runs, task.unwrap())
    })
    .lives_for(secs(20))
    .leaves_no_tasks()
    .check(async |runs| {
        let (begun, ended) = runs.counts();
        assert!(begun - ended <= 1, "{begun} runs begun, {ended} ended");
    });
}

#[test]
fn a_thread_of_a_run_has_ended_when_the_task_has_stopped_anywhere() {
    cancel_everywhere(async || {
        let runs = Runs::default();
        let action = {
            let runs = runs.clone();
            blocking(move |_: Context| {
                runs.begun.fetch_add(1, SeqCst);
                thread::sleep(ms(1));
                runs.ended.fetch_add(1, SeqCst);
                Ok(())
            })
        };
        (runs, LoopTask::with_action("loop", secs(1), action).unwrap())
    })
    .lives_for(secs(5))
    .check(async |runs| {
        let (begun, ended) = runs.counts();
        assert_eq!(begun, ended, "threads");
    });
}

#[cfg(feature = "cron")]
#[test]
fn a_cron_task_can_be_stopped_and_aborted_at_any_await() {
    use std::time::UNIX_EPOCH;

    use task_periodic::{CronSchedule, CronTask};
    use tokio::time::Instant;

    let build = async || {
        let runs = Runs::default();
        let schedule = CronSchedule::utc("* * * * *").unwrap();
        let born = Instant::now();
        let task = CronTask::new("cron", schedule, {
            let runs = runs.clone();
            async move |_| runs.run().await
        });
        (runs, task.time_of_day(move || UNIX_EPOCH + born.elapsed()))
    };
    cancel_everywhere(build).lives_for(secs(1000)).check(async |runs| {
        let (begun, ended) = runs.counts();
        assert_eq!(begun, ended, "runs");
    });
    drop_everywhere(build).lives_for(secs(1000)).leaves_no_tasks().check(async |_| {});
}
