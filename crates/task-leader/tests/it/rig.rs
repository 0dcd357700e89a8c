//! Replicas in one process, each under a scope of its own, and what their terms did.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{Context, Task};
use task_leader::{LeadHandle, Leading, MemoryLock, Term, leading};
use task_testkit::TestScope;
use tokio::{task::JoinHandle, time::Instant};

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What happened, with the time.
#[derive(Clone)]
pub(crate) struct Marks {
    born: Instant,
    marks: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self { born: Instant::now(), marks: Arc::default() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.born.elapsed()
    }

    pub(crate) fn mark(&self, text: impl Into<String>) {
        self.marks.lock().unwrap().push((self.now(), text.into()));
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.marks.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    /// When this happened first.
    #[track_caller]
    pub(crate) fn when(&self, text: &str) -> Duration {
        let marks = self.marks.lock().unwrap();
        let found = marks.iter().find(|(_, mark)| mark == text);
        found.unwrap_or_else(|| panic!("no `{text}` in {marks:?}")).0
    }
}

/// A replica whose terms mark their begin and their end, which takes `ends_in`.
pub(crate) fn worker(
    name: &'static str,
    lock: &MemoryLock,
    marks: &Marks,
    ends_in: Duration,
) -> Leading<MemoryLock> {
    let marks = marks.clone();
    leading("purge", lock.replica(), move |term: Term, ctx: Context| {
        let marks = marks.clone();
        async move {
            let number = term.number();
            marks.mark(format!("{name} begins {number}"));
            let _end = OnDrop(marks.clone(), format!("{name} is gone {number}"));
            ctx.cancelled().await;
            tokio::time::sleep(ends_in).await;
            marks.mark(format!("{name} ends {number}"));
            Ok(())
        }
    })
    .identity(name)
}

pub(crate) struct OnDrop(pub(crate) Marks, pub(crate) String);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.mark(self.1.clone());
    }
}

/// A replica that runs.
pub(crate) struct Replica {
    pub(crate) scope: TestScope,
    pub(crate) handle: LeadHandle,
    pub(crate) running: JoinHandle<anyhow::Result<()>>,
}

impl Replica {
    pub(crate) fn run(task: Leading<MemoryLock>) -> Self {
        let (scope, handle) = (TestScope::new("purge"), task.handle());
        let running = tokio::spawn(task.run(scope.context()));
        Self { scope, handle, running }
    }
}
