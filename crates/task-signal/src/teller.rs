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

    /// Takes a hold for a callback, if there is one.
    pub(crate) fn hold(&self, context: &Context) -> Option<Hold> {
        self.has_callback.then(|| context.hold())
    }

    /// Says that the task runs.
    pub(crate) fn attach(&self, context: Context, hold: Option<Hold>) {
        self.send(News::Attached(context, hold));
    }

    /// Tells of a signal. There are at most as many as ladders have steps.
    pub(crate) fn tell(&self, received: Received, hold: Option<Hold>) {
        self.send(News::Received(received, hold));
    }

    /// Tells of a signal that may come any number of times, unless too many wait already.
    pub(crate) fn tell_if_idle(&self, received: Received) {
        if self.backlog.load(Ordering::SeqCst) < BACKLOG {
            self.send(News::Received(received, None));
        }
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
        let mut early = Early::default();
        while let Ok(news) = self.news.recv() {
            self.backlog.fetch_sub(1, Ordering::SeqCst);
            match (news, &context) {
                (News::Attached(attached, _hold), _) => {
                    let Early { failures, dump } = std::mem::take(&mut early);
                    failures.into_iter().for_each(|error| attached.record_failure(error));
                    if let Some(received) = dump {
                        self.tell_within(&attached, |_| write_dump(&received, &attached));
                    }
                    context = Some(attached);
                }
                (News::Received(received, _hold), Some(context)) => {
                    self.tell_within(context, |teller| teller.tell(&received, context));
                }
                (News::Received(received, _hold), None) => self.tell_early(received, &mut early),
            }
        }
    }

    /// Does one thing as a part of the task.
    fn tell_within(
        &mut self,
        context: &Context,
        tell: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) {
        if let Err(error) = context.enter(|| tell(self)) {
            context.record_failure(error);
        }
    }

    fn tell(&mut self, received: &Received, context: &Context) -> anyhow::Result<()> {
        // A log that panics is no reason to keep the callback from the news.
        let logged = match received.reaction {
            Reaction::Dump => write_dump(received, context),
            _ => self.log(received),
        };
        self.call(received).and(logged)
    }

    fn tell_early(&mut self, received: Received, early: &mut Early) {
        let logged = self.log(&received);
        if let Err(error) = self.call(&received).and(logged)
            && early.failures.len() < BACKLOG
        {
            early.failures.push(error);
        }
        if received.reaction == Reaction::Dump {
            early.dump = Some(received);
        }
    }

    fn log(&self, received: &Received) -> anyhow::Result<()> {
        guarded("the log", || log::received(self.log_level, received))
    }

    fn call(&mut self, received: &Received) -> anyhow::Result<()> {
        match &mut self.callback {
            Some(callback) => guarded("the callback for a signal", || callback(received)),
            None => Ok(()),
        }
    }
}

/// What has to wait for the task to run.
#[derive(Default)]
struct Early {
    failures: Vec<anyhow::Error>,
    dump: Option<Received>,
}

fn write_dump(received: &Received, context: &Context) -> anyhow::Result<()> {
    guarded("the log", || dump::write(received, &context.group().snapshot()))
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
