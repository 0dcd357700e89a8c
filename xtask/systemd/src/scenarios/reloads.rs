//! Reloads, with systemd's own signal and with one that the unit sends.

use anyhow::{Result, ensure};

use crate::{
    scenario::Scenario,
    trial::{Trial, timed},
};

/// The first version with `Type=notify-reload`.
const SINCE: u32 = 253;

pub(crate) const LIST: &[Scenario] = &[
    Scenario::new("reload", "`systemctl reload` waits for the end of the reload", reload)
        .since(SINCE),
    Scenario::new("reload-failed", "a reload that fails ends, and the status says why", failed)
        .since(SINCE),
    Scenario::new(
        "reload-hangs",
        "a reload that hangs fails at its limit, and the service goes on",
        hangs,
    )
    .since(SINCE),
    Scenario::new("reload-stop", "a stop in the middle of a reload is a stop", stopped)
        .since(SINCE),
    Scenario::new(
        "reload-signal",
        "before systemd 253, a reload by SIGHUP is shown while it lasts",
        signal,
    ),
];

fn reload(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&["reload=works"]).notify_reload(), &[])?;
    trial.start()?;
    let took = timed(|| trial.systemctl(&["reload", trial.name()]).map(drop))?;
    ensure!(took.as_millis() >= 1_000, "{took:?}");
    let again = timed(|| trial.systemctl(&["reload", trial.name()]).map(drop))?;
    trial.expect(&[("ActiveState", "active")])?;
    trial.stop()?;
    let (took, again) = (took.as_secs_f64(), again.as_secs_f64());
    Ok(format!("of 1 s: {took:.1} s, and again {again:.1} s"))
}

fn failed(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&["reload=fails"]).notify_reload(), &[])?;
    trial.start()?;
    trial.systemctl(&["reload", trial.name()])?;
    let text = trial.until("StatusText", |text| text.contains("reload failed"))?;
    ensure!(text.ends_with("; the last reload failed: line 3: no broker"), "{text}");
    trial.expect(&[("ActiveState", "active")])?;
    trial.stop()?;
    Ok(text)
}

fn hangs(trial: &Trial<'_>) -> Result<String> {
    let unit = trial.unit(&["reload=hangs", "reload-limit=2000"]).notify_reload();
    trial.install(&unit, &["TimeoutStartSec=10"])?;
    trial.start()?;
    let took = timed(|| trial.systemctl(&["reload", trial.name()]).map(drop))?;
    ensure!((2_000..9_000).contains(&took.as_millis()), "{took:?}");
    let text = trial.show("StatusText")?;
    ensure!(text.ends_with("; the last reload failed: the reload did not end within 2s"), "{text}");
    trial.expect(&[("ActiveState", "active")])?;
    trial.stop()?;
    Ok(format!("ended after {:.1} s, the service is active", took.as_secs_f64()))
}

fn stopped(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&["reload=hangs"]).notify_reload(), &[])?;
    trial.start()?;
    trial.systemctl(&["reload", "--no-block", trial.name()])?;
    trial.until("ActiveState", |state| state == "reloading")?;
    let took = timed(|| trial.stop())?;
    trial.expect(&[("Result", "success"), ("ExecMainStatus", "0")])?;
    Ok(format!("stopped in {:.1} s", took.as_secs_f64()))
}

fn signal(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["reload=works"], &["ExecReload=/bin/sh -c \"kill -HUP $MAINPID\""])?;
    trial.systemctl(&["reload", "--no-block", trial.name()])?;
    trial.until("ActiveState", |state| state == "reloading")?;
    trial.until("ActiveState", |state| state == "active")?;
    trial.stop()?;
    Ok("state `reloading`, then `active`".to_owned())
}
