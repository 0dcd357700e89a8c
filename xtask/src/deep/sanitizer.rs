//! AddressSanitizer, and with it LeakSanitizer, on the stable compiler.

use anyhow::Result;

use super::{COMPILER_LEAK, tool};
use crate::command::{Run, run_each};
use crate::section::Ending;
use crate::workspace::Workspace;

/// The crate whose tests end processes while tasks run. Memory that is left then is no leak.
const ENDS_PROCESSES: &str = "task-service";
/// The test whose payload panics when dropped, and is leaked for that reason.
const LEAKS_ON_PURPOSE: &str = "a_payload_that_is_no_text_or_panics_when_dropped_is_survived";

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let host = workspace.host()?;
    let test = || {
        tool::cargo(workspace)
            .arguments(["test", "--locked", "--all-features", "--no-fail-fast"])
            // With a target named, build scripts and procedural macros are built without the flags.
            .arguments(["--target", &host])
            .environment("RUSTC_BOOTSTRAP", "1")
            .environment("RUSTFLAGS", "-Zsanitizer=address")
            .environment("CARGO_TARGET_DIR", workspace.target.join("address"))
            .limit(super::LIMIT)
    };
    let without_leaks = || test().environment("ASAN_OPTIONS", "detect_leaks=0");
    let packages = workspace.light().map(|package| package.name.as_str());
    let packages = packages.filter(|name| *name != ENDS_PROCESSES).flat_map(|name| ["-p", name]);
    let runs: [Run; 3] = [
        test().arguments(["--lib", "--test", "it"]).arguments(packages).arguments([
            "--",
            "--skip",
            COMPILER_LEAK,
            "--skip",
            LEAKS_ON_PURPOSE,
        ]),
        without_leaks().arguments(["--lib", "--test", "it", "-p", ENDS_PROCESSES]),
        // The processes of this suite end while tasks run, too. The soak is left out: the sanitizer
        // distorts its measurement.
        without_leaks().arguments(["--test", "wedge", "-p", "task-manager"]),
    ];
    run_each(runs)?;
    Ok(Ending::Passed)
}
