//! A stop, and an abort, at each await of the server, beside clients that are idle, half-way or to
//! be served.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use task_core::Task;
use task_serve::ServeTask;
use task_testkit::{Everywhere, cancel_everywhere, drop_everywhere};

use crate::server::api;

/// The address of a server, and clients that have connected and sent something.
type World = (SocketAddr, Vec<TcpStream>);

async fn build() -> (World, impl Task) {
    let serve = ServeTask::bind("127.0.0.1:0").unwrap().service(api());
    let address = serve.local_addr().unwrap();
    let sent =
        ["", "GET / HT", "GET / HTTP/1.1\r\nhost: it\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    let clients = sent.map(|text| {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(text.as_bytes()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client
    });
    ((address, clients.into()), serve)
}

/// Runs the sweep. At the end of the server its connections are closed, its address is free, and
/// what it spawned has ended.
fn check<T: Task, B: AsyncFn() -> (World, T)>(sweep: Everywhere<B>) {
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

#[test]
fn a_stop_at_any_await_ends_the_server_in_time_with_its_connections() {
    check(cancel_everywhere(build));
}

#[test]
fn an_abort_at_any_await_leaves_no_connection_and_no_address_behind() {
    check(drop_everywhere(build));
}
