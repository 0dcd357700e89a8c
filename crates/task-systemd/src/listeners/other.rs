//! Where there is no systemd, no socket is passed.

use std::{
    convert::Infallible,
    io,
    net::{TcpListener, UdpSocket},
};

/// What was passed, which is nothing.
#[derive(Debug, Default)]
pub(crate) struct Passed(Option<Infallible>);

impl Passed {
    pub(crate) fn read() -> (Self, Vec<(String, usize)>) {
        (Self(None), Vec::new())
    }

    pub(crate) fn tcp(&mut self, _position: usize) -> io::Result<TcpListener> {
        Err(io::ErrorKind::NotFound.into())
    }

    pub(crate) fn udp(&mut self, _position: usize) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::NotFound.into())
    }

    #[cfg(unix)]
    pub(crate) fn unix(
        &mut self,
        _position: usize,
    ) -> io::Result<std::os::unix::net::UnixListener> {
        Err(io::ErrorKind::NotFound.into())
    }

    #[cfg(unix)]
    pub(crate) fn unix_datagram(
        &mut self,
        _position: usize,
    ) -> io::Result<std::os::unix::net::UnixDatagram> {
        Err(io::ErrorKind::NotFound.into())
    }
}
