//! ThreadSanitizer over whole processes: the crates, Tokio and the standard library. loom and
//! shuttle see the crates alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{Run, run_each};
use crate::platform::Toolchain;
use crate::section::Ending;
use crate::workspace::Workspace;

/// The suites: the ones in which threads meet.
const SUITES: &[&[&str]] = &[
    &["-p", "task-core", "--lib", "--test", "it"],
    &["-p", "task-manager", "--lib", "--test", "it", "--test", "wedge"],
];
/// The test that leaves the process no memory, of which the sanitizer takes some for each thread.
const NEEDS_MEMORY: &str = "the_hard_exit_needs_no_thread_of_the_system";

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let toolchain = match Toolchain::with_source(workspace) {
        Ok(toolchain) => toolchain,
        Err(refusal) => return Ok(Ending::Skipped(format!("{refusal:#}"))),
    };
    let host = workspace.host()?;
    let Some((runtime, linker)) = runtime(workspace, &host)? else {
        let why = "the toolchain has no runtime of ThreadSanitizer";
        return Ok(Ending::Skipped(why.to_owned()));
    };
    let suppressions = workspace.root.join("xtask/src/deep/thread.supp");
    // Without a wait before the end of a process, within which a hard exit would abort it.
    let options =
        format!("suppressions={} halt_on_error=0 atexit_sleep_ms=0", suppressions.display());
    let flags = format!(
        "-Zsanitizer=thread -Zexternal-clangrt -Clink-arg=-Wl,--whole-archive,{},--no-whole-archive \
         -Clink-arg=-lm -Clink-arg=-lc -Clink-arg=-B{} -Clink-arg=-fuse-ld=lld",
        runtime.display(),
        linker.display()
    );
    run_each(SUITES.iter().map(|suite| -> Run {
        toolchain
            .cargo(workspace, "test", &host)
            .arguments(["--all-features", "--no-fail-fast"])
            .arguments(suite.iter().copied())
            .arguments(["--", "--skip", NEEDS_MEMORY])
            .environment("RUSTFLAGS", &flags)
            .environment("TSAN_OPTIONS", &options)
            .hidden("CARGO_TARGET_DIR", workspace.target.join("thread"))
            .limit(super::LIMIT)
    }))?;
    Ok(Ending::Passed)
}

/// Returns the runtime that the installed toolchain brings, which Debian's compiler lacks, and the
/// folder of the linker that it brings: Debian's does not resolve the versions of the symbols that
/// the runtime names.
fn runtime(workspace: &Workspace, host: &str) -> Result<Option<(PathBuf, PathBuf)>> {
    let (root, _) = Run::program(workspace, "rustc").arguments(["--print", "sysroot"]).read()?;
    let root = Path::new(root.trim()).join("lib/rustlib").join(host);
    let folder = root.join("lib");
    let files = fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))?;
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    let runtime = paths.find(|path| path.to_string_lossy().ends_with("_rt.tsan.a"));
    Ok(runtime.map(|runtime| (runtime, root.join("bin/gcc-ld"))))
}
