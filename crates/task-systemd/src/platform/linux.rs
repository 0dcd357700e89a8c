//! The socket on which systemd listens to messages.
//!
//! Sending never blocks. Each message is sent to the address anew, so that a manager that opened
//! its socket again is found again.

use std::{
    ffi::OsStr,
    io::{self, IoSlice, Read as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, OwnedFd},
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram, UnixStream},
        },
    },
    time::{Duration, Instant},
};

use rustix::{
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    time::{ClockId, clock_gettime},
};
use task_core::scope::guarded_name;

use crate::error::ErrorKind;

/// What is sent with a message.
pub(crate) type Descriptor = OwnedFd;

#[derive(Debug)]
pub(crate) struct NotifySocket {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl NotifySocket {
    /// Opens a socket for an address as `NOTIFY_SOCKET` has it.
    pub(crate) fn open(value: &OsStr) -> Result<Option<Self>, ErrorKind> {
        let shown = || guarded_name(&value.to_string_lossy());
        let address = match value.as_bytes() {
            [b'@', name @ ..] if !name.is_empty() => SocketAddr::from_abstract_name(name),
            [b'/', ..] => SocketAddr::from_pathname(value),
            _ => {
                let fault = "neither an absolute path nor an abstract name";
                return Err(ErrorKind::Variable { name: "NOTIFY_SOCKET", value: shown(), fault });
            }
        };
        let open = |address| {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok(Some(Self { socket, address }))
        };
        address.and_then(open).map_err(|source| ErrorKind::Open { value: shown(), source })
    }

    /// Sends one message, with a descriptor if there is one.
    ///
    /// # Errors
    ///
    /// As the system has it: `WouldBlock` if systemd has not read earlier messages, `NotFound` or
    /// `ConnectionRefused` if there is no socket at the address.
    pub(crate) fn send(&self, message: &str, descriptor: Option<&Descriptor>) -> io::Result<()> {
        let Some(descriptor) = descriptor else {
            return self.socket.send_to_addr(message.as_bytes(), &self.address).map(drop);
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&self.address)?;
        let descriptors = [descriptor.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let parts = [IoSlice::new(message.as_bytes())];
        sendmsg(&socket, &parts, &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits until systemd has read all earlier messages. Blocks for up to `timeout`. Returns
    /// whether it has by then.
    ///
    /// # Errors
    ///
    /// If systemd could not be asked, as for [`send`](Self::send): nothing was waited for.
    pub(crate) fn barrier(&self, timeout: Duration) -> io::Result<bool> {
        // systemd closes the one end that it was sent when it gets to this message, and nothing is
        // written to it: the read ends then.
        let (mut ours, theirs) = UnixStream::pair()?;
        self.send("BARRIER=1", Some(&theirs.into()))?;
        let began = Instant::now();
        loop {
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            ours.set_read_timeout(Some(left))?;
            match ours.read(&mut [0]) {
                // A signal handler ran on this thread: a read with a timeout is never resumed.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Ok(read.is_ok()),
            }
        }
    }
}

/// The time of the monotonic clock in microseconds, by which systemd knows a reload from an
/// earlier one.
pub(crate) fn monotonic_micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Neither part is negative.
    now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1_000
}
