//! The end of the process, in real time: a child process per scenario, whose runtime is blocked.
#![cfg(all(feature = "file", unix))]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{self, Command},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use task_core::{Context, Task};
use task_leader::{FileLock, Leading, Term, Times, leading};
use task_manager::Manager;
use task_testkit::TestScope;

const CHILD: &str = "TASK_LEADER_CHILD";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A lease of 3 s, of which the process has 2.5 s.
fn times() -> Times {
    Times::new(ms(3000), ms(1500), ms(200)).unwrap()
}

fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

/// A leader that writes the time over and over, and lets nothing else run on its worker. Each time
/// is a line, written at once: the process ends at any instant.
fn blocker(folder: &Path) -> Leading<FileLock> {
    let lock = FileLock::new(folder.join("purge.lead")).unwrap();
    let (worked, began) = (folder.join("worked"), folder.join("began"));
    let function = move |_: Term, _: Context| {
        let (worked, began) = (worked.clone(), began.clone());
        async move {
            fs::write(began, micros().to_string()).unwrap();
            let mut worked = fs::File::create(worked).unwrap();
            loop {
                worked.write_all(format!("{}\n", micros()).as_bytes()).unwrap();
                thread::sleep(ms(2));
            }
        }
    };
    leading("purge", lock, function).times(times())
}

#[test]
fn with_every_worker_blocked_the_process_ends_before_another_replica_leads() {
    if let Ok(folder) = env::var(CHILD) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(async {
            let manager = Manager::builder().name("orders").hard_exit(70).build().unwrap();
            manager.run(blocker(Path::new(&folder))).unwrap();
            let _ = manager.wait().await;
        });
    }
    let folder = Folder(env::temp_dir().join(format!("task-leader-exit-{}", process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "with_every_worker_blocked_the_process_ends_before_another_replica_leads",
        ])
        .arg("--nocapture")
        .env(CHILD, &folder.0)
        .stderr(process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let waited = Instant::now();
    while !folder.0.join("began").exists() {
        assert!(waited.elapsed() < ms(60_000), "the child leads");
        thread::sleep(ms(5));
    }
    let lock = FileLock::new(folder.0.join("purge.lead")).unwrap();
    let successor = leading("purge", lock, async |_, _| Ok(())).times(times());
    let led_at = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(1)
        .build()
        .unwrap()
        .block_on(async {
            let scope = TestScope::new("purge");
            successor.run(scope.context()).await.unwrap();
            micros()
        });
    thread::sleep(ms(200)); // so that a leader that goes on is seen
    let number = |name: &str| -> u128 {
        let text = fs::read_to_string(folder.0.join(name)).unwrap();
        text.lines().last().unwrap().parse().unwrap()
    };
    let (began, worked) = (number("began"), number("worked"));
    assert!(worked < led_at, "nothing was done when another replica led");
    println!(
        "measured: worked for {} ms, {} ms until the next",
        (worked - began) / 1000,
        (led_at - worked) / 1000
    );
    let status = child.0.wait().unwrap();
    let mut stderr = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(5), "{stderr}");
    assert!(
        stderr.contains("of lock `purge` is over before its work is: exit with code 5"),
        "{stderr}"
    );
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A child that does not outlive the test, also if that fails.
struct Killed(process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
