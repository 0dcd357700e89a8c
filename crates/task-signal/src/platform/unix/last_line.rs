//! A line on standard error that blocks nobody.

use std::io::stderr;
use std::os::fd::AsFd as _;

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::write,
};

/// Writes a line to standard error if it takes it at once: a pipe that has room for a page, a
/// terminal that is not stopped, a file. Takes no lock.
pub(crate) fn write_if_room(line: &str) {
    let stderr = stderr();
    let mut waiting = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut waiting, PollTimeout::ZERO) == Ok(1) && waiting[0].any() == Some(true) {
        let _ = write(stderr.as_fd(), format!("{line}\n").as_bytes());
    }
}
