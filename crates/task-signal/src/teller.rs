//! The thread that runs what may block: log lines, the callback, the dump.
//!
//! It is the only one that can be stuck by a log that nobody reads or by a callback, and nothing waits for it.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
};

use anyhow::anyhow;
use task_core::{Context, Hold};

use crate::{LogLevel, Reaction, Received, dump, log};

/// The user's callback.
pub(crate) type Callback = Box<dyn FnMut(&Received) + Send>;

/// Lines beyond these are dropped while the log is stuck.
const BACKLOG: usize = 64;

/// Where to send what is to be told.
#[derive(Clone)]
pub(crate) struct Teller {
    news: Sender<News>,
    backlog: Arc<AtomicUsize>,
    has_callback: bool,
}

/// The teller's own side.
pub(crate) struct TellerThread {
    news: Receiver<News>,
    backlog: Arc<AtomicUsize>,
    callback: Option<Callback>,
    log_level: LogLevel,
}

/// The hold keeps the task from having ended, so that what the callback does is in the report.
enum News {
    Attached(Context, Option<Hold>),
    Received(Received, Option<Hold>),
}

impl Teller {
    pub(crate) fn new(callback: Option<Callback>, log_level: LogLevel) -> (Self, TellerThread) {
        let (sender, news) = channel();
        let backlog = Arc::new(AtomicUsize::new(0));
        let has_callback = callback.is_some();
        let teller = Self { news: sender, backlog: Arc::clone(&backlog), has_callback };
        (teller, TellerThread { news, backlog, callback, log_level })
    }

    /// Says that the task runs.
    pub(crate) fn attach(&self, context: &Context) {
        self.send(News::Attached(context.clone(), self.hold(Some(context))));
    }

    /// Tells of a signal. There are at most as many as ladders have steps.
    pub(crate) fn tell(&self, received: Received, context: Option<&Context>) {
        self.send(News::Received(received, self.hold(context)));
    }

    /// Tells of a signal that may come any number of times, unless too many wait already.
    pub(crate) fn tell_if_idle(&self, received: Received) {
        if self.backlog.load(Ordering::SeqCst) < BACKLOG {
            self.send(News::Received(received, None));
        }
    }

    fn hold(&self, context: Option<&Context>) -> Option<Hold> {
        context.filter(|_| self.has_callback).map(Context::hold)
    }

    fn send(&self, news: News) {
        self.backlog.fetch_add(1, Ordering::SeqCst);
        // The thread lives as long as there is a sender.
        let _ = self.news.send(news);
    }
}

impl TellerThread {
    /// Tells until nobody can send any more.
    pub(crate) fn run(mut self) {
        let mut context: Option<Context> = None;
        // Panics of the callback before there was a report to put them into; one per step of a ladder at most.
        let mut unrecorded = Vec::new();
        while let Ok(news) = self.news.recv() {
            self.backlog.fetch_sub(1, Ordering::SeqCst);
            match news {
                News::Attached(attached, _hold) => {
                    for error in unrecorded.drain(..) {
                        attached.record_failure(error);
                    }
                    context = Some(attached);
                }
                News::Received(received, _hold) => {
                    let told = match &context {
                        Some(context) => context.enter(|| self.tell(&received, Some(context))),
                        None => self.tell(&received, None),
                    };
                    match (told, &context) {
                        (Err(error), Some(context)) => context.record_failure(error),
                        (Err(error), None) if unrecorded.len() < BACKLOG => unrecorded.push(error),
                        _ => {}
                    }
                }
            }
        }
    }

    fn tell(&mut self, received: &Received, context: Option<&Context>) -> anyhow::Result<()> {
        // A log that panics is no reason to keep the callback from the news.
        let logged = guarded("the log", || match (received.reaction, context) {
            (Reaction::Dump, Some(context)) => dump::write(received, &context.group().snapshot()),
            _ => log::received(self.log_level, received),
        });
        let called = match &mut self.callback {
            Some(callback) => guarded("the callback for a signal", || callback(received)),
            None => Ok(()),
        };
        called.and(logged)
    }
}

fn guarded(what: &str, body: impl FnOnce()) -> anyhow::Result<()> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let error = anyhow!("{what} panicked: {}", message(&*payload));
        // The drop of a payload can panic as well.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        dropped.unwrap_or_else(std::mem::forget);
        error
    })
}

/// Returns the words of a panic, if it has any.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
