//! Wine, which runs the programs of Windows, with what it lacks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::machine::{Need, install};
use crate::command::Run;
use crate::workspace::Workspace;

const WINE: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver64";
const NEEDS: &[Need] = &[(WINE, "wine64")];
const COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// A Windows of its own, below `target/`. Its processes are ended when it is dropped.
pub(super) struct Wine<'a> {
    workspace: &'a Workspace,
    prefix: PathBuf,
    /// The program that sends console events.
    sender: PathBuf,
}

impl<'a> Wine<'a> {
    /// Installs Wine.
    ///
    /// # Errors
    ///
    /// It cannot be installed here.
    pub(super) fn install(workspace: &Workspace) -> Result<()> {
        install(workspace, NEEDS)
    }

    /// Makes it, with Wine and a C compiler that are there.
    ///
    /// # Errors
    ///
    /// Wine does not start, or what it lacks cannot be compiled.
    pub(super) fn new(workspace: &'a Workspace) -> Result<Self> {
        let folder = workspace.target.join("platforms");
        fs::create_dir_all(&folder)?;
        let wine =
            Self { workspace, prefix: folder.join("wine"), sender: folder.join("console.exe") };
        wine.program("wineboot", &["--init"]).log_to(&folder.join("wineboot.log"))?;
        let source = |name: &str| workspace.root.join("xtask/src/platform").join(name);
        let compile = |name: &str, output: &Path, options: &[&str]| {
            Run::program(workspace, COMPILER)
                .arguments(["-Wall", "-Werror", "-O1", "-o"])
                .arguments([output.to_string_lossy(), source(name).to_string_lossy()])
                .arguments(options)
                .run()
        };
        let system = wine.prefix.join("drive_c/windows/system32");
        let library = system.join("bcryptprimitives.dll");
        compile("random.c", &library, &["-shared", "-ladvapi32"])?;
        compile("console.c", &wine.sender, &[])?;
        Ok(wine)
    }

    /// Returns a run of a program of Windows.
    pub(super) fn program(&self, program: &str, arguments: &[&str]) -> Run {
        Run::program(self.workspace, WINE)
            .arguments([program])
            .arguments(arguments)
            .hidden("WINEPREFIX", &self.prefix)
            .hidden("WINEDEBUG", "-all")
            // Two large packages that nothing here uses are not asked for.
            .hidden("WINEDLLOVERRIDES", "mscoree,mshtml=;bcryptprimitives=n")
            .hidden("TASK_CONSOLE", &self.sender)
    }
}

impl Drop for Wine<'_> {
    fn drop(&mut self) {
        // Fails only if nothing of it runs any more.
        let _ = Run::program(self.workspace, SERVER)
            .arguments(["--kill", "--wait"])
            .hidden("WINEPREFIX", &self.prefix)
            .run();
    }
}
