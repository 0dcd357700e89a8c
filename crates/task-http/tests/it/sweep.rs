//! Sweeps over the awaits of a server, beside clients that have connected and sent something.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use task_core::Task;
use task_testkit::Everywhere;

/// The address of a server, and its clients.
pub(crate) type World = (SocketAddr, Vec<TcpStream>);

/// Connects one client for each text, which it sends.
pub(crate) fn world<const N: usize>(address: SocketAddr, sent: [&str; N]) -> World {
    let clients = sent.map(|text| {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(text.as_bytes()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client
    });
    (address, clients.into())
}

/// Runs the sweep. At the end of the server its connections are closed, its address is free, and
/// what it spawned has ended.
pub(crate) fn check<T: Task, B: AsyncFn() -> (World, T)>(sweep: Everywhere<B>) {
    let sweep = sweep.lives_for(Duration::from_secs(20)).leaves_no_tasks();
    let sweep = sweep.check(async |(address, clients)| {
        for client in clients {
            let read = client.read_to_end(&mut Vec::new());
            // A connection that was never accepted is reset.
            let is_closed = read
                .as_ref()
                .map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |_| true);
            assert!(is_closed, "the connection is open: {read:?}");
        }
        TcpListener::bind(*address).expect("the address is free");
    });
    assert!(sweep.tested() >= 3, "{sweep}");
}
