//! The stop: its cause, its time, and what it waits for.

use anyhow::{Result, ensure};

use crate::{
    scenario::Scenario,
    trial::{Trial, timed},
};

pub(crate) const LIST: &[Scenario] = &[
    Scenario::new(
        "stop",
        "during a stop, the status has its cause, its time and what it waits for",
        stop,
    ),
    Scenario::new("stop-cleanup", "the status follows the cleanups", cleanup),
    Scenario::new("stop-late", "a stop that is not extended is killed at TimeoutStopSec", late),
    Scenario::new("stop-extended", "a stop is extended by what it may take", extended),
    Scenario::new(
        "daemon-reload",
        "a start and a stop that are extended outlast a `systemctl daemon-reload`",
        reloaded,
    )
    .alone()
    .long(),
    Scenario::new(
        "stop-itself",
        "a service that stops by itself is stopping for systemd, too",
        itself,
    ),
];

fn stop(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["stop=3000"], &[])?;
    trial.systemctl(&["stop", "--no-block", trial.name()])?;
    let text = trial.until("StatusText", |text| text.contains("flushing"))?;
    let is_whole = text.starts_with("stopping (signal SIGTERM (task `signals`)): ")
        && text.ends_with(" of 25 s, waits for worker (flushing 120 messages)");
    ensure!(is_whole, "{text}");
    trial.expect(&[("ActiveState", "deactivating")])?;
    trial.ended()?;
    trial.expect(&[("Result", "success"), ("ExecMainStatus", "0")])?;
    Ok(text)
}

fn cleanup(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["cleanup=3000"], &[])?;
    trial.systemctl(&["stop", "--no-block", trial.name()])?;
    let text = trial.until("StatusText", |text| text.starts_with("cleaning up"))?;
    ensure!(text.ends_with("waits for cleanup database"), "{text}");
    trial.ended()?;
    trial.expect(&[("Result", "success")])?;
    Ok(text)
}

fn late(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["stop=6000"], &["TimeoutStopSec=2", "Restart=no"])?;
    let took = timed(|| trial.attempt(&["stop", trial.name()]).map(drop))?;
    trial.expect(&[("Result", "timeout")])?;
    Ok(format!("killed after {:.1} s", took.as_secs_f64()))
}

fn extended(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["stop=6000", "extend-stop"], &["TimeoutStopSec=2"])?;
    let took = timed(|| trial.stop())?;
    trial.expect(&[("Result", "success")])?;
    ensure!(took.as_millis() >= 6_000, "{took:?}");
    Ok(format!("{:.1} s with TimeoutStopSec=2, success", took.as_secs_f64()))
}

/// systemd forgets then by how much it has extended a time, and is asked again. Played alone, since
/// it forgets that of all units.
fn reloaded(trial: &Trial<'_>) -> Result<String> {
    let unit = trial.unit(&["start=8000", "extend-start=30000", "stop=8000", "extend-stop"]);
    trial.install(&unit, &["TimeoutStartSec=4", "TimeoutStopSec=4", "Restart=no"])?;
    for (command, begun) in [("start", "activating"), ("stop", "deactivating")] {
        trial.systemctl(&[command, "--no-block", trial.name()])?;
        trial.until("ActiveState", |state| state == begun)?;
        std::thread::sleep(std::time::Duration::from_secs(1));
        trial.systemctl(&["daemon-reload"])?;
        trial.until("ActiveState", |state| state != begun)?;
        trial.expect(&[("Result", "success")])?;
    }
    Ok("8 s each, with TimeoutStartSec=4 and TimeoutStopSec=4".to_owned())
}

fn itself(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["end-after=300", "cleanup=2000"], &[])?;
    trial.until("ActiveState", |state| state == "deactivating")?;
    trial.ended()?;
    trial.expect(&[("Result", "success"), ("ExecMainStatus", "0")])?;
    Ok("deactivating before the process has ended".to_owned())
}
