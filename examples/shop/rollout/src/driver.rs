//! Plays the selected scenarios, one cell after the other, and prints the table.

use std::{
    env, fs,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    thread::available_parallelism,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;
use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    scenario::{Cell, Choice, Found, Promise, Scenario, Stage},
    scenarios::SCENARIOS,
    server, table,
};

/// How often a cell that has to show losses is played until it does.
const TRIES: u32 = 4;

/// Returns whether every promise was kept.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.list {
        for scenario in SCENARIOS {
            println!("{:<8} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    let folder = folder(arguments)?;
    println!(
        "{} clients of each kind; balancer {} ms late; {} build on {} cores, load {}; logs in {}\n\n{}",
        arguments.clients,
        arguments.delay,
        if cfg!(debug_assertions) { "debug" } else { "release" },
        available_parallelism().map_or(1, NonZeroUsize::get),
        machine_load(),
        folder.display(),
        table::head()
    );
    let begun = Instant::now();
    let mut results = Vec::new();
    let mut broken = Vec::new();
    for scenario in chosen(arguments) {
        if let Some(proxy) = scenario.needs
            && proxy.program().is_none()
        {
            let why = format!("`{}` is not installed", proxy.name());
            if arguments.require_proxies {
                bail!("{why}, and the scenario `{}` needs it", scenario.name);
            }
            println!("{:<8} SKIPPED: {why}", scenario.name);
            continue;
        }
        for cell in cells(arguments, scenario) {
            let (found, faults) = play(arguments, scenario, cell, &folder).await?;
            for line in table::lines(scenario.name, &cell, &found, &faults) {
                println!("{line}");
            }
            let name = title(scenario, &cell);
            results.push(result(scenario, &cell, &found, &faults));
            broken.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
        }
    }
    println!("\n{} s in all, load {} now", begun.elapsed().as_secs(), machine_load());
    for what in &broken {
        println!("BROKEN {what}");
    }
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&json!({ "cells": results }))?;
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(broken.is_empty())
}

/// Plays a cell; one that has to show losses, until it does. Returns what it found, and what of it
/// breaks the promise.
async fn play(
    arguments: &Arguments,
    scenario: &Scenario,
    cell: Cell,
    folder: &Path,
) -> Result<(Found, Vec<String>)> {
    let stage = Stage {
        cell,
        rounds: rounds(arguments, scenario, &cell),
        clients: arguments.clients,
        delay: arguments.delay(),
        folder,
        name: title(scenario, &cell),
    };
    let context = || stage.name.clone();
    let mut found = (scenario.play)(&stage).await.with_context(context)?;
    for _ in 1..TRIES {
        if cell.promise != Promise::Losses || found.failures() > 0 {
            break;
        }
        found.merge((scenario.play)(&stage).await.with_context(context)?);
    }
    let broken = found.broken(cell.promise);
    Ok((found, broken))
}

/// The name of a cell and of its folder.
fn title(scenario: &Scenario, cell: &Cell) -> String {
    let Cell { server, drain, pause, .. } = cell;
    format!(
        "{}-{}-drain{}-pause{}",
        scenario.name,
        server.name(),
        drain.as_millis(),
        pause.as_millis()
    )
}

fn rounds(arguments: &Arguments, scenario: &Scenario, cell: &Cell) -> u32 {
    let default = match cell.promise {
        _ if arguments.quick => scenario.quick.max(1),
        Promise::Nothing | Promise::Losses => scenario.measured,
        Promise::NothingLost => scenario.rounds,
    };
    arguments.rounds.map_or(default, NonZeroU32::get)
}

fn chosen(arguments: &Arguments) -> impl Iterator<Item = &'static Scenario> {
    SCENARIOS.iter().filter(|scenario| match arguments.scenarios.as_slice() {
        [] => !arguments.quick || scenario.quick > 0,
        names => names.iter().any(|name| name == scenario.name),
    })
}

fn cells(arguments: &Arguments, scenario: &Scenario) -> Vec<Cell> {
    let all = server::Kind::value_variants().iter().copied();
    let servers: Vec<_> = match arguments.servers.as_slice() {
        [] if arguments.quick => vec![server::Kind::Axum, server::Kind::Serve],
        [] => all.collect(),
        named => named.to_vec(),
    };
    let pauses = arguments.pauses();
    (scenario.cells)(&Choice {
        servers: &servers,
        pauses: &pauses,
        drain: arguments.drain(),
        delay: arguments.delay(),
        is_quick: arguments.quick,
    })
}

fn result(scenario: &Scenario, cell: &Cell, found: &Found, broken: &[String]) -> Value {
    let mut value = found.json();
    value["scenario"] = scenario.name.into();
    value["server"] = cell.server.name().into();
    value["drain_seconds"] = cell.drain.as_secs_f64().into();
    value["pause_seconds"] = cell.pause.as_secs_f64().into();
    value["promise"] = cell.promise.name().into();
    value["broken"] = broken.into();
    value
}

/// The load average of the last minute, which says how far times can be trusted.
fn machine_load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

fn folder(arguments: &Arguments) -> Result<PathBuf> {
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => {
            let own = env::current_exe()?;
            let target = own.ancestors().nth(2).context("this program has no folder")?;
            target.join("rollout")
        }
    };
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
