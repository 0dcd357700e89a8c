//! A stream whose connection sees what passes through it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Stream;

/// What a connection hears of its stream. Every method is called on the thread that polls the
/// stream, and must neither block nor panic.
pub trait IoEvents {
    /// The client has sent these bytes.
    fn received(&self, bytes: &[u8]);

    /// The system has taken this many bytes for the client.
    fn sent(&self, count: usize);

    /// The system takes no more bytes for now.
    fn blocked(&self) {}

    /// The system has taken all bytes. hyper flushes when its own buffer is empty.
    fn flushed(&self) {}

    /// Asks before each use of the stream whether it may still be used. Where it may, and the use
    /// is then pending, `cx` is to be woken once it may not. Default: it may.
    ///
    /// # Errors
    ///
    /// What reading and writing then return.
    fn usable(&self, _cx: &Context<'_>, _direction: Direction) -> io::Result<()> {
        Ok(())
    }
}

/// The two directions of a stream, which different tasks may poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    Read,
    /// To the client.
    Write,
}

/// The stream of a connection, which calls `E` for what passes through it.
#[derive(Debug)]
pub struct ObservedIo<E> {
    stream: Stream,
    events: E,
}

impl<E> ObservedIo<E> {
    /// Wraps a stream.
    pub fn new(stream: Stream, events: E) -> Self {
        Self { stream, events }
    }
}

impl<E: IoEvents + Unpin> AsyncRead for ObservedIo<E> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.events.usable(cx, Direction::Read)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.events.received(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<E: IoEvents + Unpin> ObservedIo<E> {
    /// Reports what a write has done.
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(count)) => self.events.sent(*count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.events.blocked(),
        }
        written
    }
}

impl<E: IoEvents + Unpin> AsyncWrite for ObservedIo<E> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.events.usable(cx, Direction::Write)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.events.usable(cx, Direction::Write)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        match &flushed {
            Poll::Ready(Ok(())) => self.events.flushed(),
            Poll::Ready(Err(_)) => {}
            // TLS keeps what the system does not take.
            Poll::Pending => self.events.blocked(),
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
