//! Passed and kept sockets: restarts under load that lose nothing.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{machine::PROGRAMS, scenario::Scenario, trial::Trial};

/// How often the service is restarted.
const RESTARTS: usize = 20;

pub(crate) const LIST: &[Scenario] = &[
    Scenario::new(
        "socket",
        "twenty restarts with a socket unit lose no connection under load",
        passed,
    )
    .alone(),
    Scenario::new("store", "twenty restarts with a socket that systemd keeps lose none", kept)
        .alone(),
    Scenario::new("store-stop", "a kept socket is closed when the unit is stopped", closed),
    Scenario::new("own-socket", "the same with a socket of its own loses some", own).alone().long(),
    Scenario::new("unused", "a socket that nobody takes fails the start, by name", unused),
];

fn passed(trial: &Trial<'_>) -> Result<String> {
    let address = "127.0.0.1:4001";
    trial.install(&trial.unit(&["listen=127.0.0.1:1", "stop=50"]).socket("http", address), &[])?;
    trial.systemctl(&["start", &format!("{}-http.socket", trial.name())])?;
    trial.start()?;
    let seen = restart_under_load(trial, address)?;
    ensure!(!trial.journal()?.contains("socket: opened"));
    ensure!(seen.failed == 0, "{seen:?}");
    Ok(seen.shown())
}

fn kept(trial: &Trial<'_>) -> Result<String> {
    let address = "127.0.0.1:4002";
    let unit = trial.unit(&["listen=127.0.0.1:4002", "store", "stop=50"]).stored_sockets(2);
    trial.install(&unit, &[])?;
    trial.start()?;
    let seen = restart_under_load(trial, address)?;
    let journal = trial.journal()?;
    let opened = journal.matches("socket: opened").count();
    let passed = journal.matches("socket: passed").count();
    ensure!((opened, passed) == (1, RESTARTS), "opened {opened}, passed {passed}");
    ensure!(seen.failed == 0, "{seen:?}");
    Ok(seen.shown())
}

fn closed(trial: &Trial<'_>) -> Result<String> {
    let unit = trial.unit(&["listen=127.0.0.1:4003", "store"]).stored_sockets(2);
    trial.install(&unit, &[])?;
    trial.start()?;
    trial.until("NFileDescriptorStore", |count| count == "1")?;
    trial.systemctl(&["restart", trial.name()])?;
    // Before it was ready it was stored again, and is kept once.
    trial.expect(&[("NFileDescriptorStore", "1")])?;
    trial.stop()?;
    trial.expect(&[("NFileDescriptorStore", "0")])?;
    Ok("1 is kept over a restart, 0 after the stop".to_owned())
}

fn own(trial: &Trial<'_>) -> Result<String> {
    let address = "127.0.0.1:4004";
    trial.begin(&["listen=127.0.0.1:4004", "stop=50"], &[])?;
    let seen = restart_under_load(trial, address)?;
    // The proof that the load would see it.
    ensure!(seen.failed > 0, "{seen:?}");
    Ok(seen.shown())
}

fn unused(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&[]).socket("http", "127.0.0.1:4005"), &[])?;
    trial.systemctl(&["start", &format!("{}-http.socket", trial.name())])?;
    ensure!(!trial.attempt(&["start", trial.name()])?.status.success());
    trial.ended()?;
    let journal = trial.journal()?;
    let line = "sockets that were passed and are not used: `http`";
    ensure!(journal.contains(line), "{journal}");
    Ok(line.to_owned())
}

/// What the clients saw.
#[derive(Debug)]
struct Seen {
    served: u64,
    failed: u64,
    slowest: u64,
}

impl Seen {
    fn shown(&self) -> String {
        let Self { served, failed, slowest } = self;
        format!(
            "{RESTARTS} restarts: {served} served, {failed} failed, the slowest in {slowest} ms"
        )
    }
}

/// Restarts the service again and again while clients connect all the time.
fn restart_under_load(trial: &Trial<'_>, address: &str) -> Result<Seen> {
    let program = format!("{PROGRAMS}/systemd-trials");
    let mut command = trial.machine.command(&[&program, "load", address]);
    // It ends when its input does.
    let mut load = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let restarts = || -> Result<()> {
        for _ in 0..RESTARTS {
            std::thread::sleep(Duration::from_millis(150));
            trial.systemctl(&["restart", trial.name()])?;
        }
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    };
    let restarted = restarts();
    drop(load.stdin.take());
    let output = load.wait_with_output()?;
    restarted?;
    trial.stop()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let mut number = || numbers.next().and_then(Result::ok).with_context(|| text.clone());
    let seen = Seen { served: number()?, failed: number()?, slowest: number()? };
    ensure!(seen.served > 100, "no load: {seen:?}");
    Ok(seen)
}
