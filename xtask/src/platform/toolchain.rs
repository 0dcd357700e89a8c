//! A compiler that has the source of the standard library.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::machine::{Need, install};
use crate::command::Run;
use crate::workspace::Workspace;

/// Debian's second compiler, newer than its first, and its Cargo.
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const SOURCE: &str = "/usr/lib/rustlib/src/rust";
const DEBIAN: &[Need] = &[(CARGO, "cargo-web"), (RUSTC, "rustc-web"), (SOURCE, "rust-web-src")];

/// A Cargo and its rustc.
#[derive(Debug)]
pub(crate) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
}

impl Toolchain {
    /// Returns the toolchain in use if it has the source (rustup's component `rust-src`), else
    /// Debian's, which is installed if it is missing.
    ///
    /// # Errors
    ///
    /// Debian's cannot be installed.
    pub(crate) fn with_source(workspace: &Workspace) -> Result<Self> {
        if let Some(installed) = Self::installed(workspace)? {
            return Ok(installed);
        }
        install(workspace, DEBIAN)?;
        Ok(Self::debian())
    }

    /// As [`with_source`](Self::with_source), but installs nothing: there may be none.
    ///
    /// # Errors
    ///
    /// rustc cannot be run.
    pub(crate) fn installed(workspace: &Workspace) -> Result<Option<Self>> {
        let (root, _) =
            Run::program(workspace, "rustc").arguments(["--print", "sysroot"]).read()?;
        let source = Path::new(root.trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
        if source.exists() {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            return Ok(Some(Self { cargo: cargo.into(), rustc: "rustc".into() }));
        }
        let has_debian = DEBIAN.iter().all(|(file, _)| Path::new(file).exists());
        Ok(has_debian.then(Self::debian))
    }

    fn debian() -> Self {
        Self { cargo: CARGO.into(), rustc: RUSTC.into() }
    }

    /// Returns a run of this Cargo that builds the standard library for `triple`.
    pub(crate) fn cargo(&self, workspace: &Workspace, command: &str, triple: &str) -> Run {
        self.plain(workspace, command)
            .arguments(["-Zbuild-std=std,panic_abort,panic_unwind", "--target", triple])
            .hidden("CARGO_TARGET_DIR", workspace.target.join("platforms"))
            // Line tables of the standard library and of everything else, for nobody to read.
            .hidden("CARGO_PROFILE_DEV_DEBUG", "false")
            .hidden("CARGO_INCREMENTAL", "0")
    }

    /// Returns a run of this Cargo, in which its unstable options can be used.
    pub(crate) fn plain(&self, workspace: &Workspace, command: &str) -> Run {
        Run::program(workspace, &self.cargo)
            .arguments([command, "--locked"])
            .hidden("RUSTC", &self.rustc)
            .hidden("RUSTC_BOOTSTRAP", "1")
            // Cargo sets it for this program: the libraries of another compiler.
            .hidden("LD_LIBRARY_PATH", "")
    }
}
