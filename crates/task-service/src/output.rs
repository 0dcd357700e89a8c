//! What a service does last: its exit code, its output, and the drop of its runtime. All of it runs
//! code that may block, and so on threads that exist from the start, for a bounded time.

use std::{
    io, mem,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use task_core::scope::{
    Aside, catch, channel, guarded_text, reserve_threads, run_aside, write_ending_message,
    write_stderr,
};
use task_manager::{Manager, Report, ShutdownError};
use tokio::runtime::Runtime;
use tracing::dispatcher::{get_default, with_default};

use crate::{exit_codes::OwnCodes, report_to::ReportTo};

/// How long the service waits for its last output, and before that for the code of an error. A pipe
/// that is full or a log sink that blocks does not keep the process beyond that.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the start waits for its line in the log.
const START_LINE_TIMEOUT: Duration = Duration::from_millis(100);

/// How many threads the end of a service takes: one for the text, one for the setup's line in the
/// log, one for the runtime, one for the metrics. What blocks one of them keeps no other from its
/// work.
const THREADS: usize = 4;

/// What the end of a service writes, and how long it waits for the drop of the runtime.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) report_to: ReportTo,
    pub(crate) metrics_file: Option<PathBuf>,
    pub(crate) message_file: Option<PathBuf>,
    pub(crate) drop_timeout: Duration,
}

/// Starts the threads of the end, since the system may grant none by then: one more where the exit
/// code depends on the report, and one for a message.
pub(crate) fn prepare(codes: &OwnCodes, ending: &Ending) -> io::Result<()> {
    let more = [!codes.is_empty(), ending.message_file.is_some()];
    reserve_threads(THREADS + more.into_iter().filter(|is_needed| *is_needed).count())
}

/// Returns the exit code for a report, if there is one of its own. It is the user's code that says
/// so.
pub(crate) fn code_of_end(codes: OwnCodes, result: &Result<Report, ShutdownError>) -> Option<u8> {
    let report = report_of(result)?.clone();
    code_within(codes, move |codes| codes.code_of(&report))
}

fn code_within(
    codes: OwnCodes,
    find: impl FnOnce(OwnCodes) -> Option<u8> + Send + 'static,
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

/// Writes a line about the start, before those of the setup unless the log takes long.
pub(crate) fn log_start(write: impl FnOnce() + Send + 'static) {
    wait_until(Instant::now() + START_LINE_TIMEOUT, [log(write)]);
}

/// Says why the service did not start, and returns its exit code. The log gets a line, and the file
/// a message, only if there is a thread for it; the text is written in any case.
pub(crate) fn failed_to_start(
    error: anyhow::Error,
    codes: OwnCodes,
    default_code: u8,
    ending: Ending,
) -> u8 {
    let text = guarded_text(format_args!("{error:#}"));
    let line = format!("the service failed to start: {text}");
    let written = match run_aside(move || write_stderr(&line)) {
        Ok(written) => Some(written),
        // A word without a limit is better than none.
        Err(job) => {
            let _ = catch(job);
            None
        }
    };
    let field = text.clone();
    let logged = log(move || {
        tracing::error!(target: "task", error = field, "service failed to start");
    });
    let code = code_within(codes, move |codes| codes.code_of_error(&error));
    let code = code.unwrap_or(default_code);
    let began = Instant::now();
    let message = format!("exit code {code}, cause: the service failed to start\n{text}");
    let left = ending.message_file.and_then(|path| write_message(path, move || message));
    wait_until(began + OUTPUT_TIMEOUT, [written, logged, left]);
    code
}

/// Writes the report, and drops the runtime with all that is left on it, the manager and what these
/// have of the user's: everything at the same time, the drops for at most `drop_timeout`. Waits
/// also for a log line that is on its way.
pub(crate) fn end(
    result: Result<Report, ShutdownError>,
    code: u8,
    ending: Ending,
    logged_before: Option<Aside>,
    runtime: Runtime,
    manager: Manager,
) {
    let began = Instant::now();
    let Ending { report_to, metrics_file, message_file, drop_timeout } = ending;
    // In a folder that hangs, it must keep nothing else.
    let for_metrics = result.clone();
    let measured =
        metrics_file.and_then(|path| aside(with_log(move || write_metrics(&for_metrics, &path))));
    let for_message = result.clone();
    let left =
        message_file.and_then(|path| write_message(path, move || message_of(&for_message, code)));
    let written = aside(move || write_text(&result, report_to));
    let dropped = aside(move || {
        runtime.shutdown_timeout(drop_timeout);
        drop(manager);
    });
    wait_until(began + OUTPUT_TIMEOUT, [written, logged_before, measured, left]);
    wait_until(began + drop_timeout, [dropped]);
}

fn message_of(result: &Result<Report, ShutdownError>, code: u8) -> String {
    match (report_of(result), result) {
        (Some(report), _) => report.ending_message(code),
        (None, Err(error)) => format!("exit code {code}, cause: {error}"),
        // Such a result has a report.
        (None, Ok(_)) => format!("exit code {code}"),
    }
}

/// Writes the message of the end to its file. In a folder that hangs, it keeps nothing else.
fn write_message(path: PathBuf, text: impl FnOnce() -> String + Send + 'static) -> Option<Aside> {
    log(move || {
        if let Err(error) = write_ending_message(&path, text()) {
            let file = path.display();
            tracing::warn!(target: "task", %file, %error, "message of the end not written");
        }
    })
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
