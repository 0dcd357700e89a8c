//! Log events and spans.

use std::{
    io,
    sync::{Arc, Mutex, Once},
};

use anyhow::bail;
use task_core::{Backoff, Context};
use task_restart::{FailureLimit, restarting};
use tokio::time::sleep;
use tracing_subscriber::filter::LevelFilter;

use crate::rig::{Rig, ms, secs};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Writes this thread's log into itself while the returned guard lives.
    fn capture(&self) -> tracing::subscriber::DefaultGuard {
        // Without a subscriber for all threads, tracing may record in one of them that nobody is
        // interested in an event, while another one begins to be.
        static EVERYWHERE: Once = Once::new();
        EVERYWHERE.call_once(|| {
            let all = tracing_subscriber::fmt().with_max_level(LevelFilter::INFO);
            tracing::subscriber::set_global_default(all.with_writer(io::sink).finish()).unwrap();
        });
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_max_level(LevelFilter::INFO)
            .with_writer(move || lines.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn with(&self, part: &str) -> Vec<String> {
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
async fn a_task_that_fails_over_and_over_does_not_flood_the_log() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture();
    let task = restarting(rig.runs(async |_, _| bail!("refused"))).unwrap();
    let task = task.backoff(Backoff::new(ms(10), ms(10)).unwrap()).limit(FailureLimit::NONE);
    rig.run_for(secs(35), task).await.unwrap();
    let failed = lines.with("run failed");
    assert_eq!(failed.len(), 4, "{failed:?}");
    let first = &failed[0];
    assert!(
        first.contains("ERROR run{run=1}: task: run failed run=1 error=\"refused\""),
        "{first}"
    );
    assert!(first.contains(" in_a_row=1 next_in=0.0"), "{first}");
    assert!(first.ends_with(" unlogged=0"), "{first}");
    let unlogged = failed[1].rsplit_once("unlogged=").unwrap().1.parse::<usize>().unwrap();
    assert!((900..2100).contains(&unlogged), "{unlogged}");
}

/// At most one line every 10 s: to the millisecond that is every one of these.
#[tokio::test(start_paused = true)]
async fn failures_that_are_ten_seconds_apart_are_all_logged() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture();
    let factory = rig.runs(async |ctx: Context, _| {
        ctx.or_cancelled(sleep(ms(9_999))).await?; // and the wait is a millisecond
        bail!("refused")
    });
    let task = restarting(factory).unwrap().backoff(Backoff::new(ms(1), ms(1)).unwrap());
    rig.run_for(secs(45), task).await.unwrap_err();
    assert_eq!(rig.starts(), [0, 10_000, 20_000, 30_000, 40_000]);
    let failed = lines.with("unlogged=0");
    assert_eq!(failed.len(), 4, "{:?}", lines.with("run failed"));
    assert!(failed[3].contains(" in_a_row=4 "), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn that_it_is_up_again_is_logged_once_when_it_is_ready_or_stable() {
    for says_so in [true, false] {
        let (rig, lines) = (Rig::new(), Lines::default());
        let _guard = lines.capture();
        let factory = rig.runs(move |ctx: Context, run| async move {
            if run < 4 {
                bail!("refused")
            }
            ctx.set_ready(says_so);
            while ctx.or_cancelled(sleep(secs(20))).await.is_ok() {}
            Ok(())
        });
        rig.run_for(secs(200), restarting(factory).unwrap()).await.unwrap();
        let up = lines.with("up again");
        assert_eq!(up.len(), 1, "{up:?}");
        let after = up[0].split_once("after=").unwrap().1.split_once(' ').unwrap();
        assert_eq!(after.1, "failed_before=3");
        let (after, restarted) = (after.0.parse::<f64>().unwrap(), rig.starts()[3] as f64 / 1e3);
        let expected = if says_so { restarted } else { restarted + 60.0 };
        assert!((after - expected).abs() < 0.1, "{after} {expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wanted_restart_is_logged_with_its_reason() {
    let (rig, lines) = (Rig::new(), Lines::default());
    let _guard = lines.capture();
    let factory = rig.runs(async |ctx: Context, _| {
        ctx.cancelled().await;
        Ok(())
    });
    let task = restarting(factory).unwrap();
    task.handle().restart("new certificate");
    rig.run_for(secs(1), task).await.unwrap();
    let line = lines.with("ended for a restart").remove(0);
    assert!(line.ends_with("run=1 reason=\"new certificate\""), "{line}");
}
