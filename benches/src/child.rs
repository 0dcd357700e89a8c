//! One measurement: `one CONTESTANT SCENARIO N RUNTIME` prints a line of figures.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use tokio::runtime::{Builder, Runtime};

use crate::{
    contestant::Contestant,
    contestants,
    laps::Laps,
    scenario::{Flavor, Scenario},
    series::Figures,
};

/// The first argument that makes this program a child.
pub(crate) const COMMAND: &str = "one";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [contestant, scenario, count, flavor] = arguments else {
        bail!("usage: {COMMAND} CONTESTANT SCENARIO N RUNTIME");
    };
    let contestant = Contestant::parse(contestant).context("no such contestant")?;
    let scenario = Scenario::parse(scenario).context("no such scenario")?;
    let count = count.parse().context("N is a number")?;
    let flavor = Flavor::parse(flavor).context("no such runtime")?;
    if scenario == Scenario::Panic {
        // The output of the panic hook is not measured.
        std::panic::set_hook(Box::new(|_| ()));
    }
    let runtime = runtime(flavor)?;
    let mut laps = Laps::begin();
    runtime.block_on(async {
        if scenario != Scenario::Second {
            return contestants::run(contestant, scenario, count, &mut laps).await;
        }
        contestants::run(contestant, Scenario::Parked, 1, &mut laps).await?;
        laps.restart();
        contestants::run(contestant, Scenario::Parked, count, &mut laps).await
    })?;
    println!("{laps}");
    Ok(())
}

/// Has a child of `program`, this one or that of another build, run one measurement.
///
/// # Errors
///
/// The child could not be started, failed, or printed something else.
pub(crate) fn measure(
    program: &Path,
    contestant: Contestant,
    scenario: Scenario,
    count: usize,
    flavor: Flavor,
) -> Result<Figures> {
    let output = Command::new(program)
        .args([COMMAND, contestant.word(), scenario.word(), &count.to_string(), flavor.word()])
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("{} in {} with {count} tasks: {}", contestant.word(), scenario.word(), output.status);
    }
    let line = String::from_utf8(output.stdout).context("no text")?;
    Figures::parse(&line).with_context(|| format!("not understood: {line}"))
}

pub(crate) fn runtime(flavor: Flavor) -> Result<Runtime> {
    let mut builder = match flavor {
        Flavor::TwoWorkers => Builder::new_multi_thread(),
        Flavor::CurrentThread => Builder::new_current_thread(),
    };
    Ok(builder.worker_threads(2).enable_all().build()?)
}
