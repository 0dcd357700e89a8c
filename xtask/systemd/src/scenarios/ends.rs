//! How a service ended, as `systemctl status` shows it.

use anyhow::{Result, ensure};

use crate::{scenario::Scenario, trial::Trial};

pub(crate) const LIST: &[Scenario] = &[
    Scenario::new("clean", "after a clean end, the status says so, with cause and time", clean),
    Scenario::new("failed", "after a failure, the status says who failed", failed),
    Scenario::new("last-word", "what is said last is not lost, twenty times of twenty", last_word)
        .long(),
    Scenario::new(
        "restarts",
        "a service that fails is started again for as long as it takes",
        restarts,
    ),
    Scenario::new(
        "configuration",
        "one whose configuration is wrong is not started again",
        configuration,
    ),
    Scenario::new("credential", "credentials are read", credentials),
];

fn clean(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&[], &[])?;
    trial.stop()?;
    trial.expect(&[("Result", "success"), ("ExecMainCode", "1"), ("ExecMainStatus", "0")])?;
    let text = trial.show("StatusText")?;
    let is_clean = text.starts_with("stopped (signal SIGTERM (task `signals`)) in ")
        && text.ends_with(" s, clean");
    ensure!(is_clean, "{text}");
    Ok(text)
}

fn failed(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["fail-after=300"], &["Restart=no"])?;
    trial.ended()?;
    trial.expect(&[("Result", "exit-code"), ("ExecMainStatus", "1")])?;
    let status = trial.attempt(&["status", "--no-pager", trial.name()])?;
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    let line = status.lines().find(|line| line.trim_start().starts_with("Status:"));
    let line = line.unwrap_or_default().trim().to_owned();
    ensure!(line.contains("task `worker` failed: the disk is full"), "{status}");
    Ok(line)
}

fn last_word(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&["cleanup=20"]), &[])?;
    for round in 0..20 {
        trial.start()?;
        trial.stop()?;
        let text = trial.show("StatusText")?;
        ensure!(text.starts_with("stopped ("), "round {round}: {text}");
    }
    Ok("20 of 20, with the printed unit's StartLimitIntervalSec=0".to_owned())
}

fn restarts(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["fail-after=1"], &["RestartSec=100ms"])?;
    let count =
        trial.until("NRestarts", |count| count.parse().is_ok_and(|count: u32| count >= 7))?;
    trial.stop()?;
    Ok(format!("{count} restarts and on"))
}

fn configuration(trial: &Trial<'_>) -> Result<String> {
    trial.install(&trial.unit(&["start=soon"]), &["Environment=WATCHDOG_PID=soon"])?;
    ensure!(!trial.attempt(&["start", trial.name()])?.status.success());
    trial.ended()?;
    trial.expect(&[("Result", "exit-code"), ("ExecMainStatus", "78"), ("NRestarts", "0")])?;
    let journal = trial.journal()?;
    let line = "WATCHDOG_PID is `soon`, which is not a number above zero";
    ensure!(journal.contains(line), "{journal}");
    Ok("code 78, not started again".to_owned())
}

fn credentials(trial: &Trial<'_>) -> Result<String> {
    trial.begin(&["credential=token"], &["SetCredential=token:secret"])?;
    trial.stop()?;
    let journal = trial.journal()?;
    ensure!(journal.contains("credential: secret"), "{journal}");
    Ok("SetCredential=".to_owned())
}
