//! One unit of one scenario: installed, started, looked at.

use std::{
    fs,
    process::{Child, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use task_systemd::Unit;

use crate::machine::{Machine, PROGRAMS};

/// What is waited for longest. Machines are busy at times.
const LIMIT: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(30);

pub(crate) struct Trial<'a> {
    pub(crate) machine: &'a Machine,
    name: String,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(machine: &'a Machine, name: &str) -> Self {
        Self { machine, name: format!("trial-{name}") }
    }

    /// Has systemd remember the last run of each unit once it has ended, as it does for a unit that
    /// is enabled.
    pub(crate) fn prepare<'n>(
        machine: &Machine,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<()> {
        let units: Vec<_> = names.map(|name| format!("trial-{name}.service")).collect();
        let folder = machine.path("/etc/systemd/system/trials.target.d");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("units.conf"), format!("[Unit]\nAfter={}\n", units.join(" ")))?;
        let output = machine.run(&["systemctl", "daemon-reload"])?;
        ensure!(output.status.success(), "{}", text(&output));
        Ok(())
    }

    /// The name of the unit, without its ending.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The unit that the crate prints for the service of the scenarios, with these arguments.
    pub(crate) fn unit(&self, arguments: &[&str]) -> Unit {
        let unit = Unit::new(&self.name, format!("{PROGRAMS}/trial-unit"));
        arguments.iter().fold(unit, |unit, argument| unit.argument(*argument))
    }

    /// Installs a unit, with lines that take the place of what it has. systemd reads it when it is
    /// first needed: to have all units loaded anew would take from other scenarios the time by
    /// which their starts and stops were extended.
    pub(crate) fn install(&self, unit: &Unit, lines: &[&str]) -> Result<()> {
        let folder = self.machine.path("/etc/systemd/system");
        for (name, text) in unit.files()? {
            fs::write(folder.join(name), text)?;
        }
        let drop_in = folder.join(format!("{}.service.d", self.name));
        fs::create_dir_all(&drop_in)?;
        fs::write(drop_in.join("trial.conf"), format!("[Service]\n{}\n", lines.join("\n")))?;
        Ok(())
    }

    /// Installs and starts it.
    pub(crate) fn begin(&self, arguments: &[&str], lines: &[&str]) -> Result<()> {
        self.install(&self.unit(arguments), lines)?;
        self.start()
    }

    pub(crate) fn start(&self) -> Result<()> {
        self.systemctl(&["start", &self.name]).map(drop)
    }

    /// Begins to start it, and does not wait until it has started.
    pub(crate) fn start_beside(&self) -> Result<Child> {
        let mut command = self.machine.command(&["systemctl", "start", &self.name]);
        Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    pub(crate) fn stop(&self) -> Result<()> {
        self.systemctl(&["stop", &self.name]).map(drop)
    }

    /// Runs systemctl, which has to succeed.
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> Result<String> {
        let output = self.attempt(arguments)?;
        if !output.status.success() {
            bail!("systemctl {}: {}\n{}", arguments.join(" "), text(&output), self.journal()?);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs systemctl, which may fail.
    pub(crate) fn attempt(&self, arguments: &[&str]) -> Result<Output> {
        self.machine.run(&[&["systemctl"], arguments].concat())
    }

    pub(crate) fn show(&self, property: &str) -> Result<String> {
        let text = self.systemctl(&["show", "--value", "-p", property, &self.name])?;
        Ok(text.trim_end_matches('\n').to_owned())
    }

    /// Waits until a property has a value.
    pub(crate) fn until(&self, property: &str, holds: impl Fn(&str) -> bool) -> Result<String> {
        let begun = Instant::now();
        loop {
            let value = self.show(property)?;
            if holds(&value) {
                return Ok(value);
            }
            if begun.elapsed() > LIMIT {
                bail!("{property} stays {value:?}\n{}", self.journal()?);
            }
            sleep(TICK);
        }
    }

    /// Checks the properties.
    pub(crate) fn expect(&self, expected: &[(&str, &str)]) -> Result<()> {
        for (property, value) in expected {
            let shown = self.show(property)?;
            ensure!(shown == *value, "{property}={shown}, not {value}\n{}", self.journal()?);
        }
        Ok(())
    }

    /// Waits until its process has ended, in whatever way.
    pub(crate) fn ended(&self) -> Result<()> {
        self.until("ActiveState", |state| ["inactive", "failed"].contains(&state)).map(drop)
    }

    pub(crate) fn journal(&self) -> Result<String> {
        let output =
            self.machine.run(&["journalctl", "--no-pager", "-o", "cat", "-u", &self.name])?;
        Ok(text(&output))
    }
}

fn text(output: &Output) -> String {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    [stdout, stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// Runs it, and returns how long it took.
pub(crate) fn timed(run: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begun = Instant::now();
    run()?;
    Ok(begun.elapsed())
}
