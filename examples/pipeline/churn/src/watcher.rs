//! The concurrent readers: they read the output from the start of a stage on, while members and
//! brokers fail, and must have seen what a reader sees afterwards.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

use crate::reader::{Isolation, Reader, Seen};

/// How long the reader may take to see the last record, after all readers have.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The offset of the last record of each partition.
type Ends = BTreeMap<i32, i64>;

/// A reader of one topic in a thread of its own.
pub(crate) struct Watcher {
    thread: Option<JoinHandle<Vec<Seen>>>,
    ending: Arc<Mutex<Option<Ends>>>,
}

impl Watcher {
    pub(crate) fn start(address: &str, topic: &'static str) -> Result<Self> {
        let mut reader = Reader::new(address, topic, Isolation::Committed)?;
        let ending = Arc::new(Mutex::new(None));
        let thread = thread::Builder::new().name(format!("watcher of {topic}")).spawn({
            let ending = Arc::clone(&ending);
            move || {
                let mut since = None;
                loop {
                    reader.read(Duration::from_millis(100));
                    let ends = ending.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(ends) = ends.as_ref() else { continue };
                    let since = since.get_or_insert_with(Instant::now);
                    if is_at(&reader.seen, ends) || since.elapsed() > TIMEOUT {
                        break reader.seen;
                    }
                }
            }
        })?;
        Ok(Self { thread: Some(thread), ending })
    }

    /// Waits until the reader has seen the last of these records, and returns what it has seen.
    pub(crate) fn end(mut self, last: &[Seen]) -> Result<Vec<Seen>> {
        self.request_end(last.iter().map(|seen| (seen.partition, seen.offset)).collect());
        let thread = self.thread.take().context("the watcher has ended already")?;
        thread.join().map_err(|_| anyhow!("the watcher panicked"))
    }

    fn request_end(&self, ends: Ends) {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(ends);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.request_end(Ends::new());
    }
}

fn is_at(seen: &[Seen], ends: &Ends) -> bool {
    let reached: Ends = seen.iter().map(|seen| (seen.partition, seen.offset)).collect();
    ends.iter().all(|(partition, end)| reached.get(partition).is_some_and(|it| it >= end))
}
