//! The printed unit, as systemd reads it.

use std::fs;

use anyhow::{Result, ensure};

use crate::{machine::PROGRAMS, scenario::Scenario, trial::Trial};

pub(crate) const LIST: &[Scenario] = &[
    Scenario::new(
        "verify",
        "`systemd-analyze verify` has nothing to say about the printed unit",
        verify,
    ),
    Scenario::new("verify-reload", "nor with `Type=notify-reload`", verify_reload).since(253),
    Scenario::new("flagship", "the pipeline works as the unit that it prints", flagship).long(),
    Scenario::new("words", "words with blanks, quotes, `%` and `$` arrive as they are", words),
];

fn verify(trial: &Trial<'_>) -> Result<String> {
    verified(trial, &["/opt/printed"])
}

fn verify_reload(trial: &Trial<'_>) -> Result<String> {
    verified(trial, &["/opt/printed-reload", "notify-reload"])
}

fn verified(trial: &Trial<'_>, arguments: &[&str]) -> Result<String> {
    let [folder, rest @ ..] = arguments else { return Ok(String::new()) };
    fs::create_dir_all(trial.machine.path(folder))?;
    let (program, print) = (format!("{PROGRAMS}/trial-unit"), format!("print-unit={folder}"));
    let printed = trial.machine.run(&[&[program.as_str(), print.as_str()], rest].concat())?;
    ensure!(printed.status.success(), "{printed:?}");
    let files = ["printed.service", "printed-http.socket", "printed-admin.socket"];
    let files: Vec<_> = files.iter().map(|file| format!("{folder}/{file}")).collect();
    let mut command = vec!["systemd-analyze", "verify", "--man=no"];
    command.extend(files.iter().map(String::as_str));
    let output = trial.machine.run(&command)?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // It also reads the units of the system that these refer to.
    let ours: Vec<_> = text.lines().filter(|line| line.contains("printed")).collect();
    ensure!(output.status.success() && ours.is_empty(), "{text}");
    Ok(format!("{} files", files.len()))
}

/// The flagship is built before the scenarios that are not in the quick form.
fn flagship(trial: &Trial<'_>) -> Result<String> {
    let program = format!("{PROGRAMS}/pipeline");
    let printed = trial.machine.run(&[&program, "unit", &program])?;
    ensure!(printed.status.success(), "{printed:?}");
    let file = format!("/etc/systemd/system/{}.service", trial.name());
    fs::write(trial.machine.path(&file), printed.stdout)?;
    trial.start()?;
    let ready = trial.show("StatusText")?;
    ensure!(ready.starts_with("ready, "), "{ready}");
    std::thread::sleep(std::time::Duration::from_secs(3));
    trial.expect(&[("ActiveState", "active"), ("NRestarts", "0"), ("WatchdogUSec", "10s")])?;
    trial.stop()?;
    trial.expect(&[("Result", "success"), ("ExecMainStatus", "0")])?;
    let stopped = trial.show("StatusText")?;
    ensure!(stopped.ends_with(", clean"), "{stopped}");
    Ok(format!("{ready}; then {stopped}"))
}

fn words(trial: &Trial<'_>) -> Result<String> {
    let word = "a b\"c'd\\e%f$HOME ${X} ä";
    let unit = trial.unit(&[&format!("word={word}")]).environment("WORD", word);
    trial.install(&unit, &[])?;
    trial.start()?;
    let id = trial.show("MainPID")?;
    let read = |file: &str| -> Result<String> {
        let bytes = fs::read(trial.machine.path(&format!("/proc/{id}/{file}")))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (arguments, environment) = (read("cmdline")?, read("environ")?);
    trial.stop()?;
    let argument = arguments.split('\0').find_map(|argument| argument.strip_prefix("word="));
    ensure!(argument == Some(word), "{arguments:?}");
    let variable = environment.split('\0').find_map(|variable| variable.strip_prefix("WORD="));
    ensure!(variable == Some(word), "{environment:?}");
    Ok(word.to_owned())
}
