//! The message that a hard exit leaves in a file, with every thread of the runtime blocked.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use task_manager::{Context, FuseInstant, Manager, ManagerBuilder, task_fn};

use crate::{
    child::{self, Ended},
    exit::{is_hard_exit, stop_soon},
    support::{SECOND, block, current_thread, short, worker, workers},
};

/// The environment variable that names the file to a child.
const FILE: &str = "TASK_WEDGE_MESSAGE";

fn with_file() -> ManagerBuilder {
    short().name("orders").hard_exit(70).termination_log(env::var_os(FILE).unwrap_or_default())
}

/// Blocks the only thread of a runtime, whose group is then stopped.
fn block_and_stop(manager: &Manager) {
    manager
        .run(task_fn("stuck", async |ctx| {
            ctx.set_status("in a loop without await");
            block();
            Ok(())
        }))
        .unwrap();
    stop_soon(manager);
}

/// A folder that is removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("{}-message-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run_with<F: FnOnce()>(file: &Path, body: F) -> Ended {
    child::run_in(&[(FILE, file.to_str().unwrap())], body)
}

#[test]
fn a_hard_exit_leaves_its_code_the_cause_who_is_alive_and_what_had_failed() {
    let folder = Folder::new("whole");
    let file = folder.0.join("termination-log");
    let ended = run_with(&file, || {
        current_thread().block_on(async {
            let manager = with_file().build().unwrap();
            manager
                .run(task_fn("consumer", async |ctx| {
                    ctx.record_failure(anyhow::anyhow!("no\nbroker"));
                    ctx.cancelled().await;
                    Ok(())
                }))
                .unwrap();
            tokio::task::yield_now().await;
            block_and_stop(&manager);
            let _ = manager.wait().await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    assert!(is_hard_exit(ended.took), "{:?}", ended.took);
    // The deadline thread has made a report, which the blocked runtime did not take.
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(lines[0], "exit code 70, cause: stop was called");
    let line = "orders: hard exit with code 70: the report of the shutdown was not taken in time; \
                alive: consumer, stuck (holds a thread)";
    assert_eq!(lines[1], line);
    assert!(lines[2].starts_with("orders stopped in 1."), "{text}");
    assert!(lines[2].contains("3 failures: task `stuck` was abandoned in a poll"), "{text}");
    assert!(lines[2].ends_with("in a loop without await)"), "{text}");
    assert_eq!(lines[3], "stuck: task `stuck`");
    assert_eq!(lines[4], "failure: task `consumer` failed and went on: no\\nbroker");
    assert!(lines[5].starts_with("failure: task `consumer` was abandoned before"), "{text}");
}

#[test]
fn a_hard_exit_leaves_the_message_of_a_report_that_nothing_took() {
    let folder = Folder::new("report");
    let file = folder.0.join("termination-log");
    let ended = run_with(&file, || {
        workers(1).block_on(async {
            let manager = with_file().build().unwrap();
            manager.run(worker("healthy")).unwrap();
            manager.stop();
            tokio::time::sleep(10 * SECOND).await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "exit code 70, cause: stop was called");
    assert!(lines[1].ends_with("was not taken in time; alive: none"), "{text}");
    assert!(lines[2].starts_with("orders stopped in "), "{text}");
}

/// Invariant 9.
#[test]
fn an_error_that_blocks_while_it_is_written_leaves_the_rest_of_the_message() {
    #[derive(Debug)]
    struct Blocking;
    impl fmt::Display for Blocking {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            thread::sleep(60 * SECOND);
            Ok(())
        }
    }
    impl std::error::Error for Blocking {}
    let folder = Folder::new("blocks");
    let file = folder.0.join("termination-log");
    let ended = run_with(&file, || {
        current_thread().block_on(async {
            let manager = with_file().build().unwrap();
            manager
                .run(task_fn("consumer", async |ctx| {
                    // The line in the log blocks the only thread.
                    ctx.record_failure(Blocking);
                    Ok(())
                }))
                .unwrap();
            stop_soon(&manager);
            let _ = manager.wait().await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    assert!(is_hard_exit(ended.took), "{:?}", ended.took);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("exit code 70, cause: stop was called\norders: hard exit"), "{text}");
    assert!(text.ends_with("alive: consumer (holds a thread)\n"), "{text}");
}

/// Asserts that the fuse of a task of this manager has ended the process, and left its line.
#[track_caller]
fn assert_burnt(ended: &Ended, file: &Path, manager: &str) {
    assert_eq!(ended.status.code(), Some(5), "{}", ended.stderr);
    let line = format!("{manager}: task `purge`: the lease runs out: exit with code 5");
    let message = format!("exit code 5, cause: a fuse\n{line}\n");
    assert_eq!(fs::read_to_string(file).unwrap(), message);
}

async fn purge(ctx: Context) -> anyhow::Result<()> {
    // Once a nested group is linked with its outer one.
    tokio::task::yield_now().await;
    let _fuse = ctx.fuse(FuseInstant::now() + SECOND / 2, 5, "the lease runs out").unwrap();
    block();
    Ok(())
}

#[test]
fn a_fuse_leaves_its_line() {
    let folder = Folder::new("fuse");
    let file = folder.0.join("termination-log");
    let ended = run_with(&file, || {
        current_thread().block_on(async {
            let manager = with_file().build().unwrap();
            manager.run(task_fn("purge", purge)).unwrap();
            let _ = manager.wait().await;
        });
    });
    assert_burnt(&ended, &file, "orders");
}

#[test]
fn a_fuse_of_a_nested_group_leaves_its_line_in_the_file_of_the_outer_one() {
    let folder = Folder::new("nested");
    let file = folder.0.join("termination-log");
    let ended = run_with(&file, || {
        current_thread().block_on(async {
            let inner = Manager::builder().name("inner").build().unwrap();
            inner.run(task_fn("purge", purge)).unwrap();
            let outer = with_file().build().unwrap();
            outer.run(inner.into_task()).unwrap();
            let _ = outer.wait().await;
        });
    });
    assert_burnt(&ended, &file, "inner");
}

/// FAILURES 75.
#[test]
fn a_file_that_cannot_be_written_changes_nothing() {
    let folder = Folder::new("none");
    let pipe = folder.0.join("pipe");
    if cfg!(unix) {
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    }
    for file in [&folder.0, &folder.0.join("missing/file"), &pipe, Path::new("/dev/full")] {
        let ended = run_with(file, || {
            current_thread().block_on(async {
                let manager = with_file().build().unwrap();
                block_and_stop(&manager);
                let _ = manager.wait().await;
            });
        });
        assert_eq!(ended.status.code(), Some(70), "{file:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("alive: stuck (holds a thread)"), "{}", ended.stderr);
        assert!(is_hard_exit(ended.took), "{file:?}: {:?}", ended.took);
    }
}
