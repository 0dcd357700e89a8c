//! The logger: log lines, the callback and the dump, all of which may block.

use std::{io, sync::Arc, thread, time::Duration};

use task_core::{
    Context, Hold,
    scope::{Receiver, Sender, channel},
};
use tokio::{sync::watch, time::timeout};

use crate::{
    log::{self, Inherited},
    panics::catch,
    values::{LogLevel, Opaque, Reaction, Received},
};

/// The user's callback.
pub(crate) type Callback = Opaque<Box<dyn FnMut(&Received) + Send>>;

/// The most events that wait while the logger is blocked, apart from steps of ladders.
const BACKLOG: usize = 64;

/// The queue of the logger thread, which ends when this value is dropped.
#[derive(Debug)]
pub(crate) struct Logger {
    entries: Sender<Entry>,
    pending: Arc<watch::Sender<usize>>,
    has_callback: bool,
}

enum Entry {
    Inherited(Inherited, Pending),
    Signal(Event),
}

/// Counts an entry from the time that it is made until it is handled or dropped.
struct Pending(Arc<watch::Sender<usize>>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A signal, on its way to the logger.
pub(super) struct Event {
    pub(super) received: Received,
    /// The task, unless it does not run yet: then the signal is logged only. The hold keeps the
    /// task from ending before its callback has returned.
    pub(super) task: Option<(Context, Option<Hold>)>,
    /// Whether the line was written when the signal arrived, before the task ran.
    pub(super) is_logged: bool,
    _pending: Pending,
}

impl Logger {
    /// Starts the thread.
    pub(crate) fn start(callback: Option<Callback>, log_level: LogLevel) -> io::Result<Self> {
        let (entries, queue) = channel();
        let has_callback = callback.is_some();
        let thread = thread::Builder::new().name("signal-logger".to_owned());
        thread.spawn(move || Worker { callback, log_level }.run(&queue))?;
        Ok(Self { entries, pending: Arc::default(), has_callback })
    }

    /// Counts a signal in the group's view, and makes an event of it for the running task.
    pub(super) fn event(&self, received: &Received, context: &Context) -> Event {
        context.record_signal(received.signal.name(), received.count.into());
        let hold = self.has_callback.then(|| context.hold());
        let task = Some((context.clone(), hold));
        Event { task, ..self.early_event(received) }
    }

    /// Makes an event of a signal that comes before the task runs.
    pub(super) fn early_event(&self, received: &Received) -> Event {
        let (received, _pending) = (received.clone(), self.pending());
        Event { received, task: None, is_logged: false, _pending }
    }

    /// Queues a signal. One that is no step is dropped if the queue is full.
    pub(super) fn send(&self, event: Event) {
        let has_room = *self.pending.borrow() <= BACKLOG;
        if has_room || event.received.reaction.is_step() {
            let _ = self.entries.send(Entry::Signal(event));
        }
    }

    /// Queues what the task has inherited. Called once.
    pub(super) fn send_inherited(&self, inherited: Inherited) {
        let _ = self.entries.send(Entry::Inherited(inherited, self.pending()));
    }

    /// Waits until every entry that was made is handled, for at most `limit`. Needs a runtime with
    /// timers if there are any.
    pub(super) async fn handled(&self, limit: Duration) {
        let mut pending = self.pending.subscribe();
        if *pending.borrow_and_update() != 0 {
            let _ = timeout(limit, pending.wait_for(|count| *count == 0)).await;
        }
    }

    fn pending(&self) -> Pending {
        self.pending.send_modify(|count| *count += 1);
        Pending(Arc::clone(&self.pending))
    }
}

/// What the logger thread owns.
struct Worker {
    callback: Option<Callback>,
    log_level: LogLevel,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Entry>) {
        while let Ok(entry) = queue.recv() {
            match entry {
                Entry::Inherited(inherited, _pending) => {
                    let _ = catch("the log", || log::inherited(self.log_level, &inherited));
                }
                Entry::Signal(event) => self.serve(&event),
            }
        }
    }

    fn serve(&mut self, event: &Event) {
        match &event.task {
            None => _ = self.log(&event.received),
            Some((context, _)) => {
                let errors = context.enter(|| self.handle(event, context));
                errors.into_iter().for_each(|error| context.record_failure(error));
            }
        }
    }

    /// Handles a signal, and returns what panicked: the callback runs even if the log did.
    fn handle(&mut self, event: &Event, context: &Context) -> Vec<anyhow::Error> {
        let Event { received, is_logged, .. } = event;
        let mut results = Vec::new();
        if !is_logged {
            results.push(self.log(received));
        }
        if received.reaction == Reaction::Dump {
            let dump = || log::dump(received, &context.group().snapshot());
            results.push(catch("the log", dump));
        }
        if let Some(Opaque(callback)) = &mut self.callback {
            results.push(catch("the signal callback", || callback(received)));
        }
        results.into_iter().filter_map(Result::err).collect()
    }

    fn log(&self, received: &Received) -> anyhow::Result<()> {
        catch("the log", || log::received(self.log_level, received))
    }
}
