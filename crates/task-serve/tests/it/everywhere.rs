//! A stop, and an abort, at each await of the server, beside clients that are idle, half-way or to
//! be served.

use task_core::Task;
use task_serve::ServeTask;
use task_testkit::{cancel_everywhere, drop_everywhere};

use crate::{
    server::api,
    sweep::{World, check, world},
};

async fn build() -> (World, impl Task) {
    let serve = ServeTask::bind("127.0.0.1:0").unwrap().service(api());
    let sent =
        ["", "GET / HT", "GET / HTTP/1.1\r\nhost: it\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    (world(serve.local_addr().unwrap(), sent), serve)
}

#[test]
fn a_stop_at_any_await_ends_the_server_in_time_with_its_connections() {
    check(cancel_everywhere(build));
}

#[test]
fn an_abort_at_any_await_leaves_no_connection_and_no_address_behind() {
    check(drop_everywhere(build));
}
