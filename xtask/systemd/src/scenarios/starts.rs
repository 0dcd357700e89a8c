//! The start: readiness, its time, and who may report it.

use anyhow::{Result, ensure};

use crate::{
    scenario::Scenario,
    trial::{Trial, timed},
};

pub(crate) const LIST: &[Scenario] = &[
    Scenario::new("ready", "`systemctl start` returns when the group is ready", ready),
    Scenario::new(
        "unready",
        "readiness is not taken back, the status shows what is not ready",
        unready,
    ),
    Scenario::new("start-late", "a start that is not extended ends at TimeoutStartSec", late),
    Scenario::new("start-extended", "a slow start is extended while the runtime works", extended),
    Scenario::new("start-limit", "the extension of a start has an end", limited),
    Scenario::new("start-wedged", "a start whose runtime is blocked is not extended", wedged)
        .long(),
    Scenario::new("no-socket", "without NOTIFY_SOCKET the task does nothing", no_socket),
    Scenario::new("child", "no child process reports for the service", child),
];

fn ready(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&["start=1500"]), &[])?;
    let mut start = trial.start_beside()?;
    let status = trial.until("StatusText", |text| text.contains("connecting"))?;
    ensure!(status == "starting: task `worker` is not ready (connecting)", "{status}");
    trial.expect(&[("ActiveState", "activating")])?;
    ensure!(start.wait()?.success());
    trial.expect(&[("ActiveState", "active"), ("Result", "success")])?;
    let text = trial.show("StatusText")?;
    ensure!(text.starts_with("ready, "), "{text}");
    trial.stop()?;
    Ok(format!("then: {text}"))
}

fn unready(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["unready-after=300"], &[])?;
    let text = trial.until("StatusText", |text| text.starts_with("not ready"))?;
    ensure!(text == "not ready: task `worker` is not ready (lost its broker)", "{text}");
    trial.expect(&[("ActiveState", "active")])?;
    trial.stop()?;
    Ok(text)
}

fn late(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&["start=20000"]), &["TimeoutStartSec=2", "Restart=no"])?;
    let took = timed(|| {
        ensure!(!trial.attempt(&["start", trial.name()])?.status.success());
        Ok(())
    })?;
    trial.expect(&[("Result", "timeout")])?;
    Ok(format!("Result=timeout after {:.1} s", took.as_secs_f64()))
}

fn extended(trial: &Trial<'_>) -> Result<String> {
    let unit = trial.unit(&["start=6000", "extend-start=30000"]);
    trial.install(&unit, &["TimeoutStartSec=2"])?;
    let took = timed(|| trial.start())?;
    ensure!(took.as_millis() >= 6_000, "{took:?}");
    trial.stop()?;
    trial.expect(&[("Result", "success")])?;
    Ok(format!("started after {:.1} s with TimeoutStartSec=2", took.as_secs_f64()))
}

fn limited(trial: &Trial<'_>) -> Result<String> {
    let unit = trial.unit(&["start=60000", "extend-start=4000"]);
    trial.install(&unit, &["TimeoutStartSec=1", "Restart=no"])?;
    let took = timed(|| {
        ensure!(!trial.attempt(&["start", trial.name()])?.status.success());
        Ok(())
    })?;
    trial.expect(&[("Result", "timeout")])?;
    ensure!((3.0..20.0).contains(&took.as_secs_f64()), "{took:?}");
    Ok(format!("a limit of 4 s: ended after {:.1} s", took.as_secs_f64()))
}

fn wedged(trial: &Trial<'_>) -> Result<String> {
    // The beats of a watchdog, which systemd does not enforce before the service is ready, go on.
    let unit = trial.unit(&["start=60000", "wedge-at-start", "extend-start=60000"]);
    let unit = unit.watchdog(std::time::Duration::from_secs(2));
    trial.install(&unit, &["TimeoutStartSec=2", "TimeoutStopSec=2", "Restart=no"])?;
    let took = timed(|| {
        ensure!(!trial.attempt(&["start", trial.name()])?.status.success());
        Ok(())
    })?;
    trial.expect(&[("Result", "timeout")])?;
    ensure!(took.as_secs() < 40, "{took:?}");
    Ok(format!("ended after {:.1} s", took.as_secs_f64()))
}

fn no_socket(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&[], &["Type=simple", "NotifyAccess=none"])?;
    trial.until("ActiveState", |state| state == "active")?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    trial.expect(&[("StatusText", "")])?;
    trial.stop()?;
    trial.expect(&[("Result", "success")])?;
    let journal = trial.journal()?;
    let line = "not started by systemd: nothing is reported to it";
    ensure!(journal.contains(line), "{journal}");
    Ok("one line of the log at level debug".to_owned())
}

fn child(trial: &Trial<'_>) -> Result<String> {
    let unit = trial.unit(&["ready-from-child"]);
    trial.install(&unit, &["TimeoutStartSec=3", "Restart=no"])?;
    ensure!(!trial.attempt(&["start", trial.name()])?.status.success());
    trial.expect(&[("Result", "timeout")])?;
    let journal = trial.journal()?;
    ensure!(journal.contains("child: Some(Ok(7))"), "{journal}");
    Ok("the READY=1 of a child is ignored".to_owned())
}
