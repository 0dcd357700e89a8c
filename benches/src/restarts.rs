//! What a restart costs, beside a spawn and a clean end: the CPU time of each, in turns.

use std::time::Duration;

use anyhow::{Result, ensure};
use task_core::{Backoff, Context, task_fn};
use task_manager::Manager;
use task_restart::{FailureLimit, Restart, restarting};
use tokio::runtime::{Builder, Runtime};

use crate::{gauge, median::median, table::Table};

pub(crate) const NAME: &str = "restarts";
pub(crate) const ABOUT: &str = "what a restart costs, × a spawn and a clean end";

const TARGET: f64 = 1.0;
const ROUNDS: u64 = 100_000;

/// Measures both in turns, and prints the medians of the ratios.
pub(crate) fn run(is_quick: bool) -> Result<()> {
    let columns = ["ns each", "× spawn and end", "at most"];
    let mut table =
        Table::new(String::from("a restart, and a spawn and a clean end: CPU time"), &columns);
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let mut figures: [Vec<f64>; 3] = Default::default();
    for _ in 0..if is_quick { 3 } else { 15 } {
        figures[0].push(spawn_and_end(&runtime)?);
        figures[1].push(restart(&runtime, false)?);
        figures[2].push(restart(&runtime, true)?);
    }
    let [spawned, completed, failed] = figures;
    table.row("spawn and end", vec![format!("{:.0}", median(spawned.iter().copied())), "1".into()]);
    for (name, took) in [("restart", completed), ("restart after an error", failed)] {
        let ratio = median(took.iter().zip(&spawned).map(|(took, spawned)| took / spawned));
        let each = format!("{:.0}", median(took.iter().copied()));
        table.row(name, vec![each, format!("{ratio:.2}"), format!("{TARGET:.1}")]);
    }
    table.print();
    Ok(())
}

/// Returns the CPU time of one round in nanoseconds.
fn per_round(runtime: &Runtime, body: impl Future<Output = Result<()>>) -> Result<f64> {
    let before = gauge::read().cpu;
    runtime.block_on(body)?;
    Ok((gauge::read().cpu - before).as_nanos() as f64 / ROUNDS as f64)
}

fn spawn_and_end(runtime: &Runtime) -> Result<f64> {
    per_round(runtime, async {
        let manager = Manager::new();
        for _ in 0..ROUNDS {
            manager.run_ephemeral(task_fn("job", async |_: Context| Ok(())))?.ended().await;
        }
        manager.shutdown().await?;
        Ok(())
    })
}

fn restart(runtime: &Runtime, fails: bool) -> Result<f64> {
    let mut left = ROUNDS;
    let factory = move || {
        left -= 1;
        let left = left;
        Ok(task_fn("job", async move |ctx: Context| {
            if left == 0 {
                ctx.request_stop("done");
            }
            if fails { Err(anyhow::Error::msg("no broker")) } else { Ok(()) }
        }))
    };
    // The shortest wait that there is: it costs a yield, and no timer.
    let shortest = Backoff::new(Duration::from_nanos(1), Duration::from_nanos(1))?;
    let task = restarting(factory)?.on(Restart::Always).limit(FailureLimit::NONE);
    per_round(runtime, async {
        let manager = Manager::new();
        manager.run(task.backoff(shortest))?;
        let report = manager.wait().await;
        let report = report.as_ref().ok().or_else(|| report.as_ref().err()?.report());
        let restarts = report.map_or(0, |report| report.tasks()[0].restarts);
        ensure!(u64::from(restarts) == ROUNDS - 1, "{restarts} restarts");
        Ok(())
    })
}
