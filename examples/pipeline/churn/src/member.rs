//! One instance of the service: started as a process, signalled, and waited for.

use std::{
    fs::{self, File},
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    pipe::fcntl_setpipe_size,
    process::{Pid, Signal, kill_process},
};

use crate::probe;

/// How long a member may take to say where its probes are.
const START: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(5);
/// As small as Linux makes a pipe, so that it is full soon.
const PIPE: usize = 4096;

/// Where its log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    File,
    /// A pipe that nobody reads once the member has come up: then the thread that logs next is stuck.
    Stuck,
}

#[derive(Debug)]
pub(crate) struct Member {
    child: Child,
    log: PathBuf,
    address: Option<SocketAddr>,
    started: Instant,
}

impl Member {
    /// Starts it; its log goes to `log`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        log: PathBuf,
        kind: Log,
    ) -> Result<Self> {
        let file = File::create(&log)?;
        let stderr = match kind {
            Log::File => Stdio::from(file.try_clone()?),
            Log::Stuck => Stdio::piped(),
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(file).stderr(stderr);
        let own = |name: &str| name.starts_with("PIPELINE_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| own(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        let child =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut member = Self { child, log, address: None, started: Instant::now() };
        if kind == Log::Stuck {
            member.read_address()?;
        }
        Ok(member)
    }

    /// Where its probes are, once it has said so.
    pub(crate) fn address(&mut self) -> Option<SocketAddr> {
        if self.address.is_none() {
            self.address = address(&fs::read_to_string(&self.log).unwrap_or_default());
        }
        self.address
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        self.address().is_some_and(probe::is_ready)
    }

    /// How many partitions it has.
    pub(crate) fn partitions(&mut self) -> f64 {
        let assigned = |address| probe::metric(address, "partitions_assigned");
        self.address().and_then(assigned).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot signal the member of {}", self.log.display()))
    }

    /// Tells how it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end until `deadline`.
    pub(crate) fn wait(&mut self, deadline: Instant) -> Result<Option<ExitStatus>> {
        loop {
            match self.ended()? {
                None if Instant::now() < deadline => sleep(TICK),
                ended => return Ok(ended),
            }
        }
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Reads its log from the pipe, a byte at a time, until it has told its address, and not a byte more.
    fn read_address(&mut self) -> Result<()> {
        let pipe = self.child.stderr.as_mut().context("there is no pipe")?;
        fcntl_setpipe_size(&*pipe, PIPE)?;
        let mut text = Vec::new();
        loop {
            let mut byte = [0];
            if pipe.read(&mut byte)? == 0 || self.started.elapsed() > START {
                bail!("a member did not come up: {}", String::from_utf8_lossy(&text));
            }
            text.push(byte[0]);
            if byte[0] == b'\n' {
                self.address = address(&String::from_utf8_lossy(&text));
                if self.address.is_some() {
                    return Ok(());
                }
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Both fail only for one that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the first whole line that has one.
fn address(log: &str) -> Option<SocketAddr> {
    let lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines
        .filter_map(|line| line.split_once("http://"))
        .find_map(|(_, rest)| rest.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_counts_once_its_line_is_whole() {
        assert_eq!(address("INFO probes at http://127.0.0.1:80"), None);
        let address = address("hello\nINFO probes at http://127.0.0.1:8080\n");
        assert_eq!(address, Some("127.0.0.1:8080".parse().unwrap()));
    }
}
