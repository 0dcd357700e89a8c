//! Windows: console events in the place of signals, by tokio, whose streams of them need no runtime.
//!
//! When nobody listens to an event any more, tokio's handler passes it on to the system, so the default action comes
//! back by itself; and nothing like an inherited "ignore" is looked at.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    future::poll_fn,
    io, process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
    ctrl_logoff, ctrl_shutdown,
};

use crate::{AfterEnd, IgnoredSignals, Signal, error::ErrorKind};

pub(crate) const HUP: i32 = 1;
pub(crate) const INT: i32 = 2;
pub(crate) const QUIT: i32 = 3;
pub(crate) const USR1: i32 = 10;
pub(crate) const USR2: i32 = 12;
pub(crate) const TERM: i32 = 15;

/// Accepts `SIGINT`, `SIGTERM` and, so that the default set is the same everywhere, `SIGQUIT`, which never comes.
pub(crate) fn check(signal: Signal) -> Result<(), ErrorKind> {
    match signal.number() {
        INT | QUIT | TERM => Ok(()),
        _ => Err(ErrorKind::Unknown(signal)),
    }
}

pub(crate) fn name(signal: Signal) -> Cow<'static, str> {
    match signal.number() {
        HUP => Cow::Borrowed("SIGHUP"),
        INT => Cow::Borrowed("SIGINT"),
        QUIT => Cow::Borrowed("SIGQUIT"),
        USR1 => Cow::Borrowed("SIGUSR1"),
        USR2 => Cow::Borrowed("SIGUSR2"),
        TERM => Cow::Borrowed("SIGTERM"),
        number => Cow::Owned(format!("signal {number}")),
    }
}

/// Ends the process at once.
pub(crate) fn exit_now(code: i32) -> ! {
    process::exit(code)
}

/// Does nothing: an event that came too late for its task has been taken from the system already.
pub(crate) fn act_by_default(_signal: Signal) {}

/// Which signals are captured.
#[derive(Debug)]
pub(crate) struct Claim(Vec<Signal>);

impl Claim {
    /// Has `register` capture `wanted`.
    pub(crate) fn take<T>(
        wanted: &[Signal],
        _ignored: IgnoredSignals,
        _after_end: AfterEnd,
        register: impl FnOnce(&[Signal]) -> io::Result<T>,
    ) -> io::Result<(Self, T)> {
        let registered = register(wanted)?;
        Ok((Self(wanted.to_vec()), registered))
    }

    /// Returns the claimed ones.
    pub(crate) fn signals(&self) -> &[Signal] {
        &self.0
    }
}

/// Where console events wait for whichever thread reads them.
#[derive(Debug)]
pub(crate) struct Inbox {
    sources: Sources,
    gate: Arc<Gate>,
}

/// Ends an [`Inbox`] from elsewhere, when told to or dropped.
#[derive(Debug)]
pub(crate) struct Closer(Arc<Gate>);

impl Inbox {
    /// Captures events from now on.
    pub(crate) fn open(signals: &[Signal]) -> io::Result<(Self, Closer)> {
        let gate = Arc::new(Gate::default());
        let inbox = Self { sources: Sources::open(signals)?, gate: Arc::clone(&gate) };
        Ok((inbox, Closer(gate)))
    }

    /// Blocks until there are events or the inbox is closed, and returns the events. The sender is never known.
    pub(crate) fn wait(&mut self) -> impl Iterator<Item = (Signal, Option<u32>)> + use<> {
        self.gate.wait_on_this_thread();
        let waker = Waker::from(Arc::clone(&self.gate));
        let mut cx = Context::from_waker(&waker);
        let mut come = Vec::new();
        loop {
            while let Poll::Ready(signal) = self.sources.poll(&mut cx) {
                come.push((signal, None));
            }
            if !come.is_empty() || self.is_closed() {
                return come.into_iter();
            }
            thread::park();
        }
    }

    /// Tells whether nothing will come any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.gate.is_closed.load(Ordering::SeqCst)
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
        self.0.wake_by_ref();
    }
}

/// The thread that waits, and whether it should go on.
#[derive(Debug, Default)]
struct Gate {
    is_closed: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Gate {
    fn wait_on_this_thread(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        *thread = Some(thread::current());
    }

    fn wake_by_ref(&self) {
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        Gate::wake_by_ref(&self);
    }
}

/// Events for an async task, captured until this is dropped.
#[derive(Debug)]
pub(crate) struct Pulse {
    sources: Arc<Mutex<Sources>>,
    last: Arc<Mutex<Option<Signal>>>,
}

/// Resolves when an event has come.
pub(crate) struct Listener {
    sources: Arc<Mutex<Sources>>,
    last: Arc<Mutex<Option<Signal>>>,
}

impl Pulse {
    /// Captures events from now on.
    pub(crate) fn register(signals: &[Signal]) -> io::Result<Self> {
        let sources = Arc::new(Mutex::new(Sources::open(signals)?));
        Ok(Self { sources, last: Arc::default() })
    }

    /// Starts to listen. What has come before is kept by the sources.
    pub(crate) fn listen(&self) -> io::Result<Listener> {
        Ok(Listener { sources: Arc::clone(&self.sources), last: Arc::clone(&self.last) })
    }

    /// Returns the events that have come since the last call, each once, and forgets them.
    pub(crate) fn take(&self) -> Vec<Signal> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut come =
            BTreeSet::from_iter(self.last.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        while let Poll::Ready(signal) = sources.poll(&mut cx) {
            come.insert(signal);
        }
        come.into_iter().collect()
    }
}

impl Listener {
    /// Resolves when an event has come since the last time. Cancel safe.
    pub(crate) async fn next(&mut self) {
        poll_fn(|cx| {
            let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources.poll(cx).map(|signal| {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
            })
        })
        .await;
    }
}

/// The streams of events.
#[derive(Debug, Default)]
struct Sources {
    interrupts: Option<(CtrlC, CtrlBreak)>,
    terminations: Option<(CtrlClose, CtrlLogoff, CtrlShutdown)>,
}

impl Sources {
    fn open(signals: &[Signal]) -> io::Result<Self> {
        let mut sources = Self::default();
        if signals.contains(&Signal::INT) {
            sources.interrupts = Some((ctrl_c()?, ctrl_break()?));
        }
        if signals.contains(&Signal::TERM) {
            sources.terminations = Some((ctrl_close()?, ctrl_logoff()?, ctrl_shutdown()?));
        }
        Ok(sources)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        if let Some((c, pause)) = &mut self.interrupts
            && (c.poll_recv(cx).is_ready() || pause.poll_recv(cx).is_ready())
        {
            return Poll::Ready(Signal::INT);
        }
        if let Some((close, logoff, shutdown)) = &mut self.terminations
            && (close.poll_recv(cx).is_ready()
                || logoff.poll_recv(cx).is_ready()
                || shutdown.poll_recv(cx).is_ready())
        {
            return Poll::Ready(Signal::TERM);
        }
        Poll::Pending
    }
}
