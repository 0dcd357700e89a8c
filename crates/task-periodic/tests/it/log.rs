//! Log events and spans.

use std::{
    io,
    sync::{Arc, Mutex},
};

use task_core::Context;
use task_periodic::{Backoff, LoopTask, PollTask};
use tokio::time::sleep;
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

use crate::rig::{Rig, ms, secs};

#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Writes this thread's log into itself while the returned guard lives.
    pub(crate) fn capture(&self, level: LevelFilter) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_max_level(level)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(move || lines.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn with(&self, part: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_loop_does_not_flood_the_log() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture(LevelFilter::WARN);
    let task = LoopTask::new("loop", ms(0), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            anyhow::bail!("refused")
        }
    });
    let task = task.unwrap().backoff(Backoff::new(ms(1), ms(1)).unwrap());
    rig.run_for(secs(35), task).await.unwrap();
    let (failed, runs) = (lines.with("run failed"), rig.starts().len());
    assert_eq!(failed.len(), 4, "{failed:?}");
    assert!(runs > 10_000, "{runs}");
    assert!(
        failed[0].contains("error=\"refused\"") && failed[0].ends_with("unlogged=0"),
        "{}",
        failed[0]
    );
    // The suppressed and the logged failures are all runs of the first 30 s.
    let unlogged: usize = failed
        .iter()
        .map(|line| line.rsplit_once("unlogged=").unwrap().1.parse::<usize>().unwrap())
        .sum();
    let last_logged = rig.starts().iter().filter(|start| **start <= 30_001).count();
    assert!(last_logged.abs_diff(unlogged + failed.len()) <= 1, "{last_logged} {unlogged}");
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_the_last_run_is_logged_however_soon_it_comes() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture(LevelFilter::WARN);
    let task = LoopTask::new("flush", secs(2), async |ctx: Context| {
        anyhow::bail!(if ctx.is_cancelled() { "the last is lost" } else { "refused" })
    });
    let task = task.unwrap().backoff(Backoff::new(ms(1), ms(1)).unwrap()).run_at_stop();
    rig.run_for(secs(5), task).await.unwrap();
    let failed = lines.with("run failed");
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[1].contains("error=\"the last is lost\""), "{}", failed[1]);
    assert!(failed[1].ends_with("unlogged=2"), "{}", failed[1]);
}

#[tokio::test(start_paused = true)]
async fn recovery_is_logged() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture(LevelFilter::INFO);
    let task = LoopTask::new("loop", secs(1), {
        let rig = rig.clone();
        async move |_| if rig.mark() < 3 { anyhow::bail!("refused") } else { Ok(()) }
    });
    rig.run_for(secs(60), task.unwrap()).await.unwrap();
    let recovered = lines.with("run succeeded again");
    assert_eq!(recovered.len(), 1, "{recovered:?}");
    assert!(recovered[0].contains("failed_before=3"), "{recovered:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_outlasts_its_interval_is_warned_about_while_it_lasts() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture(LevelFilter::WARN);
    let task = PollTask::new("poll", secs(10), async |_| {
        sleep(secs(100)).await;
        Ok(())
    });
    rig.run_for(secs(50), task.unwrap()).await.unwrap();
    let overdue = lines.with("still in progress");
    assert_eq!(overdue.len(), 4, "{overdue:?}");
    for (line, age) in overdue.iter().zip([10, 20, 40, 80]) {
        assert!(line.contains(&format!(" age={age}.0 ")), "{line}");
    }
    let dropped = lines.with("ticks were dropped");
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert!(dropped[0].contains("ticks=9"), "{dropped:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_never_idle_is_warned_about() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture(LevelFilter::WARN);
    let task = PollTask::new("poll", secs(10), {
        let rig = rig.clone();
        async move |_| {
            rig.work_for(secs(100)).await;
            Ok(())
        }
    });
    rig.run_for(secs(50), task.unwrap()).await.unwrap();
    let overdue = lines.with("still in progress");
    assert_eq!(overdue.len(), 4, "{overdue:?}");
    for (line, age) in overdue.iter().zip([10, 20, 40, 80]) {
        assert!(line.contains(&format!(" age={age}.")), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_run_is_a_span_with_its_number_and_outcome() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture(LevelFilter::INFO);
    let task = LoopTask::new("loop", secs(1), {
        let rig = rig.clone();
        async move |ctx| match rig.mark() {
            0 => Ok(()),
            1 => anyhow::bail!("refused"),
            2 => panic!("refused"),
            _ => {
                tracing::info!("at work");
                ctx.or_cancelled(sleep(secs(1000))).await?;
                Ok(())
            }
        }
    });
    let error = rig.run_for(secs(60), task.unwrap()).await.unwrap_err();
    assert!(error.is::<task_core::Cancelled>());
    let closed = lines.with(": close");
    for (number, outcome) in ["succeeded", "failed", "panicked", "cancelled"].iter().enumerate() {
        let span = format!("run{{run={} outcome=\"{outcome}\"}}", number + 1);
        assert!(closed[number].contains(&span), "{} has no {span}", closed[number]);
    }
    assert!(lines.with("at work")[0].contains("run{run=4}"), "{:?}", lines.with("at work"));
}
