//! Rounds of both contestants, and their medians.

use std::{
    env,
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};

use crate::{broker::Broker, lap::Figures, load};

pub(crate) const BY_HAND: &str = "by-hand";
pub(crate) const BY_TASK: &str = "by-task";

/// Runs this many rounds, and prints the medians.
pub(crate) fn run(rounds: usize) -> Result<()> {
    let broker = Broker::start()?;
    load::produce(&broker.address)?;
    println!("{} messages of 100 B, {} partitions", load::MESSAGES, load::PARTITIONS);
    let mut hand = Vec::new();
    let mut task = Vec::new();
    for round in 0..rounds {
        // The contestants alternate in going first, in case the order matters.
        if round % 2 == 0 {
            hand.push(measure(&broker, BY_HAND, round)?);
            task.push(measure(&broker, BY_TASK, round)?);
        } else {
            task.push(measure(&broker, BY_TASK, round)?);
            hand.push(measure(&broker, BY_HAND, round)?);
        }
        let of = |figures: &[Figures]| throughput(figures[round]);
        println!("round {round}: {:.0}/s by hand, {:.0}/s by task", of(&hand), of(&task));
    }
    for (name, figures) in [(BY_HAND, &hand), (BY_TASK, &task)] {
        let cpu = median(figures.iter().map(|it| it.cpu_nanos / 1e3));
        let throughput = median(figures.iter().copied().map(throughput));
        println!("{name}: {throughput:.0} messages/s, {cpu:.2} µs of CPU each (medians)");
    }
    let pairs = || hand.iter().zip(&task);
    let throughput = median(pairs().map(|(hand, task)| hand.wall_nanos / task.wall_nanos));
    let cpu = median(pairs().map(|(hand, task)| task.cpu_nanos / hand.cpu_nanos));
    println!(
        "by task / by hand: {throughput:.2} of the throughput, {cpu:.2} of the CPU (median of rounds)"
    );
    Ok(())
}

fn measure(broker: &Broker, contestant: &str, round: usize) -> Result<Figures> {
    let group = format!("{contestant}-{round}");
    let output = Command::new(env::current_exe()?)
        .args([contestant, &broker.address, &group])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{contestant} failed: {}", output.status);
    Figures::read(&String::from_utf8_lossy(&output.stdout))
}

fn throughput(figures: Figures) -> f64 {
    1e9 / figures.wall_nanos
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
