//! A child process that is observed while it runs: its output is collected, signals can be sent to
//! it, and it never outlives its owner.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

const TICK: Duration = Duration::from_millis(20);

/// A started child. It is killed if this is dropped before the child has ended.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts it with the default action of every signal: it does not inherit those that this
    /// program was started ignoring, as in the background of a script.
    pub(crate) fn start(command: Command) -> Result<Self> {
        let mut child = with_default_signals(&command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let output = Arc::new(Mutex::new(String::new()));
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|pipe| keep(pipe, Arc::clone(&output))));
        readers.extend(child.stderr.take().map(|pipe| keep(pipe, Arc::clone(&output))));
        Ok(Self { child, output, readers })
    }

    /// Returns what it has written so far to stdout and stderr, in order of arrival, whole lines
    /// only.
    pub(crate) fn output(&self) -> String {
        lock(&self.output).clone()
    }

    /// Polls `look` until it returns a value.
    ///
    /// # Errors
    ///
    /// The child ended first, the limit passed, or `look` failed.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&str) -> Result<Option<T>>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            let ended = self.child.try_wait()?;
            if let Some(found) = look(&self.output())? {
                return Ok(found);
            }
            if let Some(status) = ended {
                bail!("it ended ({status}) before {what}");
            }
            if begun.elapsed() >= limit {
                bail!("{what}: not within {} s", limit.as_secs());
            }
            sleep(TICK);
        }
    }

    /// Sends it a signal by name, such as `TERM`.
    pub(crate) fn signal(&mut self, name: &str) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it ended ({status}) before SIG{name} could be sent");
        }
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &self.child.id().to_string()])
            .status()?;
        if !status.success() {
            bail!("cannot send SIG{name}: {status}");
        }
        Ok(())
    }

    /// Waits until it has ended and all its output has been read.
    ///
    /// # Errors
    ///
    /// It is still running at the limit; it is killed then.
    pub(crate) fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.readers.drain(..).for_each(|reader| drop(reader.join()));
                return Ok(status);
            }
            if begun.elapsed() >= limit {
                self.child.kill()?;
                bail!("still running {} s later, killed", limit.as_secs());
            }
            sleep(TICK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has GNU's `env` start the command, where there is one.
fn with_default_signals(command: &Command) -> Command {
    let mut wrapper = if cfg!(target_os = "linux") {
        let mut env = Command::new("env");
        env.arg("--default-signal").arg(command.get_program());
        env
    } else {
        Command::new(command.get_program())
    };
    wrapper.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapper.env(name, value),
            None => wrapper.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapper.current_dir(folder);
    }
    wrapper
}

fn keep(pipe: impl Read + Send + 'static, output: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            lock(&output).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

fn lock(output: &Mutex<String>) -> MutexGuard<'_, String> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::Running;

    const LIMIT: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Running::start(command).unwrap()
    }

    #[test]
    fn a_child_can_handle_a_signal_sent_after_a_line() {
        let mut running =
            shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done");
        running.until("ready", LIMIT, |output| Ok(output.contains("ready").then_some(()))).unwrap();
        running.signal("TERM").unwrap();
        assert_eq!(running.ended(LIMIT).unwrap().code(), Some(7));
        assert_eq!(running.output(), "ready\nbye\n");
    }

    #[test]
    fn a_child_ignores_no_signal_and_keeps_its_folder_and_its_environment() {
        let mut command = Command::new("sh");
        let script = "pwd; echo $NAME; kill -INT $$; echo ignored";
        command.args(["-c", script]);
        command.current_dir("/").env("NAME", "value");
        let mut running = Running::start(command).unwrap();
        assert_eq!(running.ended(LIMIT).unwrap().code(), None);
        assert_eq!(running.output(), "/\nvalue\n");
    }

    #[test]
    fn an_early_end_is_an_error_at_once() {
        let mut running = shell("echo no >&2; exit 1");
        let error = running.until("it is ready", LIMIT, |_| Ok(None::<()>)).unwrap_err();
        assert_eq!(error.to_string(), "it ended (exit status: 1) before it is ready");
    }

    #[test]
    fn a_child_that_does_not_end_is_killed_at_the_limit() {
        let mut running = shell("exec sleep 63");
        let error = running.ended(Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "still running 0 s later, killed");
    }
}
