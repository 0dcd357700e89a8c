//! The watchdog: fed while the runtime works and to the end of the last cleanup.

use anyhow::{Result, ensure};

use crate::{
    scenario::Scenario,
    trial::{Trial, timed},
};

pub(crate) const LIST: &[Scenario] = &[
    Scenario::new("watchdog", "a service that works is left alone by its watchdog", works),
    Scenario::new(
        "watchdog-cleanup",
        "a slow stop and a slow cleanup survive WatchdogSec=1",
        cleanup,
    ),
    Scenario::new(
        "wedged-running",
        "one that is blocked while it runs is killed within the watchdog's time",
        running,
    ),
    Scenario::new(
        "wedged-stopping",
        "one whose workers are blocked while it stops ends at its own deadline",
        stopping,
    ),
    Scenario::new(
        "hard-exit",
        "one that is blocked whole while it stops ends by its own hard exit, with its code",
        hard_exit,
    ),
];

fn works(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&[]).watchdog(std::time::Duration::from_secs(1)), &[])?;
    trial.start()?;
    std::thread::sleep(std::time::Duration::from_secs(5));
    trial.expect(&[("ActiveState", "active"), ("NRestarts", "0"), ("WatchdogUSec", "1s")])?;
    trial.stop()?;
    trial.expect(&[("Result", "success")])?;
    Ok("5 s with WatchdogSec=1".to_owned())
}

fn cleanup(trial: &Trial<'_>) -> Result<String> {
    let unit = trial.unit(&["stop=3000", "cleanup=5000"]);
    trial.install(&unit.watchdog(std::time::Duration::from_secs(1)), &[])?;
    trial.start()?;
    let took = timed(|| trial.stop())?;
    trial.expect(&[("Result", "success"), ("ExecMainStatus", "0")])?;
    ensure!(took.as_secs() >= 8, "{took:?}");
    Ok(format!("a stop of {:.1} s", took.as_secs_f64()))
}

fn running(trial: &Trial<'_>) -> Result<String> {
    let unit = trial.unit(&["wedge-after=1000"]).watchdog(std::time::Duration::from_secs(2));
    trial.install(&unit, &["Restart=no", "TimeoutAbortSec=5"])?;
    trial.start()?;
    let took = timed(|| trial.ended())?;
    trial.expect(&[("Result", "watchdog")])?;
    let text = trial.show("StatusText")?;
    ensure!(text.starts_with("the runtime is blocked for "), "{text}\n{}", trial.journal()?);
    // Of the three seconds, one is before the block, and a busy machine adds to it.
    ensure!(took.as_secs() < 10, "{took:?}");
    Ok(format!("Result=watchdog after {:.1} s, of which 1 s worked; {text}", took.as_secs_f64()))
}

fn stopping(trial: &Trial<'_>) -> Result<String> {
    stops_wedged(trial, "code=1", "1")
}

fn hard_exit(trial: &Trial<'_>) -> Result<String> {
    stops_wedged(trial, "current-thread", "4")
}

/// Stops a service that is blocked from its stop on, and says who was.
fn stops_wedged(trial: &Trial<'_>, argument: &str, code: &str) -> Result<String> {
    let unit = trial.unit(&["wedge-in-stop", "total=3000", argument]);
    let unit = unit.watchdog(std::time::Duration::from_secs(1));
    trial.install(&unit.shutdown_timeout(std::time::Duration::from_secs(3)), &["Restart=no"])?;
    trial.start()?;
    let took = timed(|| trial.attempt(&["stop", trial.name()]).map(drop))?;
    trial.expect(&[("Result", "exit-code"), ("ExecMainCode", "1"), ("ExecMainStatus", code)])?;
    let text = trial.show("StatusText")?;
    let is_named =
        text.contains("task `worker` was abandoned") && text.contains("flushing 120 messages");
    ensure!(is_named, "{text}\n{}", trial.journal()?);
    Ok(format!("code {code} after {:.1} s, WatchdogSec=1; {text}", took.as_secs_f64()))
}
