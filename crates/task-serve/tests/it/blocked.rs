//! A handler that blocks its thread, and cannot be dropped.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use axum::{Router, routing::get};
use task_core::Outcome;
use task_manager::Manager;
use task_serve::ServeTask;
use tokio::runtime;

/// Cleanups run beside it, and so the report says that it lives.
#[test]
fn a_handler_that_outlives_the_stop_is_named_by_the_report() {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    let _guard = runtime.enter();
    // After the runtime, so that a failure of the test does not leave the handler blocked.
    let (entered, is_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let block = async move || {
        entered.send(()).unwrap();
        // Until the test has its report.
        let _ = released.lock().unwrap().recv();
    };
    let api = Router::new().route("/block", get(block));
    let serve = ServeTask::bind("127.0.0.1:0").unwrap().service(api);
    let address = serve.local_addr().unwrap();
    let manager = Manager::builder().shutdown_timeout(Duration::from_secs(2)).build().unwrap();
    manager.run(serve).unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET /block HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    is_entered.recv().unwrap();
    manager.stop();
    let error = runtime.block_on(manager.wait()).unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.tasks()[0].outcome, Outcome::Abandoned, "{report}");
    assert!(report.to_string().contains("1 child is alive: GET /block ("), "{report}");
    drop(release);
}
