//! What may block by right: log lines, the callback, the dump.
//!
//! One thread of the crew tells at a time, from a queue. It may get stuck; then what comes later waits in the queue, and
//! nothing else does.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::anyhow;
use task_core::{
    Context, Hold,
    scope::{discard, panic_text},
};

use crate::{LogLevel, Reaction, Received, Signal, dump, log};

/// The user's callback.
pub(crate) type Callback = Box<dyn FnMut(&Received) + Send>;

/// Lines beyond these are dropped while the log is stuck.
const BACKLOG: usize = 64;

pub(crate) struct Teller {
    desk: Mutex<Desk>,
    has_callback: bool,
}

struct Desk {
    news: VecDeque<News>,
    /// `None` while somebody tells.
    voice: Option<Voice>,
}

/// The hold keeps the task from having ended, so that what the callback does is in the report.
enum News {
    Attached(Context, Option<Hold>),
    Received(Received, Option<Hold>),
}

impl Teller {
    pub(crate) fn new(callback: Option<Callback>, log_level: LogLevel) -> Self {
        let has_callback = callback.is_some();
        let (context, failures, counts, dump) = (None, Vec::new(), BTreeMap::new(), None);
        let voice = Voice { callback, log_level, context, failures, counts, dump };
        let desk = Desk { news: VecDeque::new(), voice: Some(voice) };
        Self { desk: Mutex::new(desk), has_callback }
    }

    /// Takes a hold for a callback, if there is one.
    pub(crate) fn hold(&self, context: &Context) -> Option<Hold> {
        self.has_callback.then(|| context.hold())
    }

    /// Says that the task runs.
    pub(crate) fn attach(&self, context: Context, hold: Option<Hold>) {
        self.desk().news.push_back(News::Attached(context, hold));
    }

    /// Has a signal told. There are at most as many as ladders have steps.
    pub(crate) fn add(&self, received: Received, hold: Option<Hold>) {
        self.desk().news.push_back(News::Received(received, hold));
    }

    /// Has a signal told that may come any number of times, unless too many wait already. Returns whether there is
    /// somebody needed to tell it.
    pub(crate) fn add_if_room(&self, received: Received) -> bool {
        let mut desk = self.desk();
        if desk.news.len() < BACKLOG {
            desk.news.push_back(News::Received(received, None));
        }
        desk.voice.is_some()
    }

    /// Tells what there is, unless another thread is at it, which then tells this as well.
    pub(crate) fn tell(&self) {
        let mut desk = self.desk();
        let Some(mut voice) = desk.voice.take() else { return };
        while let Some(news) = desk.news.pop_front() {
            drop(desk);
            voice.tell(news);
            desk = self.desk();
        }
        desk.voice = Some(voice);
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it takes to tell.
struct Voice {
    callback: Option<Callback>,
    log_level: LogLevel,
    context: Option<Context>,
    /// What has to wait for the task to run: failures, one per step of a ladder at most, counts, and a dump.
    failures: Vec<anyhow::Error>,
    counts: BTreeMap<Signal, u32>,
    dump: Option<Received>,
}

impl Voice {
    fn tell(&mut self, news: News) {
        match (news, self.context.clone()) {
            (News::Attached(context, _hold), _) => self.attach(context),
            (News::Received(received, _hold), Some(context)) => {
                within(&context, || self.received(&received, &context));
            }
            (News::Received(received, _hold), None) => self.received_early(received),
        }
    }

    fn attach(&mut self, context: Context) {
        self.failures.drain(..).for_each(|error| context.record_failure(error));
        for (signal, count) in std::mem::take(&mut self.counts) {
            context.record_signal(signal.name(), count.into());
        }
        if let Some(received) = self.dump.take() {
            within(&context, || write_dump(&received, &context));
        }
        self.context = Some(context);
    }

    fn received(&mut self, received: &Received, context: &Context) -> anyhow::Result<()> {
        context.record_signal(received.signal.name(), received.count.into());
        // A log that panics is no reason to keep the callback from the news.
        let logged = match received.reaction {
            Reaction::Dump => write_dump(received, context),
            _ => self.log(received),
        };
        self.call(received).and(logged)
    }

    fn received_early(&mut self, received: Received) {
        self.counts.insert(received.signal, received.count);
        let logged = self.log(&received);
        if let Err(error) = self.call(&received).and(logged)
            && self.failures.len() < BACKLOG
        {
            self.failures.push(error);
        }
        if received.reaction == Reaction::Dump {
            self.dump = Some(received);
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

/// Does one thing as a part of the task.
fn within(context: &Context, tell: impl FnOnce() -> anyhow::Result<()>) {
    if let Err(error) = context.enter(tell) {
        context.record_failure(error);
    }
}

fn write_dump(received: &Received, context: &Context) -> anyhow::Result<()> {
    guarded("the log", || dump::write(received, &context.group().snapshot()))
}

fn guarded(what: &str, body: impl FnOnce()) -> anyhow::Result<()> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let error = anyhow!("{what} panicked: {}", panic_text(&*payload));
        discard(payload);
        error
    })
}
