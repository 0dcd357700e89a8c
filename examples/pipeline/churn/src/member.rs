//! A member: one instance of the service as a process.

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

/// How long a member may take to log the address of its probes.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(5);
/// The smallest pipe of Linux, in bytes, which is soon full.
const PIPE: usize = 4096;

/// The destination of a member's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    File,
    /// A pipe that is not read after the start of the member, so that it blocks the threads that
    /// log.
    Unread,
}

#[derive(Debug)]
pub(crate) struct Member {
    child: Child,
    log: PathBuf,
    address: Option<SocketAddr>,
    /// Its place among the members, which its successor takes.
    pub(crate) slot: usize,
    started: Instant,
}

impl Member {
    /// Starts a member with the log file `log`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        log: PathBuf,
        kind: Log,
        slot: usize,
    ) -> Result<Self> {
        let file = File::create(&log)?;
        let stderr = match kind {
            Log::File => Stdio::from(file.try_clone()?),
            Log::Unread => Stdio::piped(),
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(file).stderr(stderr);
        let is_setting = |name: &str| name.starts_with("PIPELINE_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(&name.to_string_lossy()))
        {
            command.env_remove(name);
        }
        let child =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut member = Self { child, log, address: None, slot, started: Instant::now() };
        if kind == Log::Unread {
            member.read_address()?;
        }
        Ok(member)
    }

    /// Returns the address of the probes, once the member has logged it.
    pub(crate) fn address(&mut self) -> Option<SocketAddr> {
        if self.address.is_none() {
            self.address = address(&fs::read_to_string(&self.log).unwrap_or_default());
        }
        self.address
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        self.address().is_some_and(probe::is_ready)
    }

    /// Returns the number of partitions assigned to the member.
    pub(crate) fn partitions(&mut self) -> f64 {
        let assigned = |address| probe::metric(address, "partitions_assigned");
        self.address().and_then(assigned).unwrap_or_default()
    }

    /// Returns the number of messages that the member has settled.
    pub(crate) fn settled(&mut self) -> f64 {
        let settled = |address| probe::metric(address, "messages_settled_total");
        self.address().and_then(settled).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot signal the member of {}", self.log.display()))
    }

    /// Returns the exit status, if the member has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the exit until `deadline`.
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

    /// Reads the log from the pipe, byte by byte, up to the end of the line with the address.
    fn read_address(&mut self) -> Result<()> {
        let pipe = self.child.stderr.as_mut().context("there is no pipe")?;
        fcntl_setpipe_size(&*pipe, PIPE)?;
        let mut text = Vec::new();
        loop {
            let mut byte = [0];
            if pipe.read(&mut byte)? == 0 || self.started.elapsed() > START_TIMEOUT {
                bail!("a member did not start: {}", String::from_utf8_lossy(&text));
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
        // Both fail only if the member has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the address in the first complete line that has one.
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
    fn an_address_counts_once_its_line_is_complete() {
        assert_eq!(address("INFO probes at http://127.0.0.1:80"), None);
        let address = address("hello\nINFO probes at http://127.0.0.1:8080\n");
        assert_eq!(address, Some("127.0.0.1:8080".parse().unwrap()));
    }
}
