//! Windows: console events instead of signals, by Tokio, whose streams of them need no runtime.
//!
//! When no stream of an event is left, Tokio's handler passes the event on to the system, so the
//! default action returns without further work. Inherited "ignore" settings are not read.

use std::{
    future::poll_fn,
    io, mem,
    pin::pin,
    process,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use task_core::scope::Level;
use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

use crate::values::{AfterEnd, Opaque, Signal, SignalSet};

/// Ends the process at once.
pub(crate) fn exit_now(code: i32) -> ! {
    process::exit(code)
}

/// Does nothing: an event that arrived too late for its task was already taken from the system.
pub(crate) fn act_by_default(_signal: Signal) {}

/// Does nothing: the console's events cannot be raised for this process alone.
pub(crate) fn send_again(_signal: Signal) {}

/// Does nothing: Windows has no handlers that could.
#[derive(Debug)]
pub(crate) struct ExitMeanwhile;

impl ExitMeanwhile {
    pub(crate) fn at(_signals: impl Iterator<Item = Signal>) -> Self {
        Self
    }
}

/// Does nothing: there is no way to ask whether standard error takes a line at once.
pub(crate) fn write_if_room(_line: &str) {}

/// Signals that are captured.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) signals: Vec<Signal>,
}

impl Claim {
    /// Claims and captures `wanted`.
    pub(crate) fn take(
        wanted: &SignalSet,
        _stays_ignored: impl Fn(Signal) -> bool,
        _after_end: AfterEnd,
    ) -> io::Result<(Self, Inbox)> {
        Ok((Self { signals: wanted.signals().collect() }, Inbox::open(wanted)?))
    }

    /// Returns nothing: Windows blocks no events.
    pub(crate) fn unblocked(&self) -> Vec<Signal> {
        Vec::new()
    }

    /// Makes a claim of its own of some of the signals.
    pub(crate) fn split_off(&mut self, is_apart: impl Fn(Signal) -> bool) -> Self {
        let (apart, rest) = self.signals.drain(..).partition(|signal| is_apart(*signal));
        self.signals = rest;
        Self { signals: apart }
    }
}

/// Captured console events that were not read yet.
#[derive(Debug)]
pub(crate) struct Inbox {
    sources: Vec<(Signal, Source)>,
    /// Events that arrived before the inbox was opened, were put back, or were taken from their
    /// source by a listener. They are read first.
    early: Vec<(Signal, Option<u32>)>,
    /// At 1 once the inbox is closed.
    closed: Arc<Level>,
}

/// Polls the stream of one kind of event.
type Source = Opaque<Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<()>> + Send>>;

/// Closes an [`Inbox`] when dropped.
#[derive(Debug)]
pub(crate) struct Closer(Arc<Level>);

/// Wakes an async task when an inbox has events.
pub(crate) struct Listener(());

impl Inbox {
    /// Captures events from now on.
    fn open(signals: &SignalSet) -> io::Result<Self> {
        let mut sources: Vec<(Signal, Source)> = Vec::new();
        if signals.contains(Signal::INT) {
            let (mut interrupt, mut pause) = (ctrl_c()?, ctrl_break()?);
            sources.push((Signal::INT, Opaque(Box::new(move |cx| interrupt.poll_recv(cx)))));
            sources.push((Signal::INT, Opaque(Box::new(move |cx| pause.poll_recv(cx)))));
        }
        if signals.contains(Signal::TERM) {
            let (mut close, mut logoff, mut shutdown) =
                (ctrl_close()?, ctrl_logoff()?, ctrl_shutdown()?);
            sources.push((Signal::TERM, Opaque(Box::new(move |cx| close.poll_recv(cx)))));
            sources.push((Signal::TERM, Opaque(Box::new(move |cx| logoff.poll_recv(cx)))));
            sources.push((Signal::TERM, Opaque(Box::new(move |cx| shutdown.poll_recv(cx)))));
        }
        Ok(Self { sources, early: Vec::new(), closed: Arc::new(Level::new()) })
    }

    /// Adds events that arrived before.
    pub(crate) fn begin_with(&mut self, early: Vec<(Signal, Option<u32>)>) {
        self.early = early;
    }

    /// Has an event read once more.
    pub(crate) fn put_back(&mut self, signal: Signal) {
        self.early.push((signal, None));
    }

    pub(crate) fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.closed))
    }

    /// Blocks until events arrive or the inbox is closed, and returns the events. Their sender is
    /// never known.
    pub(crate) fn wait(&mut self) -> Vec<(Signal, Option<u32>)> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        let closed = Arc::clone(&self.closed);
        let mut closed = pin!(closed.reached(1));
        loop {
            let mut arrived = mem::take(&mut self.early);
            while let Poll::Ready(signal) = self.poll(&mut cx) {
                arrived.push((signal, None));
            }
            if !arrived.is_empty() || closed.as_mut().poll(&mut cx).is_ready() {
                return arrived;
            }
            thread::park();
        }
    }

    /// Returns the events that arrived since the last call, each once, without blocking.
    pub(crate) fn take(&mut self) -> SignalSet {
        let early = mem::take(&mut self.early).into_iter();
        let mut arrived = early.map(|(signal, _)| signal).collect::<SignalSet>();
        while let Poll::Ready(signal) = self.poll(&mut Context::from_waker(Waker::noop())) {
            arrived.add(signal);
        }
        arrived
    }

    /// Returns whether the inbox is closed, after which no event arrives.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get() > 0
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        let mut sources = self.sources.iter_mut();
        let arrived =
            sources.find_map(|(signal, source)| source.0(cx).is_ready().then_some(*signal));
        arrived.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.raise(1);
    }
}

impl Listener {
    /// Listens from now on. Events that arrived before are kept by their sources.
    pub(crate) fn new(_signals: &[Signal]) -> io::Result<Self> {
        Ok(Self(()))
    }

    /// Resolves when the inbox has events that arrived since the last call. Cancel safe.
    pub(crate) async fn arrived(&mut self, inbox: &mut Inbox) {
        let heard = poll_fn(|cx| inbox.poll(cx)).await;
        inbox.put_back(heard);
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
