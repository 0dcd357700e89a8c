//! A binary that probes itself: this one, as a child with other arguments.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    env,
    net::TcpListener,
    process::{Command, ExitCode},
    sync::Arc,
    thread,
};

use task_core::{Context, Task, scope::StageCell};
use task_http::{HttpTask, probe};

/// Where the child looks for its server.
const ADDRESS: &str = "TASK_TEST_ADDRESS";

/// What the child returns if it is not to probe.
const NO_PROBE: u8 = 7;

fn main() -> ExitCode {
    if let Ok(address) = env::var(ADDRESS) {
        return probe::from_args(address).unwrap_or(ExitCode::from(NO_PROBE));
    }
    the_exit_code_of_a_probe_is_0_if_it_passes_and_1_if_it_does_not();
    ExitCode::SUCCESS
}

/// Requirement 19.
fn the_exit_code_of_a_probe_is_0_if_it_passes_and_1_if_it_does_not() {
    let http = HttpTask::builder().check("database", || async { anyhow::bail!("away") });
    let http = http.bind("127.0.0.1:0").unwrap();
    let server = http.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(http.run(Context::new(Arc::new(StageCell::new()))))
    });
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();

    let not_ready = format!(
        "probe failed: /readyz at {server} returned 503\n[-]database failed: reason withheld\nreadyz check failed\n"
    );
    let refused = format!("probe failed: failed to connect to {closed}: ");
    for (address, arguments, code, printed) in [
        (&server, &["probe", "/livez"][..], 0, ""),
        (&server, &["probe", "/readyz?exclude=database"], 0, ""),
        (&server, &["probe"], 1, &not_ready),
        (&closed, &["probe"], 1, &refused),
        (
            &server,
            &["probe", "livez"],
            1,
            "probe failed: \"livez\" is not a path that begins with `/`\n",
        ),
        (
            &server,
            &["probe", "/livez", "/readyz"],
            1,
            "error: `probe` takes a path and nothing else\n",
        ),
        (&server, &[], i32::from(NO_PROBE), ""),
        (&server, &["serve", "probe"], i32::from(NO_PROBE), ""),
    ] {
        let mut child = Command::new(env::current_exe().unwrap());
        let output = child.args(arguments).env(ADDRESS, address).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        // The system's own words for a refusal differ.
        let is_expected =
            if printed.ends_with(": ") { error.starts_with(printed) } else { error == printed };
        assert!(is_expected, "{arguments:?}: {error:?} is not {printed:?}");
        assert_eq!(output.stdout, b"");
    }
}
