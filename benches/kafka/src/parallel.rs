//! Transforms that take 10 ms, at once: the throughput of `KafkaTask` beside a loop written by hand
//! that has no order of keys.

pub(crate) mod by_hand;
pub(crate) mod by_task;

use std::{
    env,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{runtime::Builder, time::sleep};

use crate::{broker::Broker, lap::Figures, load};

pub(crate) const BY_HAND: &str = "parallel-by-hand";
pub(crate) const BY_TASK: &str = "parallel-by-task";

/// How long a transform sleeps. The timer rounds that up.
const WORK: Duration = Duration::from_millis(10);

/// How many messages a measurement takes: two seconds' worth, or all.
fn messages(at_once: usize) -> u64 {
    (200 * at_once as u64).min(load::MESSAGES)
}

/// Returns how long a transform takes by itself.
fn work() -> Result<Duration> {
    const TIMES: u32 = 100;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let start = Instant::now();
    runtime.block_on(async {
        for _ in 0..TIMES {
            sleep(WORK).await;
        }
    });
    Ok(start.elapsed() / TIMES)
}

/// Runs this many rounds, and prints the best of each contestant, as a part of what the time of the
/// transforms allows.
pub(crate) fn run(rounds: usize) -> Result<()> {
    let broker = Broker::start()?;
    load::produce(&broker.address)?;
    for at_once in [1, 100, 1000] {
        let work = work()?;
        let limit = at_once as f64 / work.as_secs_f64();
        println!(
            "{at_once} at once, {} messages, transforms of {work:.1?}: no more than {limit:.0}/s",
            messages(at_once)
        );
        for contestant in [BY_HAND, BY_TASK] {
            let mut best = 0.0_f64;
            for round in 0..rounds {
                let group = format!("{contestant}-{at_once}-{round}");
                let at_once = at_once.to_string();
                let output = Command::new(env::current_exe()?)
                    .args([contestant, &broker.address, &group, &at_once])
                    .stderr(Stdio::inherit())
                    .output()?;
                ensure!(output.status.success(), "{contestant} failed: {}", output.status);
                let figures = Figures::read(&String::from_utf8_lossy(&output.stdout))?;
                best = best.max(1e9 / figures.wall_nanos);
            }
            println!("{contestant}: {best:.0}/s, {:.2} of that (best of {rounds})", best / limit);
        }
    }
    Ok(())
}
