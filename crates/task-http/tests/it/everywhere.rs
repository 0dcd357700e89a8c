//! A stop, and an abort, at each await of the server, beside clients that are idle, half-way or to
//! be served.

use task_http::HttpTask;
use task_testkit::{cancel_everywhere, drop_everywhere};

use crate::sweep::{World, check, world};

async fn build() -> (World, HttpTask) {
    let http = HttpTask::bind("127.0.0.1:0").unwrap();
    let sent = ["", "GET /metrics HT", "GET /livez HTTP/1.1\r\nhost: it\r\n\r\n"];
    (world(http.local_addr().unwrap(), sent), http)
}

/// Requirement 10.
#[test]
fn a_stop_at_any_await_ends_the_server_in_time_with_its_connections() {
    check(cancel_everywhere(build));
}

#[test]
fn an_abort_at_any_await_leaves_no_connection_and_no_address_behind() {
    check(drop_everywhere(build));
}
