//! The targets: what compiles C for each, what links, and what can run its programs here.

use std::path::PathBuf;

use anyhow::Result;

use super::machine::{Need, install, write_script, zig};
use crate::command::Run;
use crate::workspace::Workspace;

/// One target.
pub(crate) struct Target {
    pub(crate) triple: &'static str,
    compiler: Compiler,
    pub(crate) runner: Option<Runner>,
}

/// The C compiler, which also links.
enum Compiler {
    /// A program, and the packages of Debian that it takes.
    Debian(&'static str, &'static [Need]),
    /// Zig, with its own name of the target.
    Zig(&'static str),
}

/// What runs the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    Wine,
    /// The kernel starts the emulator for each such program.
    Emulator,
    Native,
}

/// A new target is one entry here. macOS comes first and Windows second: CI checks those two.
pub(crate) const TARGETS: &[Target] = &[
    Target {
        triple: "aarch64-apple-darwin",
        compiler: Compiler::Zig("aarch64-macos"),
        runner: None,
    },
    Target {
        triple: "x86_64-pc-windows-gnu",
        compiler: Compiler::Debian(
            "x86_64-w64-mingw32-gcc",
            &[("/usr/bin/x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64")],
        ),
        runner: Some(Runner::Wine),
    },
    Target {
        triple: "x86_64-unknown-linux-musl",
        compiler: Compiler::Zig("x86_64-linux-musl"),
        runner: Some(Runner::Native),
    },
    Target {
        triple: "aarch64-unknown-linux-gnu",
        compiler: Compiler::Debian(
            "aarch64-linux-gnu-gcc",
            &[
                ("/usr/bin/aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
                ("/usr/aarch64-linux-gnu/lib/libc.so.6", "libc6-dev-arm64-cross"),
            ],
        ),
        runner: Some(Runner::Emulator),
    },
    Target {
        triple: "i686-unknown-linux-gnu",
        compiler: Compiler::Zig("x86-linux-gnu"),
        runner: None,
    },
    Target {
        triple: "x86_64-unknown-freebsd",
        compiler: Compiler::Zig("x86_64-freebsd"),
        runner: None,
    },
];

/// Cargo's flags for musl: the C library and its start code are Zig's.
const MUSL: &str = "-Clink-self-contained=no";

impl Target {
    /// Installs the C compiler.
    ///
    /// # Errors
    ///
    /// It cannot be installed here.
    pub(crate) fn prepare(&self, workspace: &Workspace) -> Result<()> {
        match self.compiler {
            Compiler::Debian(_, needs) => install(workspace, needs),
            Compiler::Zig(name) => self.write_wrapper(workspace, name),
        }
    }

    /// Has a run of Cargo compile C and link for the target.
    pub(crate) fn with_compiler(&self, workspace: &Workspace, run: Run) -> Run {
        let name = self.triple.replace('-', "_");
        let linker = format!("CARGO_TARGET_{}_LINKER", name.to_uppercase());
        let run = match self.compiler {
            Compiler::Debian(program, _) => {
                return run.hidden(&format!("CC_{name}"), program).hidden(&linker, program);
            }
            Compiler::Zig(_) => {
                let wrapper = self.wrapper(workspace);
                // Binutils of this machine know the archives of every target.
                run.hidden(&format!("CC_{name}"), &wrapper)
                    .hidden(&format!("AR_{name}"), "ar")
                    .hidden(&linker, &wrapper)
                    // What build scripts add is for other compilers.
                    .hidden("CRATE_CC_NO_DEFAULTS", "1")
                    .hidden(&format!("CFLAGS_{name}"), "-O1 -fPIC -ffunction-sections")
            }
        };
        if !self.triple.ends_with("-musl") {
            return run;
        }
        // Zig's linker takes "no debug information" for "no symbols", and tests read backtraces.
        run.environment("RUSTFLAGS", MUSL).hidden("CARGO_PROFILE_DEV_STRIP", "none")
    }

    fn wrapper(&self, workspace: &Workspace) -> PathBuf {
        workspace.target.join("tools").join(format!("cc-{}", self.triple))
    }

    /// Writes the script that is the compiler: Zig, without the options of other compilers' that
    /// name a target.
    fn write_wrapper(&self, workspace: &Workspace, name: &str) -> Result<()> {
        let python = zig(workspace)?;
        let script = format!(
            "for option; do\n\
             shift\n\
             case $option in --target=*) ;; *) set -- \"$@\" \"$option\" ;; esac\n\
             done\n\
             exec '{}' -m ziglang cc -target {name} \"$@\"",
            python.display()
        );
        write_script(&self.wrapper(workspace), &script)
    }
}
