//! A request in flight: from its complete header to the end of its answer. Its age may count from
//! the first byte of its header ([`Exchange::begun`]).

use std::{
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{
    HeaderValue, Method, Request, Response, Version, header::CONTENT_TYPE, uri::PathAndQuery,
};
use http_body::Body;
use task_listen::Slot;

use tokio::task::AbortHandle;

use crate::{cut::request_name, link::Link, shared::Queued, stats::Stats};

/// What is kept of a request, to name it.
#[derive(Debug)]
pub(crate) struct Exchange {
    method: Method,
    /// With the query, which is not shown: to cut it off would cost more.
    path: Option<PathAndQuery>,
    /// From when its age counts, in microseconds since the epoch of the server: when its header
    /// was complete, or, where that is known, when the first byte of the header came
    /// ([`Link::request_begun`]).
    pub(crate) begun: u64,
    /// The answer is a stream of events.
    is_event_stream: AtomicBool,
    /// Since when the client has not taken what the body has yielded, likewise; 0 if it has.
    untaken: AtomicU64,
    /// The task of its stream, over HTTP/2.
    stream: OnceLock<AbortHandle>,
    /// It was counted as cut.
    is_counted: AtomicBool,
}

impl Exchange {
    /// Returns its name: method and path, or what the answer is and the path.
    pub(crate) fn name(&self) -> String {
        let is_event_stream = self.is_event_stream.load(Ordering::Relaxed);
        self.named(if is_event_stream { "SSE" } else { self.method.as_str() })
    }

    fn named(&self, kind: &str) -> String {
        request_name(kind, self.path.as_ref().map_or("", PathAndQuery::path))
    }

    /// Returns its age.
    pub(crate) fn age(&self, now: u64) -> Duration {
        Duration::from_micros(now.saturating_sub(self.begun))
    }

    /// Keeps the task of its stream.
    pub(crate) fn spawned(&self, stream: AbortHandle) {
        // Only the first one is: what an upgraded stream spawns is not its own.
        let _ = self.stream.set(stream);
    }

    /// Aborts its stream if the client takes nothing of the answer for so long. Returns `false` if
    /// that is in vain: all of the answer is with the connection, and waits for the client there.
    pub(crate) fn abort_if_stalled(&self, now: u64, timeout: Duration) -> bool {
        let untaken = self.untaken.load(Ordering::Relaxed);
        let is_stalled = untaken > 0 && u128::from(now - untaken.min(now)) >= timeout.as_micros();
        match self.stream.get() {
            Some(stream) if is_stalled => {
                let is_in_vain = stream.is_finished();
                stream.abort();
                !is_in_vain
            }
            _ => true,
        }
    }

    /// Marks it as counted, and returns whether it was not before.
    pub(crate) fn count(&self) -> bool {
        !self.is_counted.swap(true, Ordering::AcqRel)
    }
}

/// The right to be in flight. Its drop ends the request, wherever that happens: with the last byte
/// of the body that hyper takes, with the handler, or with the connection.
#[derive(Debug)]
pub(crate) struct InFlight {
    exchange: Arc<Exchange>,
    link: Slot<Link>,
    /// It has the right to call a handler.
    is_admitted: bool,
    has_ended: AtomicBool,
}

impl InFlight {
    pub(crate) fn begin(link: &Slot<Link>, request: &Request<impl Sized>) -> Self {
        let exchange = Arc::new(Exchange {
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
            begun: link.request_begun(),
            is_event_stream: AtomicBool::new(false),
            untaken: AtomicU64::new(0),
            stream: OnceLock::new(),
            is_counted: AtomicBool::new(false),
        });
        if request.version() == Version::HTTP_2 {
            link.is_of_http2();
        }
        link.exchange_begun(&exchange);
        Stats::add(&link.stats().requests);
        Self { exchange, link: link.clone(), is_admitted: false, has_ended: AtomicBool::new(false) }
    }

    pub(crate) fn link(&self) -> &Slot<Link> {
        &self.link
    }

    pub(crate) fn name(&self) -> String {
        self.exchange.name()
    }

    /// Returns its name with another word in place of the method.
    pub(crate) fn named(&self, kind: &str) -> String {
        self.exchange.named(kind)
    }

    /// Waits for the right to call a handler, with what it keeps between two calls. Returns `false`
    /// if the request is refused.
    pub(crate) fn poll_admitted(
        &mut self,
        cx: &mut Context<'_>,
        queued: &mut Option<Queued>,
    ) -> Poll<bool> {
        if !self.is_admitted {
            let shared = self.link.shared();
            self.is_admitted = (queued.is_none() && shared.try_admit())
                || ready!(queued.get_or_insert_with(|| shared.clone().queue()).as_mut().poll(cx));
        }
        Poll::Ready(self.is_admitted)
    }

    /// Gives the right to call a handler back.
    pub(crate) fn give_back(&mut self) {
        if mem::take(&mut self.is_admitted) {
            self.link.shared().give_back();
        }
    }

    /// Records what the answer is, and whether it is complete without a poll of its body. One whose
    /// length is known is no stream of events, and its header is not looked through.
    pub(crate) fn answered(&self, response: &Response<impl Body>) {
        if response.body().is_end_stream() {
            self.ended();
        }
        let is_event_stream =
            |value: &HeaderValue| value.as_bytes().starts_with(b"text/event-stream");
        if response.body().size_hint().exact().is_none()
            && response.headers().get(CONTENT_TYPE).is_some_and(is_event_stream)
        {
            self.exchange.is_event_stream.store(true, Ordering::Relaxed);
        }
    }

    /// Records that the body has yielded bytes, which wait for the client.
    pub(crate) fn yielded(&self) {
        self.exchange.untaken.store(self.link.now().max(1), Ordering::Relaxed);
    }

    /// Records that more is asked of the body: the client takes what was yielded.
    pub(crate) fn asked(&self) {
        self.exchange.untaken.store(0, Ordering::Relaxed);
    }

    /// Records that the answer is complete.
    pub(crate) fn ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.give_back();
        self.link.stats().request_ended();
        self.link.exchange_over(&self.exchange, *self.has_ended.get_mut());
    }
}
