//! The emulator of arm64, which the kernel starts for programs of that processor: tests start
//! processes, and have to start emulated ones.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::machine::{Need, install};
use crate::command::Run;
use crate::workspace::Workspace;

const EMULATOR: &str = "/usr/bin/qemu-aarch64";
const NEEDS: &[Need] = &[(EMULATOR, "qemu-user")];
/// Where the C library of arm64 lies.
const SYSTEM: &str = "/usr/aarch64-linux-gnu";
const FORMATS: &str = "/proc/sys/fs/binfmt_misc";
const NAME: &str = "task-aarch64";
/// The head of an ELF file of that processor, what of it has to match, and that the kernel opens
/// the emulator now.
const FORMAT: &str = concat!(
    r":task-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:",
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:",
    "/usr/bin/qemu-aarch64:F",
);

/// The registration of the emulator, which ends when this is dropped.
pub(super) struct Emulator<'a> {
    workspace: &'a Workspace,
    is_ours: bool,
}

impl<'a> Emulator<'a> {
    /// Registers the emulator, unless it is.
    ///
    /// # Errors
    ///
    /// The emulator cannot be installed, or this user may not register it.
    pub(super) fn new(workspace: &'a Workspace) -> Result<Self> {
        install(workspace, NEEDS)?;
        let formats = Path::new(FORMATS);
        if formats.join("qemu-aarch64").exists() {
            return Ok(Self { workspace, is_ours: false });
        }
        if !formats.join("register").exists() {
            let mounted = Run::program(workspace, "mount")
                .arguments(["-t", "binfmt_misc", "binfmt_misc", FORMATS])
                .read();
            mounted.context("the kernel's table of program formats cannot be mounted")?;
        }
        if !formats.join(NAME).exists() {
            let written = fs::write(formats.join("register"), FORMAT);
            written.context("the kernel does not take the emulator for arm64")?;
        }
        if !formats.join(NAME).exists() {
            bail!("the kernel did not take the emulator for arm64");
        }
        Ok(Self { workspace, is_ours: true })
    }

    /// Returns a run of a program of arm64.
    pub(super) fn program(&self, program: &str, arguments: &[&str]) -> Run {
        Run::program(self.workspace, program).arguments(arguments).hidden("QEMU_LD_PREFIX", SYSTEM)
    }
}

impl Drop for Emulator<'_> {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::write(Path::new(FORMATS).join(NAME), "-1");
        }
    }
}
