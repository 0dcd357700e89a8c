//! What a service does last: its exit code, its output, and the drop of its runtime. All of it runs
//! code that may block, and so on threads that exist from the start, for a bounded time.

use std::{
    io, mem,
    path::{Path, PathBuf},
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use task_core::scope::{Aside, catch, guarded_text, reserve_threads, run_aside, write_stderr};
use task_manager::{Manager, Report, ShutdownError};
use tokio::runtime::Runtime;
use tracing::dispatcher::{get_default, with_default};

use crate::{
    exit_codes::{ErrorCodes, first_error, is_unasked_end},
    report_to::ReportTo,
};

/// How long the service waits for its last output, and before that for the code of an error. A pipe
/// that is full or a log sink that blocks does not keep the process beyond that.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// How many threads the end of a service takes: one for the text, one for the log, one for the
/// runtime, one for the metrics. What blocks one of them keeps no other from its work.
const THREADS: usize = 4;

/// Starts the threads of the end, since the system may grant none by then: one more where the exit
/// code depends on the error.
pub(crate) fn prepare(codes: &ErrorCodes) -> io::Result<()> {
    reserve_threads(THREADS + usize::from(!codes.is_empty()))
}

/// Returns the exit code for the error of the first failure, if there is a code for it. It is the
/// user's code that says so.
pub(crate) fn code_of_failure(
    codes: ErrorCodes,
    result: &Result<Report, ShutdownError>,
) -> Option<u8> {
    let report = result.as_ref().err().and_then(ShutdownError::report).cloned();
    code_within(codes, move |codes| codes.code_of(first_error(report.as_ref()?)?))
}

/// As [`code_of_failure`], for the error of a service that failed to start.
pub(crate) fn code_of_start(codes: ErrorCodes, error: anyhow::Error) -> Option<u8> {
    code_within(codes, move |codes| codes.code_of(&error))
}

fn code_within(
    codes: ErrorCodes,
    find: impl FnOnce(ErrorCodes) -> Option<u8> + Send + 'static,
) -> Option<u8> {
    if codes.is_empty() {
        return None;
    }
    let (sender, found) = channel();
    aside(move || {
        let _ = sender.send(find(codes));
    })?;
    found.recv_timeout(OUTPUT_TIMEOUT).ok().flatten()
}

/// Runs `write` with the caller's log, on another thread.
pub(crate) fn log(write: impl FnOnce() + Send + 'static) -> Option<Aside> {
    aside(with_log(write))
}

/// Says why the service did not start. The log gets a line only if there is a thread for it; the
/// text is written in any case.
pub(crate) fn failed_to_start(error: &anyhow::Error) {
    let error = guarded_text(format_args!("{error:#}"));
    let text = format!("the service failed to start: {error}");
    let written = match run_aside(move || write_stderr(&text)) {
        Ok(written) => Some(written),
        // A word without a limit is better than none.
        Err(job) => {
            let _ = catch(job);
            None
        }
    };
    let logged = log(move || {
        tracing::error!(target: "task", error, "service failed to start");
    });
    wait_until(Instant::now() + OUTPUT_TIMEOUT, [written, logged]);
}

/// Writes the report, and drops the runtime with all that is left on it, the manager and what these
/// have of the user's: everything at the same time, the drops for at most `drop_timeout`. Waits
/// also for a log line that is on its way.
pub(crate) fn end(
    result: Result<Report, ShutdownError>,
    report_to: ReportTo,
    metrics_file: Option<PathBuf>,
    logged_before: Option<Aside>,
    runtime: Runtime,
    drop_timeout: Duration,
    manager: Manager,
) {
    let began = Instant::now();
    let for_log = result.clone();
    // In a folder that hangs, it must keep nothing else.
    let for_metrics = result.clone();
    let measured =
        metrics_file.and_then(|path| aside(with_log(move || write_metrics(&for_metrics, &path))));
    let written = aside(move || write_text(&result, report_to));
    let dropped = aside(move || {
        runtime.shutdown_timeout(drop_timeout);
        drop(manager);
    });
    let logged = log(move || write_log(&for_log));
    wait_until(began + OUTPUT_TIMEOUT, [written, logged_before, logged, measured]);
    wait_until(began + drop_timeout, [dropped]);
}

fn write_text(result: &Result<Report, ShutdownError>, report_to: ReportTo) {
    match report_of(result) {
        None => write_stderr(&format!("{result:?}")),
        Some(report) if report_to == ReportTo::Stderr => write_stderr(&report.to_string()),
        Some(_) => {}
    }
}

fn write_metrics(result: &Result<Report, ShutdownError>, path: &Path) {
    let Some(report) = report_of(result) else { return };
    if let Err(error) = report.write_metrics(path) {
        let file = path.display();
        tracing::warn!(target: "task", %file, %error, "metrics of the shutdown not written");
    }
}

fn write_log(result: &Result<Report, ShutdownError>) {
    let Some(report) = report_of(result) else { return };
    if report.is_clean() && is_unasked_end(report) {
        let cause = report.cause().to_string();
        tracing::warn!(target: "task", cause, "service ended without a stop request");
    }
}

fn report_of(result: &Result<Report, ShutdownError>) -> Option<&Report> {
    match result {
        Ok(report) => Some(report),
        Err(error) => error.report(),
    }
}

fn with_log(write: impl FnOnce() + Send + 'static) -> impl FnOnce() + Send + 'static {
    let log = get_default(Clone::clone);
    move || with_default(&log, write)
}

/// Runs a job on another thread. Without one, it is leaked: to drop what it owns could block.
fn aside(job: impl FnOnce() + Send + 'static) -> Option<Aside> {
    run_aside(job).map_err(mem::forget).ok()
}

fn wait_until<const N: usize>(end: Instant, jobs: [Option<Aside>; N]) {
    for job in jobs.into_iter().flatten() {
        job.wait(end.saturating_duration_since(Instant::now()));
    }
}
