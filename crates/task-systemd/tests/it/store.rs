//! Sockets for systemd to keep, and waiting until it has read.

use std::{
    io::{IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    thread,
    time::Duration,
};

use rustix::{
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    process::{Signal, kill_process},
    thread::gettid,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::fake::{Fake, secs};

/// One message and the descriptors with it.
fn receive(fake: &Fake) -> (String, Vec<OwnedFd>) {
    let mut bytes = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(&fake.socket, &mut parts, &mut control, RecvFlags::empty()).unwrap();
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            descriptors.extend(passed);
        }
    }
    (String::from_utf8(bytes[..received.bytes].to_vec()).unwrap(), descriptors)
}

#[test]
fn a_stored_listener_is_the_same_socket() {
    let fake = Fake::at_path();
    let notifier = fake.task().notifier();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    notifier.store("http", &listener).unwrap();
    drop(listener);
    let (message, mut descriptors) = receive(&fake);
    assert_eq!(message, "FDSTORE=1\nFDNAME=http");
    let kept = TcpListener::from(descriptors.remove(0));
    assert_eq!(kept.local_addr().unwrap(), address);
    let mut client = TcpStream::connect(address).unwrap();
    kept.accept().unwrap().0.write_all(b"kept").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "kept");

    notifier.remove("http").unwrap();
    assert_eq!(receive(&fake).0, "FDSTOREREMOVE=1\nFDNAME=http");
}

#[test]
fn a_name_that_systemd_would_refuse_is_an_error() {
    let fake = Fake::at_path();
    let notifier = fake.task().notifier();
    for name in ["", "a:b", "a\nREADY=1", "ä", &"x".repeat(256)] {
        let error = notifier.store(name, std::io::stdin()).unwrap_err();
        assert!(error.is_setting(), "{error}");
        assert!(!error.to_string().contains('\n'));
        assert!(notifier.remove(name).unwrap_err().is_setting());
    }
    assert_eq!(fake.received(), [""; 0]);
}

#[test]
fn the_barrier_waits_until_the_messages_before_it_are_read() {
    let fake = Fake::abstract_name();
    let notifier = fake.task().notifier();
    notifier.remove("before").unwrap();
    assert!(!notifier.barrier(Duration::from_millis(50)), "nobody has read");
    assert!(!notifier.barrier(Duration::ZERO));
    fake.received();

    notifier.remove("before").unwrap();
    let waiting = thread::spawn(move || notifier.barrier(secs(60)));
    fake.socket.set_nonblocking(false).unwrap();
    assert_eq!(receive(&fake).0, "FDSTOREREMOVE=1\nFDNAME=before");
    let (message, descriptors) = receive(&fake);
    assert_eq!((&*message, descriptors.len()), ("BARRIER=1", 1));
    thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    drop(descriptors);
    assert!(waiting.join().unwrap());
}

#[tokio::test]
async fn a_signal_does_not_end_the_wait_of_the_barrier() {
    let fake = Fake::abstract_name();
    let notifier = fake.task().notifier();
    // A handler, which the process keeps.
    let _signals = signal(SignalKind::user_defined1()).unwrap();
    let (sender, thread) = std::sync::mpsc::channel();
    let waiting = thread::spawn(move || {
        sender.send(gettid()).unwrap();
        notifier.barrier(secs(60))
    });
    let thread = thread.recv().unwrap();
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(10));
        // Linux prefers the thread whose id this is.
        kill_process(thread, Signal::USR1).unwrap();
    }
    assert!(!waiting.is_finished());
    fake.received_all();
    assert!(waiting.join().unwrap());
}
