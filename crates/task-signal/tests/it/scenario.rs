//! The child's side: the programs, by name.

mod ending;
mod guarding;
mod laddering;
mod managing;
mod serving;
mod sharing;
mod stalling;
mod sticking;
mod triggering;

use std::{
    env,
    io::{self, Write, stderr, stdin, stdout},
    path::PathBuf,
    process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use task_core::Task;
use task_signal::{SignalTask, SignalTaskBuilder};

use crate::{
    child::{Child, SCENARIO, program},
    group::Loud,
};

/// Both ends of every scenario: with the variable set, this is the program; without, it is a test
/// of its own.
#[test]
fn a_child_refuses_a_scenario_that_does_not_exist() {
    match env::var(SCENARIO) {
        Ok(name) => run(&name),
        Err(_) => {
            Child::spawn(program(), "no such scenario", process::Stdio::piped()).ends_with(99);
        }
    }
}

fn run(name: &str) -> ! {
    // No scenario outlives its test for long, not even if that was killed.
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(60));
        process::exit(97);
    });
    tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(|| Log).init();
    let scenarios = [
        serving::SCENARIOS,
        laddering::SCENARIOS,
        sticking::SCENARIOS,
        ending::SCENARIOS,
        guarding::SCENARIOS,
        sharing::SCENARIOS,
        triggering::SCENARIOS,
        managing::SCENARIOS,
        stalling::SCENARIOS,
    ];
    match scenarios.iter().copied().flatten().find(|(known, _)| *known == name) {
        Some((_, scenario)) => scenario(),
        None => process::exit(99),
    }
    process::exit(0);
}

/// A name and a program, which ends the process with 0 by returning.
pub(crate) type Scenario = (&'static str, fn());

/// Whether the log blocks the thread that writes to it.
pub(crate) static IS_LOG_STUCK: AtomicBool = AtomicBool::new(false);

/// Whether each line of this crate takes its time.
pub(crate) static IS_LOG_SLOW: AtomicBool = AtomicBool::new(false);

/// Whether each line of the log brings about another SIGHUP, before the one who wrote the line goes
/// on.
pub(crate) static IS_LOG_RAISING: AtomicBool = AtomicBool::new(false);

/// Standard error, unless stuck.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while IS_LOG_STUCK.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        let is_ours = str::from_utf8(bytes).is_ok_and(|line| line.contains("task_signal"));
        if is_ours && IS_LOG_SLOW.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(30));
        }
        if IS_LOG_RAISING.load(Ordering::SeqCst) {
            signal_hook::low_level::raise(signal_hook::consts::SIGHUP)?;
        }
        stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

/// Writes a line for the test to see.
pub(crate) fn say(line: &str) {
    let mut stdout = stdout().lock();
    writeln!(stdout, "{line}").unwrap();
    stdout.flush().unwrap();
}

/// Where a test with this pid writes what its child reads.
pub(crate) fn configuration_of(pid: u32) -> PathBuf {
    env::temp_dir().join(format!("task-signal-{pid}.configuration"))
}

/// Waits for the test to say that it goes on.
pub(crate) fn wait_for_go() {
    let mut line = String::new();
    assert_ne!(stdin().read_line(&mut line).unwrap(), 0, "the test has gone");
}

/// Runs a task on a thread with a runtime of its own, and says how it ended.
pub(crate) fn serve(task: impl Task, group: &std::sync::Arc<Loud>) -> thread::JoinHandle<()> {
    let context = group.context();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(task.run(context)) {
            Ok(()) => say("task: ok"),
            Err(error) => say(&format!("task: {error:#}")),
        }
    })
}

/// Captures signals, serves a group and waits to be ended.
pub(crate) fn serve_for_good(builder: SignalTaskBuilder) {
    let group = Loud::new();
    let task = builder.build().unwrap();
    let _thread = serve(task, &group);
    say("ready");
    wait_for_go();
}

/// The settings without a window, so that a test need not wait between two signals.
pub(crate) fn without_window() -> SignalTaskBuilder {
    SignalTask::builder().repeat_window(Duration::ZERO)
}
