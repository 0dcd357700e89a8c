//! Measurements from another process: the time from SIGTERM to the exit, and the wake-ups of an
//! idle service.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{median::median, programs, scenario::Flavor, table::Table};

/// Prints the time from SIGTERM to the exit of each program, and the difference to the first one's.
pub(crate) fn sigterm(rounds: usize) -> Result<()> {
    for flavor in [Flavor::TwoWorkers, Flavor::CurrentThread] {
        let mut micros: Vec<Vec<f64>> = vec![Vec::new(); programs::ALL.len()];
        for _ in 0..rounds {
            for ((name, _), micros) in programs::ALL.iter().zip(&mut micros) {
                let mut running = Running::start(name, flavor)?;
                // It has printed that it is ready; this lets its threads go to sleep.
                thread::sleep(Duration::from_millis(20));
                micros.push(running.terminate()?.as_secs_f64() * 1e6);
            }
        }
        let mut table = Table::new(
            format!("SIGTERM to exit, three idle tasks, {}", flavor.word()),
            &["µs", "above bare"],
        );
        for ((_, title), own) in programs::ALL.iter().zip(&micros) {
            let above = own.iter().zip(&micros[0]).map(|(own, bare)| own - bare);
            table.row(
                title,
                vec![
                    format!("{:.0}", median(own.iter().copied())),
                    format!("{:+.0}", median(above)),
                ],
            );
        }
        table.print();
    }
    Ok(())
}

/// Prints how often the threads of each idle program woke up.
pub(crate) fn idle(span: Duration) -> Result<()> {
    let mut table = Table::new(
        format!("idle for {} s, three tasks, {}", span.as_secs(), Flavor::TwoWorkers.word()),
        &["wake-ups", "CPU ms", "threads"],
    );
    for (name, title) in programs::ALL {
        let mut running = Running::start(name, Flavor::TwoWorkers)?;
        thread::sleep(Duration::from_millis(200));
        let before = running.sleeps()?;
        thread::sleep(span);
        let after = running.sleeps()?;
        running.terminate()?;
        table.row(
            title,
            vec![
                (after.switches - before.switches).to_string(),
                format!("{:.2}", Duration::from_nanos(after.cpu - before.cpu).as_secs_f64() * 1e3),
                after.threads.to_string(),
            ],
        );
    }
    table.print();
    Ok(())
}

/// A program that has printed that it is ready. Killed when dropped.
struct Running(Child);

/// What the threads of a process have done so far.
struct Sleeps {
    /// How often any of them was switched out, voluntarily or not: at least once per wake-up.
    switches: u64,
    /// Nanoseconds.
    cpu: u64,
    threads: usize,
}

impl Running {
    fn start(name: &str, flavor: Flavor) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([programs::COMMAND, name, flavor.word()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take();
        let running = Self(child);
        let mut line = String::new();
        BufReader::new(stdout.context("no stdout")?).read_line(&mut line)?;
        if line.trim_end() != programs::READY {
            bail!("the program `{name}` did not get ready");
        }
        Ok(running)
    }

    /// Sends SIGTERM and returns the time until it has ended.
    fn terminate(&mut self) -> Result<Duration> {
        let id =
            i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        let begun = Instant::now();
        kill_process(id, Signal::TERM)?;
        let status = self.0.wait()?;
        let took = begun.elapsed();
        if !status.success() {
            bail!("a program ended with {status}");
        }
        Ok(took)
    }

    fn sleeps(&self) -> Result<Sleeps> {
        let mut sleeps = Sleeps { switches: 0, cpu: 0, threads: 0 };
        for thread in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let thread = thread?.path();
            let status = fs::read_to_string(thread.join("status"))?;
            let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
            sleeps.switches += counts.filter_map(last_number).sum::<u64>();
            let schedule = fs::read_to_string(thread.join("schedstat"))?;
            let cpu = schedule.split_whitespace().next().and_then(|cpu| cpu.parse::<u64>().ok());
            sleeps.cpu += cpu.unwrap_or(0);
            sleeps.threads += 1;
        }
        Ok(sleeps)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn last_number(line: &str) -> Option<u64> {
    line.split_whitespace().next_back()?.parse().ok()
}
