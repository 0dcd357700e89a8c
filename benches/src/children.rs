//! What a child costs, beside a bare spawn: the CPU time to spawn so many, all of which live at the
//! same time, and to wait for the end of all; in turns.

use anyhow::{Result, ensure};
use task_children::Children;
use task_core::{Context, task_fn};
use task_manager::Manager;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};
use tokio_util::task::TaskTracker;

use crate::{gauge, median::median, table::Table};

pub(crate) const NAME: &str = "children";
pub(crate) const ABOUT: &str = "what a child of a task costs, × JoinSet";

const COUNTS: [usize; 3] = [1, 100, 10_000];
/// How many children are measured in one round.
const PER_ROUND: usize = 100_000;

/// Measures all in turns, and prints the medians of the ratios.
pub(crate) fn run(is_quick: bool) -> Result<()> {
    let mut table = Table::new(
        String::from("spawn and end of N children: CPU time, ns each (× JoinSet; medians)"),
        &COUNTS.map(|count| format!("N = {count}")).each_ref().map(String::as_str),
    );
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let rounds = if is_quick { 3 } else { 15 };
    let mut figures: [[Vec<f64>; 3]; 4] = Default::default();
    for (index, count) in COUNTS.into_iter().enumerate() {
        for _ in 0..rounds {
            figures[0][index].push(join_set(&runtime, count)?);
            figures[1][index].push(tracker(&runtime, count)?);
            figures[2][index].push(children(&runtime, count, false)?);
            figures[3][index].push(children(&runtime, count, true)?);
        }
    }
    let [reference, others @ ..] = figures;
    let each = |took: &Vec<f64>| format!("{:.0}", median(took.iter().copied()));
    table.row("JoinSet", reference.iter().map(each).collect());
    for (name, figures) in ["TaskTracker", "Children", "Children, with a value"].iter().zip(others)
    {
        let cells = figures.iter().zip(&reference).map(|(took, reference)| {
            let ratio = median(took.iter().zip(reference).map(|(took, of)| took / of));
            format!("{} ({ratio:.2})", each(took))
        });
        table.row(name, cells.collect());
    }
    table.print();
    Ok(())
}

/// Returns the CPU time of one child in nanoseconds.
fn per_child(runtime: &Runtime, body: impl Future<Output = Result<()>>) -> Result<f64> {
    let before = gauge::read().cpu;
    runtime.block_on(body)?;
    Ok((gauge::read().cpu - before).as_nanos() as f64 / PER_ROUND as f64)
}

fn join_set(runtime: &Runtime, count: usize) -> Result<f64> {
    per_child(runtime, async {
        let spawner = tokio::spawn(async move {
            for _ in 0..PER_ROUND / count {
                let mut set = JoinSet::new();
                for _ in 0..count {
                    set.spawn(async { anyhow::Ok(()) });
                }
                while let Some(ended) = set.join_next().await {
                    ended??;
                }
            }
            anyhow::Ok(())
        });
        spawner.await?
    })
}

fn tracker(runtime: &Runtime, count: usize) -> Result<f64> {
    per_child(runtime, async {
        let spawner = tokio::spawn(async move {
            for _ in 0..PER_ROUND / count {
                let tracker = TaskTracker::new();
                for _ in 0..count {
                    tracker.spawn(async { anyhow::Ok(()) });
                }
                tracker.close();
                tracker.wait().await;
            }
        });
        Ok(spawner.await?)
    })
}

/// In a task of a manager, with as many places as children.
fn children(runtime: &Runtime, count: usize, returns: bool) -> Result<f64> {
    per_child(runtime, async {
        let manager = Manager::new();
        manager.run(task_fn("parent", async move |ctx: Context| {
            let mut values = Vec::with_capacity(count);
            for _ in 0..PER_ROUND / count {
                let children = Children::new(&ctx, count)?;
                for _ in 0..count {
                    if returns {
                        values.push(children.run("child", async |_| anyhow::Ok(())).await?);
                    } else {
                        children.spawn("child", async |_| Ok(())).await?;
                    }
                }
                for value in values.drain(..) {
                    value.await??;
                }
                children.finish().await?;
            }
            Ok(())
        }))?;
        let report = manager.wait().await?;
        ensure!(report.is_clean(), "{report}");
        Ok(())
    })
}
